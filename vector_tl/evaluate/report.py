"""`vector-tl evaluate --report`: where a model fails, as images, and what to capture next."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vector_tl.data.boxes import iou_matrix
from vector_tl.data.coverage import BINS, GREYS, place_of
from vector_tl.data.dataset import Dataset, Item
from vector_tl.evaluate.kind_table import kind_rows
from vector_tl.evaluate.metrics import HEIGHT_EDGES_PX, HEIGHT_LINES, MATCH_IOU, Outcome, match
from vector_tl.evaluate.recorded import RecordedDataset
from vector_tl.evaluate.reliability import reliability, reliability_plot
from vector_tl.plain import counted
from vector_tl.web import pages
from vector_tl.web.report import WHITE, Illustration, Sheet, decimals, draw_boxes

MAX_IMAGES = 24  # of a sheet
MAX_SESSIONS = 12  # in the table by session
MAX_NOISY = 3  # sessions that are named because of their false positives
BAD_FIT_IOU = 0.75  # a box that fits its label worse is shown among the badly fitting ones
BAD_FIT_SHARE = 0.25  # of the boxes: so many that labels should be looked at before anything is captured
MIN_VECTORS = 8  # of a kind, before its recall says anything
LOW_RECALL = 0.5  # below it, images of every kind are wanted, whichever kind is found least
MIN_SCORE = 0.5  # a missed Vector with a surer box than this is seen, and only hidden by the threshold
WEAK = 0.1  # recall this far below that of all Vectors asks for more images of the kind
FOUND, LABEL, FALSE_POSITIVE = "#0b8a7a", WHITE, "#ff5a4f"
KINDS = ("height", "place", "brightness", "session")


@dataclass(frozen=True)
class Case:
    """A labelled Vector or a false positive: its box, what kind it is of, and what the model found.

    Attributes:
        item: the image.
        outcome: labels and detections of the whole image.
        xyxy: the label's box (4,), or the false positive's, in pixels.
        bins: for each of `KINDS` the bin that it falls into.
        score: of the box that matches the label, -1 where there is none; or of the false positive.
        iou: with the best box above the threshold; 0 for a false positive.
        false_positive: whether it is one.
    """

    item: Item
    outcome: Outcome
    xyxy: np.ndarray
    bins: dict[str, str]
    score: float
    iou: float
    false_positive: bool = False

    @property
    def height_px(self) -> float:
        """In an image of 360 lines."""
        return _height_px(self.xyxy, self.outcome)


def cases(
    dataset: Dataset | RecordedDataset, outcomes: list[Outcome], threshold: float
) -> tuple[list[Case], list[Case]]:
    """All labelled Vectors, and all false positives: boxes above the threshold that match no label."""
    vectors, false_positives = [], []
    for item, outcome in zip(dataset.items, outcomes, strict=True):
        brightness = float(cv2.cvtColor(item.image(), cv2.COLOR_RGB2GRAY).mean())
        scores, matched = match(outcome)
        above = outcome.scores > threshold
        ious = iou_matrix(outcome.boxes_xyxy, outcome.predicted_xyxy[above]).max(axis=1, initial=0.0)
        for box, score, iou in zip(outcome.boxes_xyxy, scores, ious, strict=True):
            bins = _bins(item, outcome, box, brightness)
            vectors.append(Case(item, outcome, box, bins, float(score), float(iou)))
        for number in np.flatnonzero(above & ~matched):
            box = outcome.predicted_xyxy[number]
            bins = _bins(item, outcome, box, brightness)
            false_positives.append(Case(item, outcome, box, bins, float(outcome.scores[number]), 0.0, True))
    return vectors, false_positives


def _height_px(xyxy: np.ndarray, outcome: Outcome) -> float:
    return float(xyxy[3] - xyxy[1]) * HEIGHT_LINES / outcome.size_wh[1]


def _bins(item: Item, outcome: Outcome, xyxy: np.ndarray, brightness: float) -> dict[str, str]:
    step = int(np.searchsorted(HEIGHT_EDGES_PX, _height_px(xyxy, outcome), side="right"))
    low, high = HEIGHT_EDGES_PX[step - 1], HEIGHT_EDGES_PX[step]
    return {
        "height": f"{low:g} px and more" if np.isinf(high) else f"{low:g} to {high:g} px",
        "place": place_of(xyxy.tolist(), outcome.size_wh),
        "brightness": list(BINS["brightness"])[sum(brightness >= limit for limit in GREYS)],
        "session": item.session,
    }


# -- what to capture next ---------------------------------------------------------------------------------


def next_images(vectors: list[Case], false_positives: list[Case], threshold: float) -> list[str]:
    """What to capture, most urgent first.

    Everything where few Vectors are found at all; kinds of which clearly fewer are found than of all; and
    sessions with false positives. Beside that what more images do not mend (a high threshold, badly fitting
    labels), and kinds with too few Vectors to say anything.
    """
    found = [case for case in vectors if case.score > threshold]
    recall = len(found) / len(vectors) if vectors else 0.0
    rows = []
    if vectors and recall < LOW_RECALL:
        rows.append(f"more of everything: only {len(found)} of {counted(len(vectors), 'Vector')} found")
    rows += _hidden(vectors, threshold)
    weak, few = [], []
    for kind in ("height", "place", "brightness"):
        for name, some in _groups(vectors, kind).items():
            words = f"{name} high" if kind == "height" else BINS[kind].get(name, name)
            share = float(np.mean([case.score > threshold for case in some]))
            if len(some) < MIN_VECTORS:
                few.append(f"{words} ({len(some)})")
            elif share < recall - WEAK:
                weak.append(
                    (share, f"Vectors {words}: {share:.0%} of {len(some)} found, {recall:.0%} of all")
                )
    rows += [text for _, text in sorted(weak)]
    noisy = sorted(
        ((len(some), name) for name, some in _groups(false_positives, "session").items()), reverse=True
    )
    rows += [
        f"the surroundings of session {session} without a Vector (vector-tl capture --negatives): "
        f"{counted(number, 'false positive')} there"
        for number, session in noisy[:MAX_NOISY]
    ]
    badly = [case for case in found if case.iou < BAD_FIT_IOU]
    if len(badly) > BAD_FIT_SHARE * len(found):
        rows.append(
            "nothing before the labels are checked: "
            f"{len(badly)} of {counted(len(found), 'box', 'boxes')} found fit their label badly "
            f"(IoU below {BAD_FIT_IOU})"
        )
    if few:
        rows.append(
            f"more images to measure with, as fewer than {MIN_VECTORS} Vectors of a kind say little: "
            + ", ".join(few)
        )
    return rows


def _hidden(vectors: list[Case], threshold: float) -> list[str]:
    """A sentence on missed Vectors that the model sees: their boxes fit, but score below the threshold."""
    missed = [case.score for case in vectors if case.score <= threshold]
    hidden = [score for score in missed if score > MIN_SCORE]
    if not hidden:
        return []
    span = f"{min(hidden):.2f} to {max(hidden):.2f}" if len(hidden) > 1 else f"{hidden[0]:.2f}"
    return [
        f"nothing for {len(hidden)} of {counted(len(missed), 'missed Vector')}: "
        f"a box fits (IoU {MATCH_IOU} or more) "
        f"and scores {span}, below the confidence threshold of {threshold:.2f} (training with more "
        "--backgrounds gives a lower one)"
    ]


def _groups(some: list[Case], kind: str) -> dict[str, list[Case]]:
    """By the bin of one kind, in the bins' usual order."""
    groups = defaultdict(list)
    for case in some:
        groups[case.bins[kind]].append(case)
    if kind == "height":
        return dict(sorted(groups.items(), key=lambda pair: float(pair[0].split()[0])))
    order = {name: i for i, name in enumerate(BINS.get(kind, ()))}
    return dict(sorted(groups.items(), key=lambda pair: (order.get(pair[0], len(order)), pair[0])))


