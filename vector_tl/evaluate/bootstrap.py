"""How far chance alone moves an AP: COCO's average precision over sessions drawn again and again, with replacement.

Images of one session look alike, so whole sessions are drawn, not images (cluster bootstrap; Efron and Tibshirani, 1993, chapter 8).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from vector_tl.data.boxes import iou_matrix
from vector_tl.evaluate.metrics import AP_SCORE, MAX_BOXES, Outcome

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
FEWEST_SESSIONS = 5  # that four of them all point one way happens by chance in 12 % of cases; an interval of so few would be no 95 %


@dataclass(frozen=True)
class Matched:
    """All predictions of some images, best first: image (M,), right at each IoU (10, M); and the ground-truth boxes of each image (N,)."""

    image: np.ndarray
    right: np.ndarray
    boxes: np.ndarray


def match_all(outcomes: Sequence[Outcome]) -> Matched:
    """Match once what every resampling then counts: as COCO does, best score first, each taking the free ground-truth box that it covers best."""
    scores, images, right = [], [], []
    for number, outcome in enumerate(outcomes):
        order = [
            i for i in np.argsort(-outcome.scores, kind="stable")[:MAX_BOXES] if outcome.scores[i] > AP_SCORE
        ]
        iou = iou_matrix(outcome.predicted_xyxy[order], outcome.boxes_xyxy)  # (m, n)
        hits = np.zeros((len(IOUS), len(order)), bool)
        for level, least in enumerate(IOUS):
            taken = np.zeros(len(outcome.boxes_xyxy), bool)
            for row in range(len(order) if len(taken) else 0):
                free = np.where(taken, -1.0, iou[row])
                best = int(free.argmax())
                if free[best] >= least - 1e-10:
                    taken[best] = hits[level, row] = True
        scores.append(outcome.scores[order])
        images.append(np.full(len(order), number))
        right.append(hits)
    if not outcomes:
        return Matched(np.zeros(0, int), np.zeros((len(IOUS), 0), bool), np.zeros(0, int))
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    return Matched(
        np.concatenate(images)[order],
        np.concatenate(right, axis=1)[:, order],
        np.array([len(o.boxes_xyxy) for o in outcomes]),
    )


def weighted_ap(matched: Matched, weights: np.ndarray) -> tuple[float | None, float | None]:
    """AP50 and AP50-95 where image i counts `weights[i]` times (N,); None without any ground-truth box."""
    total = float((matched.boxes * weights).sum())
    if total == 0:
        return None, None
    weight = weights[matched.image]
    hits = np.cumsum(matched.right * weight, axis=1)  # (10, M)
    shown = np.maximum(np.cumsum(weight), 1e-12)
    precision = np.maximum.accumulate((hits / shown)[:, ::-1], axis=1)[:, ::-1]
    values = np.zeros((len(IOUS), len(RECALLS)))
    for level in range(len(IOUS)):
        at = np.searchsorted(hits[level] / total, RECALLS)
        inside = at < precision.shape[1]
        values[level, inside] = precision[level, at[inside]]
    return float(values[0].mean()), float(values.mean())


def draws(sessions: Sequence[str], count: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each image is drawn, (count, N): as many sessions as there are, with replacement."""
    names, index = np.unique(np.asarray(sessions), return_inverse=True)
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[index]
            for _ in range(count)
        ]
    )


def showing_vectors(sessions: Sequence[str], matched: Matched) -> int:
    """How many sessions have a ground-truth box: by those an AP is told."""
    return len({session for session, boxes in zip(sessions, matched.boxes, strict=True) if boxes})


def interval(
    values: Sequence[float | None], sessions: int, share: float = 0.95
) -> tuple[float, float] | None:
    """The middle `share` of what draws from so many sessions gave, undefined ones (None, NaN) left out; None where they are too few to tell.

    Draws from few sessions differ too little, so it is widened to what Student's t would give (expanded percentile interval; Hesterberg, 2015, What
    teachers should know about the bootstrap, section 5.3).
    """
    known = np.array([np.nan if value is None else value for value in values])
    known = known[~np.isnan(known)]
    if sessions < FEWEST_SESSIONS or not len(known):
        return None
    tail = ndtr(np.sqrt(sessions / (sessions - 1)) * stdtrit(sessions - 1, (1 - share) / 2))
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)
