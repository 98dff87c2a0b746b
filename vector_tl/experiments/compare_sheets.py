"""Sheets of images on a comparison's page: what each arm misses, and what it takes for a Vector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vector_tl.data.dataset import Item
from vector_tl.data.images import resize_to_kept
from vector_tl.evaluate.metrics import Outcome, match
from vector_tl.experiments.compare_figures import runs_of
from vector_tl.experiments.comparison_data import ComparisonData
from vector_tl.experiments.runs import ARMS, Result, folder_name, read_outcomes
from vector_tl.plain import counted
from vector_tl.train.batches import Images
from vector_tl.web.report import WHITE, Illustration, Sheet, draw_boxes

NAMES = {"coco": "transfer (from COCO)", "scratch": "from scratch"}
COLORS = {"coco": "#0b8a7a", "scratch": "#d9730d"}
MAX_IMAGES = 12  # of a sheet


@dataclass(frozen=True)
class JudgedImage:
    """An image with what is wrong in it at a threshold.

    Attributes:
        number: its place in its list of images.
        outcome: its labels and detections.
        missed: for each Vector that was missed the score of the best box on it, -1 without any.
        false_positives: the scores of the boxes above the threshold that match no Vector, highest first.
    """

    number: int
    outcome: Outcome
    missed: tuple[float, ...]
    false_positives: tuple[float, ...]

    @property
    def words(self) -> str:
        """What is wrong with it."""
        missed = [
            f"missed ({score:.2f})" if score >= 0 else "missed, no box there" for score in sorted(self.missed)
        ]
        return ", ".join([*missed, *(f"false positive ({score:.2f})" for score in self.false_positives)])


def judge(outcomes: Sequence[Outcome], threshold: float) -> list[JudgedImage]:
    """Each image's missed Vectors and false positives at a threshold."""
    judged = []
    for number, outcome in enumerate(outcomes):
        scores, matched = match(outcome)
        missed = tuple(score for score in scores.tolist() if score <= threshold)
        false = sorted(outcome.scores[~matched & (outcome.scores > threshold)].tolist(), reverse=True)
        judged.append(JudgedImage(number, outcome, missed, tuple(false)))
    return judged


def worst_missed(judged: Sequence[JudgedImage]) -> list[JudgedImage]:
    """The images with a missed Vector: first those without any box on it, then by the lowest score."""
    return sorted((one for one in judged if one.missed), key=lambda one: min(one.missed))


def worst_false_positives(judged: Sequence[JudgedImage]) -> list[JudgedImage]:
    """The images with a false positive, the highest score first."""
    return sorted((one for one in judged if one.false_positives), key=lambda one: -one.false_positives[0])


def worst_sheets(out: Path, results: list[Result], data: ComparisonData) -> list[Sheet]:
    """Two sheets for each arm from the test sessions: missed Vectors and false positives."""
    items, sheets = data.splits["test"], []
    for arm, threshold, outcomes in kept_outcomes(out, results, "test.npz", len(items)):
        judged = judge(outcomes, threshold)
        for some, what in (
            (worst_missed(judged), "a missed Vector"),
            (worst_false_positives(judged), "a false positive"),
        ):
            title = f"{NAMES[arm]}: {len(some)} of {counted(len(items), 'test image')} with {what}"
            title += _part(len(some))
            sheets.append(Sheet(title, _drawn(some, arm, threshold, lambda number: _item(items[number]))))
    return sheets


def real_sheets(out: Path, results: list[Result], data: ComparisonData) -> list[Sheet]:
    """For each arm the real images, the worst first, and the rooms in which it sees a Vector."""
    items, rooms, sheets = data.real_items, data.rooms, []
    for arm, threshold, outcomes in kept_outcomes(out, results, "real.npz", len(items)):
        judged = judge(outcomes, threshold)
        ordered = [*worst_missed(judged), *worst_false_positives(judged), *judged]
        once = list({one.number: one for one in ordered}.values())
        title = f"{NAMES[arm]}: {counted(len(judged), 'real image')}{_part(len(judged))}"
        sheets.append(Sheet(title, _drawn(once, arm, threshold, lambda number: _item(items[number]))))
    if rooms is not None:
        for arm, threshold, outcomes in kept_outcomes(out, results, "rooms.npz", len(rooms)):
            some = worst_false_positives(judge(outcomes, threshold))
            title = (
                f"{NAMES[arm]}: a false positive in {len(some)} of "
                f"{counted(len(outcomes), 'room')} without a Vector{_part(len(some))}"
            )
            sheets.append(Sheet(title, _drawn(some, arm, threshold, partial(_room, rooms))))
    return sheets


def _part(images: int) -> str:
    """What a title says of a sheet that shows only the first of so many images."""
    return f", the first {MAX_IMAGES} of them" if images > MAX_IMAGES else ""


def kept_outcomes(
    out: Path, results: list[Result], name: str, images: int
) -> list[tuple[str, float, list[Outcome]]]:
    """Arm, threshold and outcomes of seed 0, where they were kept for the images that are there now."""
    kept = []
    for arm in ARMS:
        for run in runs_of(results, "equal", arm, "all"):
            path = out / "runs" / folder_name(run) / name
            if run["seed"] == 0 and path.exists() and len(outcomes := read_outcomes(path)) == images:
                kept.append((arm, run["threshold"], outcomes))
    return kept


def _drawn(
    some: Sequence[JudgedImage], arm: str, threshold: float, look: Callable[[int], tuple[np.ndarray, str]]
) -> list[Illustration]:
    """The first images with labels in white and boxes above the threshold in the arm's colour."""
    drawn = []
    for one in some[:MAX_IMAGES]:
        image, name = look(one.number)
        found = one.outcome.predicted_xyxy[one.outcome.scores > threshold]
        boxes = [(one.outcome.boxes_xyxy, WHITE), (found, COLORS[arm])]
        drawn.append(draw_boxes(image, boxes, f"{name}: {one.words}" if one.words else name))
    return drawn


def _item(item: Item) -> tuple[np.ndarray, str]:
    return resize_to_kept(item.image()), f"{item.session}/{item.name}"


def _room(rooms: Images, number: int) -> tuple[np.ndarray, str]:
    pixels = rooms.decoded([number])[0].permute(1, 2, 0).cpu().numpy()  # (H, W, 3)
    return np.ascontiguousarray(pixels), f"room {number + 1}"
