"""What is counted: COCO's average precision, and precision, recall and false alarms at a threshold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from vector_tl.data.boxes import iou_matrix, to_xywh

MATCH_IOU = 0.5
AP_SCORE = 0.01  # AP uses all boxes above this score
MAX_BOXES = 100  # of an image, as COCO counts
HEIGHT_EDGES_PX = (0, 24, 48, 96, 192, math.inf)
HEIGHT_LINES = 360  # heights are those in an image of so many lines, the robot's own


@dataclass(frozen=True)
class Outcome:
    """An image's ground-truth boxes (N, 4) and those predicted (M, 4) with scores (M,), best first; all in pixels of that image."""

    size_wh: tuple[int, int]
    boxes_xyxy: np.ndarray
    predicted_xyxy: np.ndarray
    scores: np.ndarray


def average_precision(outcomes: Sequence[Outcome]) -> tuple[float | None, float | None]:
    """COCO's AP at IoU .5 and its mean over IoU .5 to .95; None where no image has a box."""
    truths, predictions = [], []
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
        for box, score in zip(to_xywh(outcome.predicted_xyxy).tolist(), outcome.scores.tolist(), strict=True):
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


def match(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Greedy matching, best score first: each prediction takes the free ground-truth box it covers best, if by IoU >= .5.

    A threshold only cuts the end of the list, so one matching serves every threshold.

    Returns:
        For each ground-truth box the score of its match, -1 where it has none (N,); for each prediction whether it has a match (M,).
    """
    iou = iou_matrix(outcome.predicted_xyxy, outcome.boxes_xyxy)  # (M, N)
    found_at, hit = np.full(len(outcome.boxes_xyxy), -1.0), np.zeros(len(outcome.scores), bool)
    for row in np.argsort(-outcome.scores, kind="stable") if len(found_at) else ():
        free = np.where(found_at < 0, iou[row], -1.0)
        best = int(free.argmax())
        if free[best] >= MATCH_IOU:
            found_at[best], hit[row] = outcome.scores[row], True
    return found_at, hit


def count_false_positives(outcomes: Sequence[Outcome], threshold: float) -> int:
    """How many boxes above the threshold match no true one."""
    return sum(int((~match(o)[1] & (o.scores > threshold)).sum()) for o in outcomes)


def measure(outcomes: Sequence[Outcome], threshold: float) -> dict:
    """All figures of an evaluation; what is undefined is None.

    Returns:
        {"images", "boxes", "ap50", "ap50_95", "threshold", "precision", "recall", "false_positives_per_image", "recall_by_height_px"}
    """
    ap50, ap50_95 = average_precision(outcomes)
    matches = [match(outcome) for outcome in outcomes]
    found = np.concatenate(
        [found_at > threshold for found_at, _ in matches] or [np.zeros(0, bool)]
    )  # one for each ground-truth box
    hits = np.concatenate(
        [hit[o.scores > threshold] for (_, hit), o in zip(matches, outcomes, strict=True)]
        or [np.zeros(0, bool)]
    )
    heights = np.concatenate(
        [(o.boxes_xyxy[:, 3] - o.boxes_xyxy[:, 1]) * HEIGHT_LINES / o.size_wh[1] for o in outcomes]
        or [np.zeros(0)]
    )
    by_height = []
    for low, high in pairwise(HEIGHT_EDGES_PX):
        chosen = found[(heights >= low) & (heights < high)]
        by_height.append(
            {
                "min": low,
                "max": high if math.isfinite(high) else None,
                "boxes": len(chosen),
                "recall": _share(chosen),
            }
        )
    return {
        "images": len(outcomes), "boxes": len(found), "ap50": ap50, "ap50_95": ap50_95, "threshold": threshold,
        "precision": _share(hits), "recall": _share(found), "false_positives_per_image": float((~hits).sum()) / len(outcomes) if outcomes else None,
        "recall_by_height_px": by_height,
    }  # fmt: skip


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if len(flags) else None