# -- the page ---------------------------------------------------------------------------------------------


def write_report(
    path: Path, figures: dict[str, Any], dataset: Dataset | RecordedDataset, outcomes: list[Outcome]
) -> dict[str, Any]:
    """Write the page.

    Args:
        path: its file.
        figures: those of `evaluate`.
        dataset: the images.
        outcomes: what the model found on each.

    Returns:
        {"report", "missed", "false_positives", "badly_fitting", "capture_next": [sentences]}

    Raises:
        UserError: the file cannot be written.
    """
    threshold = figures["threshold"]
    vectors, false_positives = cases(dataset, outcomes, threshold)
    missed = sorted((c for c in vectors if c.score <= threshold), key=lambda c: -c.height_px)
    badly = sorted((c for c in vectors if c.score > threshold and c.iou < BAD_FIT_IOU), key=lambda c: c.iou)
    false_positives.sort(key=lambda c: -c.score)
    wanted = next_images(vectors, false_positives, threshold)
    split = "all splits" if dataset.split == "all" else f"{dataset.split} split"
    pages.write_page(
        path,
        "evaluate/templates/report.html",
        title=f"{figures['model']} on {dataset.folder.resolve().name}, {split}",
        figures={
            "images": figures["images"],
            "Vectors": figures["boxes"],
            **{name: decimals(figures[key]) for name, key in (("AP50", "ap50"), ("AP50-95", "ap50_95"))},
            "threshold": decimals(threshold, 2),
            **{name: decimals(figures[name]) for name in ("precision", "recall")},
            "missed": len(missed),
            "false positives": len(false_positives),
        },
        wanted=wanted,
        kinds=kind_rows({figures["model"]: figures["kinds"]}),
        reliability=reliability_plot(reliability(outcomes)) if outcomes else None,
        tables={
            _heading(kind, vectors, false_positives): _table(vectors, false_positives, kind, threshold)
            for kind in KINDS
        },
        sheets=_sheets(missed, false_positives, badly, threshold),
    )
    return {
        "report": str(path),
        "missed": len(missed),
        "false_positives": len(false_positives),
        "badly_fitting": len(badly),
        "capture_next": wanted,
    }


