"""COCO average precision, and what it hides: recall by size and false alarms at one threshold."""

import contextlib
import io
import math

import numpy as np

MATCH_IOU = 0.5
HEIGHT_EDGES_PX = (0, 24, 48, 96, 192, math.inf)  # of a picture scaled to 360 lines
REFERENCE_LINES = 360


def average_precision(truth: list[np.ndarray], boxes: list[np.ndarray], scores: list[np.ndarray], sizes_wh: list[tuple[int, int]]) -> tuple[float | None, float | None]:
    """AP at IoU .5 and the mean of AP at .5 to .95, as COCO defines them (by faster-coco-eval).

    Args:
        truth, boxes: for each picture (N, 4) xyxy in pixels.
        scores: for each picture (N,).
        sizes_wh: for each picture its size.

    Returns:
        None for both where there is no true box.
    """
    if not any(len(t) for t in truth):
        return None, None
    if not any(len(b) for b in boxes):
        return 0.0, 0.0
    from faster_coco_eval import COCO, COCOeval_faster

    images = [{"id": i + 1, "width": w, "height": h} for i, (w, h) in enumerate(sizes_wh)]
    annotations = [
        {"id": k + 1, "image_id": i + 1, "category_id": 1, "bbox": _xywh(box), "area": float((box[2] - box[0]) * (box[3] - box[1])), "iscrowd": 0}
        for k, (i, box) in enumerate((i, box) for i, picture in enumerate(truth) for box in picture)
    ]
    found = [
        {"image_id": i + 1, "category_id": 1, "bbox": _xywh(box), "score": float(score)}
        for i, (picture, own) in enumerate(zip(boxes, scores, strict=True)) for box, score in zip(picture, own, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "vector"}]})
        evaluation = COCOeval_faster(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return [x1, y1, x2 - x1, y2 - y1]


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4) xyxy."""
    a, b = np.asarray(a, np.float64).reshape(-1, 4), np.asarray(b, np.float64).reshape(-1, 4)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(truth: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Greedy matching, best score first: for each box (N,) the index of the true box it found at IoU >= .5, or -1."""
    iou, partner = iou_matrix(boxes, truth), np.full(len(boxes), -1)
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        if iou.shape[1] and (best := int(iou[i].argmax())) >= 0 and iou[i, best] >= MATCH_IOU:
            partner[i] = best
            iou[:, best] = -1.0
    return partner


def at_threshold(truth: list[np.ndarray], boxes: list[np.ndarray], scores: list[np.ndarray], heights: list[int], threshold: float) -> dict:
    """Precision, recall, false alarms a picture, and recall by height of the true box; None where nothing is there to count."""
    true_heights, found, alarms, shown = [], [], 0, 0
    for t, b, s, height in zip(truth, boxes, scores, heights, strict=True):
        keep = s >= threshold
        partner = match(t, b[keep], s[keep])
        shown += int(keep.sum())
        alarms += int((partner < 0).sum())
        hit = np.zeros(len(t), bool)
        hit[partner[partner >= 0]] = True
        found += hit.tolist()
        true_heights += ((t[:, 3] - t[:, 1]) * REFERENCE_LINES / height).tolist()
    true_heights, found = np.asarray(true_heights), np.asarray(found, bool)
    rows = []
    for low, high in zip(HEIGHT_EDGES_PX, HEIGHT_EDGES_PX[1:], strict=False):
        inside = (true_heights >= low) & (true_heights < high) if len(true_heights) else np.zeros(0, bool)
        rows.append({"min": low, "max": None if math.isinf(high) else high, "boxes": int(inside.sum()), "recall": float(found[inside].mean()) if inside.any() else None})
    return {
        "precision": (shown - alarms) / shown if shown else None,
        "recall": float(found.mean()) if len(found) else None,
        "false_alarms_per_image": alarms / len(truth) if truth else None,
        "recall_by_height_px": rows,
    }
