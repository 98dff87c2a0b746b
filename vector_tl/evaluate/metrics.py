"""Metrics: COCO's average precision, and precision, recall and false positives at a confidence threshold."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from vector_tl.data.boxes import iou_matrix, sides, to_xywh

MATCH_IOU = 0.5
AP_SCORE = 0.01  # AP uses all boxes above this score
MAX_BOXES = 100  # of an image; COCO counts no more
HEIGHT_LINES = 360  # heights are scaled to an image of so many lines, as the robot's camera gives
HEIGHT_EDGES_PX = (0, 24, 48, 96, 192, math.inf)


@dataclass(frozen=True)
class Outcome:
    """A detector's outcome on an image.

    Attributes:
        size_wh: of the image.
        boxes_xyxy: ground-truth boxes (N, 4) in pixels of the image.
        predicted_xyxy: predicted boxes (M, 4), best first.
        scores: their scores (M,).
        own_scores: the network's own scores (M,) where `scores` are calibrated; AP is taken on these.
    """

    size_wh: tuple[int, int]
    boxes_xyxy: np.ndarray
    predicted_xyxy: np.ndarray
    scores: np.ndarray
    own_scores: np.ndarray | None = None

    @property
    def ap_scores(self) -> np.ndarray:
        """The scores (M,) that AP is taken on."""
        return self.scores if self.own_scores is None else self.own_scores


def calibrate(outcomes: Sequence[Outcome], calibration: Callable[[np.ndarray], np.ndarray]) -> list[Outcome]:
    """Outcomes with the network's own scores, now with calibrated ones beside them."""
    return [replace(o, scores=calibration(o.scores), own_scores=o.scores) for o in outcomes]


def average_precision(outcomes: Sequence[Outcome]) -> tuple[float | None, float | None]:
    """COCO's AP50 (at IoU .5) and AP50-95 (the mean over IoU .5 to .95 in steps of .05).

    Both are None where no image has a ground-truth box.
    """
    truths: list[dict[str, Any]] = []
    predictions: list[dict[str, Any]] = []
    for image_id, outcome in enumerate(outcomes, 1):
        for box in to_xywh(outcome.boxes_xyxy).tolist():
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
        boxes = to_xywh(outcome.predicted_xyxy).tolist()
        for box, score in zip(boxes, outcome.ap_scores.tolist(), strict=True):
            if score > AP_SCORE:
                predictions.append({"image_id": image_id, "category_id": 1, "bbox": box, "score": score})
    if not truths:
        return None, None
    if not predictions:
        return 0.0, 0.0
    images = [{"id": i, "width": o.size_wh[0], "height": o.size_wh[1]} for i, o in enumerate(outcomes, 1)]
    truth = COCO({"images": images, "annotations": truths, "categories": [{"id": 1, "name": "vector"}]})
    coco = COCOeval_faster(truth, truth.loadRes(predictions), "bbox", print_function=lambda *_: None)
    coco.params.maxDets = [1, 10, MAX_BOXES]
    coco.evaluate()
    coco.accumulate()
    coco.summarize()
    return float(coco.stats[1]), float(coco.stats[0])


def match_greedily(iou: np.ndarray, min_iou: float) -> np.ndarray:
    """Match predictions to ground-truth boxes: each, best first, takes the free box that it covers best.

    Args:
        iou: (M, N) of M predictions, best first, with N ground-truth boxes.
        min_iou: below it there is no match.

    Returns:
        (M,): the ground-truth box of each prediction, -1 where it has none.
    """
    match_of, free = np.full(len(iou), -1), np.ones(iou.shape[1], bool)
    for row in range(len(iou)) if len(free) else ():
        best = int(np.where(free, iou[row], -1.0).argmax())
        if free[best] and iou[row, best] >= min_iou:
            match_of[row], free[best] = best, False
    return match_of


def match(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Match an image's predictions, best score first, at IoU >= .5.

    A threshold only cuts the end of the list, so one matching serves every threshold.

    Returns:
        For each ground-truth box the score of its match, -1 where it has none (N,); for each prediction
        whether it has a match (M,).
    """
    order = np.argsort(-outcome.scores, kind="stable")
    match_of = match_greedily(iou_matrix(outcome.predicted_xyxy[order], outcome.boxes_xyxy), MATCH_IOU)
    # of the scores' own type, or a threshold may lie between a score and its copy
    found_at = np.full(len(outcome.boxes_xyxy), -1.0, outcome.scores.dtype)
    found_at[match_of[match_of >= 0]] = outcome.scores[order][match_of >= 0]
    matched = np.zeros(len(order), bool)
    matched[order] = match_of >= 0
    return found_at, matched


def count_false_positives(outcomes: Sequence[Outcome], threshold: float) -> int:
    """How many boxes above the threshold match no ground-truth box."""
    return sum(int((~match(o)[1] & (o.scores > threshold)).sum()) for o in outcomes)


def measure(outcomes: Sequence[Outcome], threshold: float) -> dict[str, Any]:
    """All figures of an evaluation; what is undefined is None.

    Returns:
        {"images", "boxes", "ap50", "ap50_95", "threshold", "precision", "recall",
        "false_positives_per_image", "recall_by_height_px": [{"min", "max", "boxes", "recall"}]}
    """
    ap50, ap50_95 = average_precision(outcomes)
    matches = [match(outcome) for outcome in outcomes]
    # whether each ground-truth box was found, its height, and whether each box above the threshold is true
    found = _joined([found_at > threshold for found_at, _ in matches], bool)
    heights = _joined([sides(o.boxes_xyxy)[:, 1] * HEIGHT_LINES / o.size_wh[1] for o in outcomes], float)
    true = _joined(
        [matched[o.scores > threshold] for (_, matched), o in zip(matches, outcomes, strict=True)], bool
    )
    by_height = []
    for low, high in pairwise(HEIGHT_EDGES_PX):
        chosen = found[(heights >= low) & (heights < high)]
        until = high if math.isfinite(high) else None
        by_height.append({"min": low, "max": until, "boxes": len(chosen), "recall": _share(chosen)})
    return {
        "images": len(outcomes),
        "boxes": len(found),
        "ap50": ap50,
        "ap50_95": ap50_95,
        "threshold": threshold,
        "precision": _share(true),
        "recall": _share(found),
        "false_positives_per_image": float((~true).sum()) / len(outcomes) if outcomes else None,
        "recall_by_height_px": by_height,
    }


def _joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if len(flags) else None
