"""Suppression: which of a network's many boxes are shown, and where they are drawn.

It is here once for every backend and needs only NumPy: PyTorch's threads would spin on after a call and slow
the inference that follows. What a CUDA graph does itself, `drop_matrix`, works on tensors just as well.

A better box drops another one when they overlap, and when the other one lies nearly whole inside it (a head
inside its robot), which IoU alone allows. Both limits are of validation images of touching robots; see
docs/training.md.
"""

from typing import Any

import numpy as np

MAX_IOU = 0.45  # ground-truth boxes of touching robots overlap by less than .3
# of a box's area in a better one; at .7 a box around two touching robots dropped the robots themselves
MAX_SHARE_INSIDE = 0.9
BEST_SCORES, MAX_BOXES = 400, 100  # boxes of an image that are considered, and that are chosen
# how fast the weight of a box's vote falls with its IoU to the box that it votes for, and with its score
VOTE_SPREAD, VOTE_POWER = 0.05, 4

Array = Any
"""An array of NumPy or a tensor of PyTorch."""


def select_boxes(
    scores: np.ndarray, boxes: np.ndarray, threshold: float, max_boxes: int = MAX_BOXES
) -> tuple[np.ndarray, np.ndarray]:
    """Choose an image's boxes, best first, and move each to where its neighbours see it, too (`vote`).

    Args:
        scores: (A,) float32.
        boxes: (A, 4) xyxy float32 in 0..1.
        threshold: only boxes with a higher score are chosen.
        max_boxes: of the image.

    Returns:
        Boxes (n, 4) in 0..1 and their scores (n,).
    """
    if not (scores > threshold).any():  # so it is with most images while a robot searches
        return boxes[:0], scores[:0]
    best = np.argsort(-scores, kind="stable")[:BEST_SCORES]  # (K,)
    scores, boxes = scores[best], boxes[best]
    candidates = int((scores > threshold).sum())  # (C,), the first ones
    kept = np.flatnonzero(keep_greedily(drop_matrix(boxes[:candidates])))[:max_boxes]  # (n,)
    return vote(boxes[kept], scores[kept], boxes, scores), scores[kept]


def drop_matrix(
    boxes: Array, max_iou: float = MAX_IOU, max_inside: float = MAX_SHARE_INSIDE, xp: Any = np
) -> Array:
    """Which box drops which, if it is kept itself.

    Args:
        boxes: (..., K, 4), best first.
        max_iou: a better box drops those that overlap it by more.
        max_inside: and those of whose area a larger share lies inside it.
        xp: the library of `boxes`, numpy or torch.

    Returns:
        Mask (..., K, K), [i, j] where i drops j; only where i < j.
    """
    area = _areas(boxes)  # (..., K)
    shared = _shared_areas(boxes, boxes, xp)  # (..., K, K)
    union = area[..., :, None] + area[..., None, :] - shared
    return xp.triu((shared > max_iou * union) | (shared > max_inside * area[..., None, :]), 1)


def keep_again(drops: Array, candidates: Array, kept: Array) -> Array:
    """Keep the candidates that none of the kept ones drops.

    Repeated from `kept = candidates` on, every round settles at least one more link of each chain of boxes
    that drop each other. What a round leaves unchanged is what going through the boxes one after another,
    best first, would give: greedy suppression as a fixed point, without a loop over boxes.

    Args:
        drops: mask (..., K, K) from `drop_matrix`.
        candidates: mask (..., K).
        kept: mask (..., K).

    Returns:
        Mask (..., K).
    """
    return candidates & ~(drops & kept[..., None]).any(-2)


def keep_greedily(drops: np.ndarray) -> np.ndarray:
    """Best first, keep each box that no kept one before it drops: from (K, K) to (K,)."""
    candidates = np.ones(len(drops), bool)
    before = candidates
    kept: np.ndarray = keep_again(drops, candidates, candidates)
    while not np.array_equal(before, kept):
        before, kept = kept, keep_again(drops, candidates, kept)
    return kept


def vote(chosen: np.ndarray, chosen_scores: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Move each chosen box to the mean of all boxes that nearly cover it.

    The anchors around a robot err in different directions. A weight is exp(-(1 - IoU)^2 / .05) times the
    fourth power of the score as a share of the chosen one's, at most 1, so that a better neighbour does not
    draw another robot's box to itself: variance voting (He et al., 2019, arXiv:1809.08545) without the
    network's own guess of its error. A box without an area stays as it is.

    Args:
        chosen: boxes (n, 4).
        chosen_scores: their scores (n,), above 0.
        boxes: all boxes (K, 4).
        scores: their scores (K,).

    Returns:
        (n, 4), of the type of `chosen`.
    """
    shared = _shared_areas(chosen, boxes, np)  # (n, K)
    union = _areas(chosen)[:, None] + _areas(boxes) - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    share = np.minimum(scores / chosen_scores[:, None], 1)  # (n, K)
    weights = np.where(iou > 0, np.exp(-((1 - iou) ** 2) / VOTE_SPREAD) * share**VOTE_POWER, 0)
    total = weights.sum(axis=1, keepdims=True)  # (n, 1)
    return np.where(total > 0, weights @ boxes / np.where(total > 0, total, 1), chosen).astype(chosen.dtype)


def pairwise_iou(a: Array, b: Array, xp: Any = np) -> Array:
    """The IoU of each box of `a` (..., N, 4) with each of `b` (..., M, 4): (..., N, M).

    It is not a number where neither box has an area.
    """
    shared = _shared_areas(a, b, xp)
    return shared / (_areas(a)[..., :, None] + _areas(b)[..., None, :] - shared)


def _areas(boxes: Array) -> Array:
    """(..., N) of boxes (..., N, 4)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _shared_areas(a: Array, b: Array, xp: Any) -> Array:
    """The area that each box of `a` (..., N, 4) shares with each of `b` (..., M, 4): (..., N, M)."""
    a, b = a[..., :, None, :], b[..., None, :, :]
    wide = xp.minimum(a[..., 2], b[..., 2]) - xp.maximum(a[..., 0], b[..., 0])
    high = xp.minimum(a[..., 3], b[..., 3]) - xp.maximum(a[..., 1], b[..., 1])
    return wide.clip(0) * high.clip(0)
