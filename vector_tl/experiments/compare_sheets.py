"""Sheets of images on a comparison's page: what each arm misses, takes for a Vector, and finds in real images. Seed 0 on all images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.dataset import Item
from vector_tl.evaluate.metrics import Outcome, match
from vector_tl.experiments.compare_figures import runs_of
from vector_tl.experiments.runs import ARMS, ComparisonData, folder_name, read_outcomes
from vector_tl.train.batches import KEPT_WH, Images
from vector_tl.web import report as pages

NAMES = {"coco": "transfer (from COCO)", "scratch": "from scratch"}
COLORS = {"coco": "#0b8a7a", "scratch": "#d9730d"}
MOST = 12  # images of a sheet
COLOURS = "Seed 0. White: the label; coloured: what was said above the threshold."


@dataclass(frozen=True)
class Judged:
    """An image with what the network said of it. `missed`: for each Vector that was not found the score of the best box on it, -1 without any;
    `false`: the scores of the boxes above the threshold that match none, best first.
    """

    number: int
    outcome: Outcome
    missed: tuple[float, ...]
    false: tuple[float, ...]

    @property
    def words(self) -> str:
        """What is wrong with it."""
        missed = [
            f"missed ({score:.2f})" if score >= 0 else "missed, no box there" for score in sorted(self.missed)
        ]
        return ", ".join([*missed, *(f"false positive ({score:.2f})" for score in self.false)])


def judge(outcomes: Sequence[Outcome], threshold: float) -> list[Judged]:
    """Each image's misses and false positives at a threshold."""
    judged = []
    for number, outcome in enumerate(outcomes):
        found_at, hit = match(outcome)
        false = sorted(outcome.scores[~hit & (outcome.scores > threshold)].tolist(), reverse=True)
        judged.append(
            Judged(
                number,
                outcome,
                tuple(score for score in found_at.tolist() if score <= threshold),
                tuple(false),
            )
        )
    return judged


def worst_misses(judged: Sequence[Judged]) -> list[Judged]:
    """The images with a miss: first those where there was no box at all, then by the lowest score."""
    return sorted((one for one in judged if one.missed), key=lambda one: min(one.missed))


def worst_false_boxes(judged: Sequence[Judged]) -> list[Judged]:
    """The images with a false positive, the surest first."""
    return sorted((one for one in judged if one.false), key=lambda one: -one.false[0])


def worst(out: Path, results: list[dict], material: ComparisonData) -> str:
    """Two sheets for each arm from the test sessions: misses and false positives."""
    items, parts = material.splits["test"], []
    for arm, threshold, outcomes in _kept(out, results, "test.npz", len(items)):
        judged = judge(outcomes, threshold)
        for some, what in ((worst_misses(judged), "a miss"), (worst_false_boxes(judged), "a false positive")):
            title = f"{NAMES[arm]}: {len(some)} of {len(items)} test images with {what}"
            parts.append(_sheet(title, some, arm, threshold, lambda one: _item(items[one.number])))
    return pages.section("The worst", "".join(parts), COLOURS + " In brackets: scores.") if parts else ""


def real(out: Path, results: list[dict], material: ComparisonData) -> str:
    """For each arm the real images, the worst first, and the rooms in which it sees a Vector."""
    parts = []
    for arm, threshold, outcomes in _kept(out, results, "real.npz", len(material.real_items)):
        items, judged = material.real_items, judge(outcomes, threshold)
        trouble = {
            one.number: one for one in [*worst_misses(judged), *worst_false_boxes(judged), *judged]
        }  # each once, the worst first
        title = f"{NAMES[arm]}: {min(MOST, len(judged))} of {len(judged)} real images"
        parts.append(
            _sheet(
                title,
                list(trouble.values()),
                arm,
                threshold,
                lambda one, items=items: _item(items[one.number]),
            )
        )
    for arm, threshold, outcomes in _kept(out, results, "rooms.npz", len(material.rooms or ())):
        some = worst_false_boxes(judge(outcomes, threshold))
        title = f"{NAMES[arm]}: a false positive in {len(some)} of {len(outcomes)} images of rooms without a Vector"
        parts.append(
            _sheet(
                title,
                some,
                arm,
                threshold,
                lambda one: (_pixels(material.rooms, one.number), f"room {one.number + 1}"),
            )
        )
    return pages.section("Real images, seen", "".join(parts), COLOURS) if parts else ""


def _kept(out: Path, results: list[dict], name: str, images: int) -> list[tuple[str, float, list[Outcome]]]:
    """Arm, threshold and what its seed 0 found, where that was kept of the images that are there now."""
    kept = []
    for arm in ARMS:
        for run in runs_of(results, "equal", arm, "all"):
            path = out / "runs" / folder_name(run) / name
            if run["seed"] == 0 and path.exists() and len(outcomes := read_outcomes(path)) == images:
                kept.append((arm, run["threshold"], outcomes))
    return kept


def _sheet(
    title: str,
    some: Sequence[Judged],
    arm: str,
    threshold: float,
    look: Callable[[Judged], tuple[np.ndarray, str]],
) -> str:
    shown = []
    for one in some[:MOST]:
        image, name = look(one)
        boxes = (
            (one.outcome.boxes_xyxy, pages.WHITE),
            (one.outcome.predicted_xyxy[one.outcome.scores > threshold], COLORS[arm]),
        )
        shown.append(pages.image(image, boxes, f"{name}: {one.words}" if one.words else name))
    return f"<h3>{title}</h3>{pages.sheet(shown)}"


def _item(item: Item) -> tuple[np.ndarray, str]:
    return cv2.resize(item.image(), KEPT_WH, interpolation=cv2.INTER_AREA), f"{item.session}/{item.name}"


def _pixels(images: Images, number: int) -> np.ndarray:
    return np.ascontiguousarray(images.pixels[number].permute(1, 2, 0).cpu().numpy())
