"""`vector-tl evaluate --report`: where a model fails, as images, and what to capture next."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.boxes import iou_matrix
from vector_tl.data.coverage import BINS, GREYS, place_of
from vector_tl.data.dataset import Dataset, Item
from vector_tl.evaluate.metrics import HEIGHT_EDGES_PX, HEIGHT_LINES, MATCH_IOU, Outcome, match
from vector_tl.web import report as pages

SHOWN = 24  # images of a sheet
LOOSE_IOU = 0.75  # a box that fits worse is shown among the loose ones
ENOUGH = 8  # Vectors of a kind, before its recall says anything
FEW = 0.5  # a recall below this says that images of every kind are wanted, whatever kind is found least
MIN_SCORE = 0.5  # the lowest threshold that training chooses: what fits and scores more is seen by the model, and hidden by a higher threshold
WEAK = 0.1  # recall this far below that of all Vectors asks for more images of the kind
FOUND, TRUTH, FALSE = "#0b8a7a", pages.WHITE, "#ff5a4f"
KINDS = ("height", "place", "brightness", "session")


@dataclass(frozen=True)
class Case:
    """A labelled Vector, or (`iou` None) a false positive: where, how large, how bright its image is, and how the model took it."""

    item: Item
    outcome: Outcome
    xyxy: np.ndarray
    bins: dict[str, str]
    score: float  # of the box that matches it, or of the false positive; -1 where there is none
    iou: float | None  # with the best box above the threshold

    @property
    def height_px(self) -> float:
        """In an image of 360 lines."""
        return float(self.xyxy[3] - self.xyxy[1]) * HEIGHT_LINES / self.outcome.size_wh[1]


def cases(dataset: Dataset, outcomes: list[Outcome], threshold: float) -> tuple[list[Case], list[Case]]:
    """All labelled Vectors, and all boxes above the threshold that match none."""
    vectors, alarms = [], []
    for item, outcome in zip(dataset.items, outcomes, strict=True):
        brightness = float(cv2.cvtColor(item.image(), cv2.COLOR_RGB2GRAY).mean())
        found_at, hit = match(outcome)
        said = outcome.scores > threshold
        best = iou_matrix(outcome.boxes_xyxy, outcome.predicted_xyxy[said]).max(axis=1, initial=0.0)
        for box, score, iou in zip(outcome.boxes_xyxy, found_at, best, strict=True):
            vectors.append(
                Case(item, outcome, box, _bins(item, outcome, box, brightness), float(score), float(iou))
            )
        for box, score in zip(outcome.predicted_xyxy[said & ~hit], outcome.scores[said & ~hit], strict=True):
            alarms.append(Case(item, outcome, box, _bins(item, outcome, box, brightness), float(score), None))
    return vectors, alarms


def _bins(item: Item, outcome: Outcome, xyxy: np.ndarray, brightness: float) -> dict[str, str]:
    height = float(xyxy[3] - xyxy[1]) * HEIGHT_LINES / outcome.size_wh[1]
    step = int(np.searchsorted(HEIGHT_EDGES_PX, height, side="right"))
    low, high = HEIGHT_EDGES_PX[step - 1], HEIGHT_EDGES_PX[step]
    return {
        "height": f"{low:g} px and more" if np.isinf(high) else f"{low:g} to {high:g} px", "place": place_of(xyxy.tolist(), outcome.size_wh),
        "brightness": list(BINS["brightness"])[sum(brightness >= limit for limit in GREYS)], "session": item.session,
    }  # fmt: skip


def next_images(vectors: list[Case], alarms: list[Case], threshold: float) -> list[str]:
    """What to capture, worst first.

    Everything where few Vectors are found at all, kinds of which clearly fewer are found than of all, and sessions where nothing looks like a Vector;
    beside that what more images do not mend (a high threshold, loose labels), and of which kinds there are too few Vectors to say anything.
    """
    found = [case.score > threshold for case in vectors]
    overall = float(np.mean(found)) if found else 0.0
    rows = (
        [f"more of everything: only {sum(found)} of {len(found)} Vectors found"]
        if found and overall < FEW
        else []
    )
    rows += _hidden(vectors, threshold)
    weak = []
    for kind in ("height", "place", "brightness"):
        for name, some in _groups(vectors, kind).items():
            recall = float(np.mean([case.score > threshold for case in some]))
            if len(some) >= ENOUGH and recall < overall - WEAK:
                weak.append(
                    (
                        recall,
                        f"Vectors {_words(kind, name)}: {recall:.0%} of {len(some)} found, {overall:.0%} of all",
                    )
                )
    rows += [text for _, text in sorted(weak)]
    noisy = sorted(
        ((len(some), session) for session, some in _groups(alarms, "session").items()), reverse=True
    )
    rows += [
        f"the surroundings of {session} without a Vector (capture --negatives): {number} false positives there"
        for number, session in noisy[:3]
    ]
    loose = [case for case in vectors if case.score > threshold and case.iou < LOOSE_IOU]
    if found and len(loose) > 0.25 * max(1, sum(found)):
        rows.append(
            f"nothing, before labels are looked through: {len(loose)} of {sum(found)} boxes found fit their label below IoU {LOOSE_IOU}"
        )
    return rows + _untold(vectors)


def _hidden(vectors: list[Case], threshold: float) -> list[str]:
    """A sentence on misses that the model sees: their boxes fit, and only the threshold is above their score."""
    missed = [case.score for case in vectors if case.score <= threshold]
    hidden = [score for score in missed if score > MIN_SCORE]
    if not hidden:
        return []
    span = f"{min(hidden):.2f} to {max(hidden):.2f}" if len(hidden) > 1 else f"{hidden[0]:.2f}"
    return [
        f"nothing for {len(hidden)} of {len(missed)} misses: a box fits (IoU {MATCH_IOU} or more) and scores {span}, so the threshold of {threshold:.2f} "
        "hides them, not the images (trained with more --backgrounds, a model gets a lower one)"
    ]  # fmt: skip


def _untold(vectors: list[Case]) -> list[str]:
    """A sentence on the kinds that have too few Vectors here to say how well they are found."""
    few = [
        f"{_words(kind, name)} ({len(some)})"
        for kind in ("height", "place", "brightness") for name, some in _groups(vectors, kind).items() if len(some) < ENOUGH
    ]  # fmt: skip
    return (
        [
            f"more to measure with, for fewer than {ENOUGH} Vectors do not tell how well they are found: {', '.join(few)}"
        ]
        if few
        else []
    )


def _words(kind: str, name: str) -> str:
    if kind == "height":
        return f"{name} high"
    return BINS[kind].get(name, name)


def _groups(some: list[Case], kind: str) -> dict[str, list[Case]]:
    """By the value of one kind, in its usual order."""
    groups = defaultdict(list)
    for case in some:
        groups[case.bins[kind]].append(case)
    order = {name: i for i, name in enumerate(BINS.get(kind, ()))}
    if kind == "height":
        return dict(sorted(groups.items(), key=lambda pair: float(pair[0].split()[0])))
    return dict(sorted(groups.items(), key=lambda pair: (order.get(pair[0], 99), pair[0])))


def write_report(path: Path, figures: dict, dataset: Dataset, outcomes: list[Outcome]) -> dict:
    """Write the page.

    Args:
        figures: as `evaluate` tells them.

    Returns:
        {"report", "misses", "false_boxes", "loose_boxes", "capture_next": [...]}
    """
    threshold = figures["threshold"]
    vectors, alarms = cases(dataset, outcomes, threshold)
    misses = sorted((case for case in vectors if case.score <= threshold), key=lambda case: -case.height_px)
    loose = sorted(
        (case for case in vectors if case.score > threshold and case.iou < LOOSE_IOU),
        key=lambda case: case.iou,
    )
    alarms.sort(key=lambda case: -case.score)
    wanted = next_images(vectors, alarms, threshold)
    tables = [f"<div><h3>By {kind}</h3>{_table(vectors, alarms, kind, threshold)}</div>" for kind in KINDS]
    pages.write_page(path, f"{figures['model']} on {dataset.folder.resolve().name}, {dataset.split}", [
        _summary(figures, misses, alarms),
        pages.section("What to capture next", f"<ul>{''.join(f'<li>{line}</li>' for line in wanted)}</ul>" if wanted else "<p>Nothing stands out.</p>"),
        pages.section("Where it fails", f"<div class=tables>{''.join(tables)}</div>", "A false positive counts where it lies, with its own height."),
        _sheet("Missed", misses, threshold, "Largest first, for they should be the easiest. White: the label; green: what was said above the threshold.",
               lambda case: f"{case.height_px:.0f} px high, " + (f"score {case.score:.2f}" if case.score > 0 else f"no box with IoU {MATCH_IOU}")),
        _sheet("False positives", alarms, threshold, "Best score first; red: the false positive.", lambda case: f"score {case.score:.2f}, {case.height_px:.0f} px high"),
        _sheet("Found, but loosely", loose, threshold, f"Boxes that fit their label below IoU {LOOSE_IOU}; look at the label, too.",
               lambda case: f"IoU {case.iou:.2f}, {case.height_px:.0f} px high"),
    ])  # fmt: skip
    return {
        "report": str(path),
        "misses": len(misses),
        "false_boxes": len(alarms),
        "loose_boxes": len(loose),
        "capture_next": wanted,
    }


def _summary(figures: dict, misses: list[Case], alarms: list[Case]) -> str:
    def show(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    rows = [("images", "Vectors", "AP50", "AP50-95", "threshold", "precision", "recall", "missed", "false positives"),
            (figures["images"], figures["boxes"], show(figures["ap50"]), show(figures["ap50_95"]), f"{figures['threshold']:.2f}", show(figures["precision"]),
             show(figures["recall"]), len(misses), len(alarms))]  # fmt: skip
    return pages.table(rows)


def _table(vectors: list[Case], alarms: list[Case], kind: str, threshold: float) -> str:
    of_vectors, of_alarms = _groups(vectors, kind), _groups(alarms, kind)
    rows = [(kind, "Vectors", "found", "recall", "mean IoU", "false positives")]
    names = list(of_vectors) + [name for name in of_alarms if name not in of_vectors]
    if kind == "session":  # those with most to tell; hundreds of sessions are no help
        names = sorted(
            names,
            key=lambda name: (
                -(sum(c.score <= threshold for c in of_vectors.get(name, ())) + len(of_alarms.get(name, ())))
            ),
        )[:12]
    for name in names:
        some = of_vectors.get(name, [])
        found = [case for case in some if case.score > threshold]
        recall, iou = (
            (f"{len(found) / len(some):.2f}" if some else "-"),
            (f"{np.mean([case.iou for case in found]):.2f}" if found else "-"),
        )
        rows.append((name, len(some), len(found), recall, iou, len(of_alarms.get(name, ()))))
    return pages.table(rows)


def _sheet(title: str, some: list[Case], threshold: float, note: str, says: Callable[[Case], str]) -> str:
    if not some:
        return pages.section(title, "<p class=good>None.</p>")
    shown = []
    for case in some[:SHOWN]:
        outcome = case.outcome
        said = outcome.predicted_xyxy[outcome.scores > threshold]
        boxes = [(outcome.boxes_xyxy, TRUTH), (said, FOUND)] + (
            [(case.xyxy, FALSE)] if case.iou is None else []
        )
        shown.append(
            pages.image(case.item.image(), boxes, f"{case.item.session}/{case.item.name}: {says(case)}")
        )
    return pages.section(
        f"{title}: {len(some)}",
        pages.sheet(shown),
        note + (f" The first {SHOWN} of {len(some)}." if len(some) > SHOWN else ""),
    )
