"""From the folder of a comparison to the figures of a lesson."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vector_tl.data.boxes import iou_matrix, sides
from vector_tl.data.dataset import Item
from vector_tl.data.images import KEPT_WH
from vector_tl.errors import UserError
from vector_tl.evaluate.metrics import MATCH_IOU, Outcome, average_precision, calibrate, match_greedily
from vector_tl.evaluate.platt import fit_calibration
from vector_tl.experiments.lesson.forms import Box, Curve, Figures, Learned, Point, Scene
from vector_tl.experiments.runs import ARMS, Result, finished_trainings, folder_name, learned
from vector_tl.plain import counted

THRESHOLDS = [*(round(0.05 * i, 2) for i in range(1, 20)), 0.99]
MAX_SCENES, EMPTY_SCENES = 12, 2
MIN_SCORE, MAX_BOXES = THRESHOLDS[0], 8  # of the boxes that a page holds of an image
Seen = list[tuple[int, list[Outcome]]]  # images seen, and outcomes on the validation images


def figures_of(folder: Path, items: Sequence[Item]) -> Figures:
    """The figures of a comparison in a folder.

    Args:
        folder: of `vector-tl compare`.
        items: the validation images that its trainings were evaluated on.

    Raises:
        UserError: it holds no finished trainings of both arms, or none that kept what they saw.
    """
    results = finished_trainings(folder)
    seen = seen_by(folder, results)
    kept = of_both_arms(seen)
    if {run["arm"] for run in first_trainings(results)} == set(ARMS) != {arm for arm, _ in seen}:
        raise UserError(
            f"{folder} has not kept what both models saw in training, as earlier versions of vector-tl "
            "compare did not; run it again with another --out."
        )
    if not kept:
        raise UserError(
            f"{folder} is not finished: a lesson needs a training from COCO and one from scratch with the "
            f"same images. Continue it by the same vector-tl compare, with --out {folder}."
        )
    if any(len(outcomes) != len(items) for seen in kept.values() for _, outcomes in seen):
        raise UserError(
            f"The validation sessions hold {counted(len(items), 'image')}, not those that "
            f"{folder} was made with; name its dataset with --data."
        )
    return figures_from(kept, curves(results), items)


def figures_from(
    kept: dict[tuple[str, int], Seen],
    curves: list[Curve],
    items: Sequence[Item],
    chosen: list[int] | None = None,
) -> Figures:
    """The figures of trainings.

    Args:
        kept: what each arm saw in training with so many images; scores are not calibrated.
        curves: learning curves.
        items: the validation images.
        chosen: those that the page shows; some from small to large Vectors when not given.
    """
    chosen = choose_scenes(items) if chosen is None else chosen
    return Figures(
        thresholds=THRESHOLDS,
        vectors=sum(len(item.boxes_xyxy(KEPT_WH)) for item in items),
        images=len(items),
        scenes=[scene(items[number]) for number in chosen],
        trainings=[
            Learned(arm=arm, images=images, points=[point(n, outcomes, chosen) for n, outcomes in seen])
            for (arm, images), seen in sorted(kept.items())
        ],
        curves=curves,
    )


def seen_by(folder: Path, results: Sequence[Result]) -> dict[tuple[str, int], Seen]:
    """What each arm saw in training with so many images, seed 0; of all images the longer training goes on.

    Raises:
        UserError: a file is damaged.
    """
    kept: dict[tuple[str, int], Seen] = {}
    for run in sorted(
        first_trainings(results), key=lambda run: (run["kind"], ARMS.index(run["arm"]), run["images"])
    ):
        seen = kept.setdefault((run["arm"], run["images"]), [])
        last = max((images_seen for images_seen, _ in seen), default=-1)
        seen += [some for some in learned(folder / "runs" / folder_name(run)) if some[0] > last]
    return {key: seen for key, seen in kept.items() if seen}


def first_trainings(results: Sequence[Result]) -> list[Result]:
    """The trainings of seed 0 that a page shows: not those that tried a learning rate or another split."""
    return [run for run in results if run["seed"] == 0 and run["kind"] in ("equal", "long")]


def of_both_arms(kept: dict[tuple[str, int], Seen]) -> dict[tuple[str, int], Seen]:
    """What was seen with numbers of images with which both arms can be compared at some moment.

    A comparison that was stopped has trained one arm with more numbers of images than the other.
    """
    moments = {key: {images_seen for images_seen, _ in seen} for key, seen in kept.items()}
    return {
        (arm, images): seen
        for (arm, images), seen in kept.items()
        if set.intersection(*(moments.get((each, images), set()) for each in ARMS))
    }


def choose_scenes(items: Sequence[Item], sessions: Sequence[str] | None = None) -> list[int]:
    """Images that show Vectors from large to small, and some without any.

    Args:
        items: all images.
        sessions: those to choose from; all when not given.
    """
    numbers = [n for n, item in enumerate(items) if sessions is None or item.session in sessions]
    height = {n: sides(items[n].boxes_xyxy(KEPT_WH))[:, 1].max(initial=0) for n in numbers}
    with_vector = sorted((n for n in numbers if height[n]), key=lambda n: -height[n])
    return _spread(with_vector, MAX_SCENES - EMPTY_SCENES) + _spread(
        [n for n in numbers if not height[n]], EMPTY_SCENES
    )


def _spread(numbers: list[int], count: int) -> list[int]:
    """Up to so many of a list, evenly spread over it."""
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [numbers[place] for place in places]


def scene(item: Item) -> Scene:
    """An image by its name."""
    boxes = item.boxes_xyxy(KEPT_WH).round().astype(int).tolist()
    return Scene(name=f"{item.session}/{item.name}", vectors=boxes)


def point(
    images_seen: int, outcomes: list[Outcome], chosen: Sequence[int], calibrated: bool = False
) -> Point:
    """What a model sees; its scores are calibrated on these images unless they are already."""
    outcomes = outcomes if calibrated else calibrate(outcomes, fit_calibration(outcomes))
    right = [_matches(outcome) for outcome in outcomes]
    scores = np.concatenate([in_thousandths(outcome.scores) for outcome in outcomes] or [np.zeros(0)])
    is_right = np.concatenate([match >= 0 for match in right] or [np.zeros(0, bool)])
    return Point(
        images_seen=images_seen,
        ap50=_rounded(average_precision(outcomes)[0]),
        boxes=[boxes_of(outcomes[number], right[number]) for number in chosen],
        found=[int((is_right & (scores >= least)).sum()) for least in in_thousandths(THRESHOLDS)],
        false_alarms=[int((~is_right & (scores >= least)).sum()) for least in in_thousandths(THRESHOLDS)],
    )


def in_thousandths(scores: ArrayLike) -> np.ndarray:
    """Scores as the page has them: whole thousandths, so that it counts as was counted here."""
    return np.round(np.asarray(scores, np.float64) * 1000).astype(int)


def _matches(outcome: Outcome) -> np.ndarray:
    """The Vector that each box finds, -1 for a false alarm (M,); boxes are best first."""
    return match_greedily(iou_matrix(outcome.predicted_xyxy, outcome.boxes_xyxy), MATCH_IOU)


def boxes_of(outcome: Outcome, matches: np.ndarray) -> list[Box]:
    """The best boxes of an image that a threshold of the page can show."""
    rows = zip(
        outcome.predicted_xyxy.round().astype(int).tolist(),
        in_thousandths(outcome.scores).tolist(),
        matches.tolist(),
        strict=True,
    )
    return [[*box, score, match] for box, score, match in rows if score >= 1000 * MIN_SCORE][:MAX_BOXES]


def curves(results: Sequence[Result]) -> list[Curve]:
    """The learning curves of a comparison: mean, lowest and highest seed at each point."""
    groups = sorted((run for run in results if run["kind"] in ("equal", "long") and run["curve"]), key=_group)
    return [_curve(*key, [run["curve"] for run in runs]) for key, runs in groupby(groups, _group)]


def _group(run: Result) -> tuple[str, str, int]:
    return run["kind"], run["arm"], run["images"]


def _curve(kind: str, arm: str, images: int, seeds: list[list[dict[str, Any]]]) -> Curve:
    places = [[p["images_seen"] for p in curve] for curve in seeds]
    alike = [curve for curve, place in zip(seeds, places, strict=True) if place == places[0]]
    heights = np.array([[p["ap50"] or 0.0 for p in curve] for curve in alike])  # (seeds, points)
    mean, low, high = (
        [round(float(v), 3) for v in some(axis=0)] for some in (heights.mean, heights.min, heights.max)
    )
    return Curve(
        kind=kind,
        arm=arm,
        images=images,
        seeds=len(alike),
        images_seen=places[0],
        mean=mean,
        low=low,
        high=high,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