def _heading(kind: str, vectors: list[Case], false_positives: list[Case]) -> str:
    """Of a table; where it shows the worst sessions only, it says so, as its figures are not all."""
    sessions = len({case.bins["session"] for case in (*vectors, *false_positives)})
    more = kind == "session" and sessions > MAX_SESSIONS
    return f"By {kind}" + f", the worst {MAX_SESSIONS} of {sessions}" * more


def _table(
    vectors: list[Case], false_positives: list[Case], kind: str, threshold: float
) -> list[Sequence[Any]]:
    of_vectors, of_false = _groups(vectors, kind), _groups(false_positives, kind)
    rows: list[Sequence[Any]] = []
    for name in {**of_vectors, **of_false}:
        some = of_vectors.get(name, [])
        ious = [case.iou for case in some if case.score > threshold]
        recall = f"{len(ious) / len(some):.2f}" if some else "-"
        iou = f"{np.mean(ious):.2f}" if ious else "-"
        rows.append((name, len(some), len(ious), recall, iou, len(of_false.get(name, ()))))
    if (
        kind == "session"
    ):  # those with most missed Vectors and false positives; hundreds of sessions are no help
        rows = sorted(rows, key=lambda row: row[2] - row[1] - row[5])[:MAX_SESSIONS]
    return [(kind, "Vectors", "found", "recall", "mean IoU", "false positives"), *rows]


def _sheets(
    missed: list[Case], false_positives: list[Case], badly: list[Case], threshold: float
) -> list[Sheet]:
    def where(case: Case) -> str:
        return f"{case.height_px:.0f} px high"

    def why_missed(case: Case) -> str:
        score = f"score {case.score:.2f}" if case.score > 0 else f"no box with IoU {MATCH_IOU}"
        return f"{where(case)}, {score}"

    return [
        _sheet(
            "Missed",
            missed,
            threshold,
            "Largest first: they should be the easiest. White: label; green: boxes above the threshold.",
            why_missed,
        ),
        _sheet(
            "False positives",
            false_positives,
            threshold,
            "Highest score first. Red: the false positive.",
            lambda case: f"score {case.score:.2f}, {where(case)}",
        ),
        _sheet(
            "Found, but the box fits badly",
            badly,
            threshold,
            f"Boxes with an IoU below {BAD_FIT_IOU}. Look at the label, too: it may be what is wrong.",
            lambda case: f"IoU {case.iou:.2f}, {where(case)}",
        ),
    ]


def _sheet(title: str, some: list[Case], threshold: float, note: str, words: Callable[[Case], str]) -> Sheet:
    def image(case: Case) -> Illustration:
        outcome = case.outcome
        boxes = [(outcome.boxes_xyxy, LABEL), (outcome.predicted_xyxy[outcome.scores > threshold], FOUND)]
        boxes += [(case.xyxy, FALSE_POSITIVE)] if case.false_positive else []
        return draw_boxes(case.item.image(), boxes, f"{case.item.session}/{case.item.name}: {words(case)}")

    more = f" The first {MAX_IMAGES} of {len(some)}." if len(some) > MAX_IMAGES else ""
    return Sheet(f"{title}: {len(some)}", [image(case) for case in some[:MAX_IMAGES]], note + more)
