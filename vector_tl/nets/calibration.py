"""Calibration: from a network's own score to how often a box with such a score is right.

Platt scaling of the score's log-odds (Platt, 1999, Probabilistic outputs for support vector machines; for
networks Guo et al., 2017, arXiv:1706.04599). The map is strictly increasing, so it changes no order of boxes
and no average precision.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Calibration:
    """Score -> expit(scale * logit(score) + shift), for scores from 0 to 1; `scale` is above 0."""

    scale: float = 1.0
    shift: float = 0.0

    def __call__(self, scores: ArrayLike) -> np.ndarray:
        """Calibrated scores, float64; unchanged where there is nothing to change."""
        if self == UNCALIBRATED:
            return np.asarray(scores)
        return expit(self.scale * logit(scores) + self.shift)

    def own_scores(self, calibrated: ArrayLike) -> np.ndarray:
        """The network's own scores that are mapped to calibrated ones, float64."""
        if self == UNCALIBRATED:
            return np.asarray(calibrated)
        return expit((logit(calibrated) - self.shift) / self.scale)


def logit(scores: ArrayLike) -> np.ndarray:
    """The log-odds of scores from 0 to 1, float64: of 0 minus infinity, of 1 infinity."""
    given = np.asarray(scores, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(given) - np.log1p(-given))


def expit(log_odds: ArrayLike) -> np.ndarray:
    """The inverse of `logit`, float64 in 0..1."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(log_odds, np.float64))))


UNCALIBRATED = Calibration()


def calibration_of(metadata: dict[str, Any]) -> Calibration:
    """The calibration that a model's metadata hold; of models without one, scores stay as they are."""
    given = metadata.get("calibration")
    return Calibration(float(given["scale"]), float(given["shift"])) if given else UNCALIBRATED
