"""Outcomes of a model on images with one Vector or none."""

import numpy as np

from vector_tl.evaluate.metrics import Outcome

BOX = np.float32([[0, 0, 9, 9]])


def without(*scores: float) -> Outcome:
    """An image without a Vector, with false positives."""
    boxes = np.float32([[12 * n, 0, 12 * n + 9, 9] for n in range(len(scores))]).reshape(-1, 4)
    return Outcome((64, 36), np.zeros((0, 4)), boxes, np.float32(sorted(scores, reverse=True)))


def with_vector(score: float, wrong: float | None = None) -> Outcome:
    """An image with a Vector that is found, and perhaps a false positive."""
    if wrong is None:
        return Outcome((64, 36), BOX, BOX, np.float32([score]))
    boxes, scores = np.concatenate([BOX, BOX + [[30, 0, 30, 0]]]), np.float32([score, wrong])
    order = np.argsort(-scores)
    return Outcome((64, 36), BOX, boxes[order], scores[order])
