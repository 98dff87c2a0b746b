"""How far chance alone moves COCO's average precision: sessions are drawn again and again, with replacement.

Images of one session look alike, so whole sessions are drawn, not images (cluster bootstrap; Efron and
Tibshirani, 1993, An introduction to the bootstrap, chapter 8).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from vector_tl.data.boxes import iou_matrix
from vector_tl.evaluate.metrics import AP_SCORE, MAX_BOXES, Outcome, match_greedily

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# four sessions all point one way by chance in 12 % of cases: too few for an interval of 95 %
MIN_SESSIONS = 5


@dataclass(frozen=True)
class Matched:
    """All predictions of some images, best first.

    Attributes:
        image: number of each prediction's image (M,).
        right: whether each prediction has a match, at each of `IOUS` (10, M).
        boxes: number of ground-truth boxes of each image (N,).
    """

    image: np.ndarray
    right: np.ndarray
    boxes: np.ndarray


def match_all(outcomes: Sequence[Outcome]) -> Matched:
    """Match once, as COCO does, what every resampling then counts."""
    scores, images, right = [], [], []
    for number, outcome in enumerate(outcomes):
        own_scores = outcome.ap_scores
        best = np.argsort(-own_scores, kind="stable")[:MAX_BOXES]
        best = best[own_scores[best] > AP_SCORE]
        iou = iou_matrix(outcome.predicted_xyxy[best], outcome.boxes_xyxy)  # (m, n)
        scores.append(own_scores[best])
        images.append(np.full(len(best), number))
        # as COCO does, an IoU may lie below its level by rounding
        right.append(np.stack([match_greedily(iou, level - 1e-10) >= 0 for level in IOUS]))  # (10, m)
    if not outcomes:
        return Matched(np.zeros(0, int), np.zeros((len(IOUS), 0), bool), np.zeros(0, int))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    boxes = np.array([len(o.boxes_xyxy) for o in outcomes])
    return Matched(np.concatenate(images)[order], np.concatenate(right, axis=1)[:, order], boxes)


def weighted_ap(matched: Matched, weights: np.ndarray) -> tuple[float | None, float | None]:
    """AP50 and AP50-95 where image i counts `weights[i]` times (N,); None without any ground-truth box."""
    total = float((matched.boxes * weights).sum())
    if total == 0:
        return None, None
    weight = weights[matched.image]  # (M,)
    true_positives = np.cumsum(matched.right * weight, axis=1)  # (10, M)
    predictions = np.maximum(np.cumsum(weight), 1e-12)  # (M,)
    # precision never rises with recall: each value is the best at that recall or a higher one
    precision = np.maximum.accumulate((true_positives / predictions)[:, ::-1], axis=1)[:, ::-1]
    values = np.zeros((len(matched.right), len(RECALLS)))
    for level in range(len(values)):
        at = np.searchsorted(true_positives[level] / total, RECALLS)
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
    """How many sessions have a ground-truth box; an AP rests on those alone."""
    return len({session for session, boxes in zip(sessions, matched.boxes, strict=True) if boxes})


def interval(
    values: Sequence[float | None], sessions: int, share: float = 0.95
) -> tuple[float, float] | None:
    """The interval that holds the middle `share` of an AP's values over draws of sessions.

    Draws from few sessions differ too little, so it is widened to what Student's t would give (expanded
    percentile interval; Hesterberg, 2015, What teachers should know about the bootstrap, section 5.3).

    Args:
        values: one for each draw; undefined ones (None, NaN) are left out.
        sessions: how many were drawn from.
        share: of the values.

    Returns:
        Low and high end; None for fewer than `MIN_SESSIONS` sessions or without any value.
    """
    known = np.array([np.nan if value is None else value for value in values])
    known = known[~np.isnan(known)]
    if sessions < MIN_SESSIONS or not len(known):
        return None
    tail = NormalDist().cdf(-math.sqrt(sessions / (sessions - 1)) * students_t(share, sessions - 1))
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)


def students_t(share: float, freedom: int) -> float:
    """The t below which the amount of Student's variable lies with that probability.

    SciPy has it too, at 140 MB.

    Args:
        share: the probability, from 0 to below 1.
        freedom: its degrees of freedom, 1 or more.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # halves down to the precision of a float
        middle = (low + high) / 2
        low, high = (middle, high) if _share_within(middle, freedom) < share else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _share_within(angle: float, freedom: int) -> float:
    """The probability of |t| < sqrt(freedom) tan(angle): Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4."""
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for number in range(1 + odd, freedom, 2):
        total += term
        term *= number / (number + 1) * math.cos(angle) ** 2
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total
