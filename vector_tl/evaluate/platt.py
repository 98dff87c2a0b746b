"""Platt scaling: the calibration that fits what a model saw in labelled images; see `nets.calibration`."""

from collections.abc import Sequence

import numpy as np

from vector_tl.evaluate.metrics import Outcome, match
from vector_tl.nets.calibration import UNCALIBRATED, Calibration, expit, logit

MIN_BOXES = 20  # right ones, and wrong ones; fewer say too little to calibrate by
MIN_SCALE, MAX_LOGIT = 0.05, 16.0  # of a calibration; float32 scores are 0 or 1 beyond these log-odds
MAX_STEPS, CLOSE = 100, 1e-10  # of Newton's method; the last step's size
SINGULAR = 1e-10  # the curvature's least share along a line; boxes that all have one score leave it none


def fit_calibration(outcomes: Sequence[Outcome]) -> Calibration:
    """The calibration with the greatest likelihood, with Platt's targets, which keep it from certainty.

    Scores stay as they are where too few boxes are right or wrong, or where a higher score does not mean that
    a box is right more often.

    Args:
        outcomes: with the network's own scores.
    """
    scores = np.concatenate([outcome.scores for outcome in outcomes] or [np.zeros(0)]).astype(np.float64)
    right = np.concatenate([match(outcome)[1] for outcome in outcomes] or [np.zeros(0, bool)])
    if min(right.sum(), (~right).sum()) < MIN_BOXES:
        return UNCALIBRATED
    odds = np.clip(logit(scores), -MAX_LOGIT, MAX_LOGIT)
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    scale, shift = _fit_line(odds, targets)
    return Calibration(scale, shift) if scale > MIN_SCALE else UNCALIBRATED


def _fit_line(odds: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Scale and shift of log-odds (N,) for which shares (N,) are likeliest: Newton's method, steps halved."""
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)  # (N, 2)

    def loss(line: np.ndarray) -> float:
        values = inputs @ line
        return float(np.sum(np.logaddexp(0, values) - targets * values))

    line = np.array([1.0, 0.0])
    for _ in range(MAX_STEPS):
        shares = expit(inputs @ line)
        slope = inputs.T @ (shares - targets)
        curvature = (inputs * (shares * (1 - shares))[:, None]).T @ inputs
        step = np.linalg.lstsq(curvature, -slope, rcond=SINGULAR)[0]
        now, size = loss(line), 1.0
        while size > CLOSE and loss(line + size * step) > now:
            size /= 2
        line = line + size * step
        if size * np.abs(step).max() < CLOSE:
            break
    scale, shift = line.tolist()
    return scale, shift
