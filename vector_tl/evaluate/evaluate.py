"""`vector-tl evaluate`: what a model is worth on labelled pictures."""

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vector_tl.evaluate.metrics import at_threshold, average_precision
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.labels.dataset import load_dataset

log = logging.getLogger(__name__)
LOWEST_SCORE = 0.01  # AP counts all boxes from here
BATCH = 16

# pictures (list of uint8 (H, W, 3) RGB) -> for each boxes_xyxy (N, 4) and scores (N,)
Find = Callable[[list[np.ndarray]], Sequence[tuple[np.ndarray, np.ndarray]]]


def evaluate(settings: EvaluateSettings) -> dict:
    """Run a model over a split; the JSON of `vector-tl evaluate`.

    Raises:
        UserError: no such model, no such data, nothing labelled.
    """
    from vector_tl.detect.engine import load

    data = load_dataset(settings.data, settings.split)
    detector = load(settings.model, settings.device)
    threshold = detector.threshold if settings.threshold is None else settings.threshold
    if data.unlabelled:
        log.warning("%d pictures without a label file are left out", data.unlabelled)
    measured = measure(
        lambda pictures: [(d.boxes_xyxy, d.scores) for d in detector.batch(pictures, LOWEST_SCORE)],
        ((item.picture(), item.boxes_xyxy) for item in data.items), threshold,
    )
    return {"model": detector.name, "arch": detector.arch, "init": detector.init} | measured


def measure(find: Find, labelled: Iterable[tuple[np.ndarray, Callable[[tuple[int, int]], np.ndarray]]], threshold: float) -> dict:
    """Figures of any detector.

    Args:
        find: takes a list of pictures and gives boxes and scores (from .01) for each.
        labelled: pictures with, for each, a function from its size to its true boxes (N, 4) in pixels.
    """
    truth, boxes, scores, sizes = [], [], [], []
    batch: list[np.ndarray] = []

    def flush():
        for b, s in find(batch):
            boxes.append(np.asarray(b, np.float32).reshape(-1, 4))
            scores.append(np.asarray(s, np.float32))
        batch.clear()

    for picture, true_boxes in labelled:
        size = (picture.shape[1], picture.shape[0])
        sizes.append(size)
        truth.append(true_boxes(size))
        batch.append(picture)
        if len(batch) == BATCH:
            flush()
    if batch:
        flush()
    ap50, ap = average_precision(truth, boxes, scores, sizes)
    return {"images": len(truth), "boxes": sum(map(len, truth)), "ap50": ap50, "ap50_95": ap, "threshold": threshold} | at_threshold(
        truth, boxes, scores, [h for _, h in sizes], threshold
    )
