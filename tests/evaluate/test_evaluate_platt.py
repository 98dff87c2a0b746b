"""Platt scaling: calibrated scores say how often boxes are right, and are the likeliest ones."""

import numpy as np
import pytest

from support.outcomes import with_vector, without
from vector_tl.evaluate.metrics import Outcome, calibrate
from vector_tl.evaluate.platt import MIN_SCALE, fit_calibration
from vector_tl.evaluate.reliability import reliability
from vector_tl.nets.calibration import UNCALIBRATED, expit, logit

pytestmark = pytest.mark.fast


def drawn(count: int, seed: int) -> list[Outcome]:
    """Images of a model that is too sure of itself: a box with score s is right with less than s."""
    rng, outcomes = np.random.default_rng(seed), []
    for odds in rng.normal(0, 2.5, count):
        right = rng.random() < expit(0.6 * odds - 1)
        score = float(expit(odds))
        outcomes.append(with_vector(score) if right else without(score))
    return outcomes


def test_calibrated_scores_say_how_often_boxes_are_right():
    outcomes = drawn(4000, 0)
    calibration = fit_calibration(outcomes)
    assert (calibration.scale, calibration.shift) == pytest.approx((0.6, -1.0), abs=0.15)
    bins = reliability(calibrate(drawn(4000, 1), calibration))
    assert sum(b.boxes for b in bins) == 4000
    assert all(abs(b.right - b.confidence) < 0.08 for b in bins if b.boxes >= 100)
    raw = reliability(drawn(4000, 1))
    assert max(b.confidence - b.right for b in raw if b.boxes >= 100) > 0.2


@pytest.mark.parametrize(("count", "seed"), [(200, 3), (4000, 0)])
def test_it_is_the_likeliest_line(count, seed):
    minimize = pytest.importorskip("scipy.optimize", reason="SciPy is the oracle here").minimize
    outcomes = drawn(count, seed)
    odds = logit(np.concatenate([o.scores for o in outcomes]).astype(np.float64))
    right = np.array([len(o.boxes_xyxy) > 0 for o in outcomes])
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def loss(line):
        values = line[0] * odds + line[1]
        return np.sum(np.logaddexp(0, values) - targets * values)

    wanted = minimize(loss, [1.0, 0.0], bounds=[(MIN_SCALE, None), (None, None)], tol=1e-12).x
    found = fit_calibration(outcomes)
    assert (found.scale, found.shift) == pytest.approx(wanted.tolist(), abs=1e-4)
    assert loss((found.scale, found.shift)) <= loss(wanted) + 1e-9


@pytest.mark.parametrize("score", [0.0, 0.7, 1.0])
def test_boxes_of_one_score_get_the_share_that_is_right(score):
    calibration = fit_calibration([with_vector(score)] * 90 + [without(score)] * 30)
    assert calibration.scale > MIN_SCALE
    if 0 < score < 1:
        assert float(calibration(score)) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [with_vector(0.9)] * 50,  # none is wrong
        [with_vector(0.9)] * 10 + [without(0.2)] * 100,  # few are right
        [with_vector(0.2)] * 50 + [without(0.9)] * 50,  # the surer, the more often wrong
    ],
)
def test_what_cannot_be_calibrated_stays_as_it_is(outcomes):
    assert fit_calibration(outcomes) == UNCALIBRATED
