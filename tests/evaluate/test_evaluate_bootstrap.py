"""AP under resampling: the same AP as COCO's when every image counts once."""

import numpy as np
import pytest

from vector_tl.evaluate.bootstrap import draws, interval, match_all, showing_vectors, weighted_ap
from vector_tl.evaluate.metrics import Outcome, average_precision

pytestmark = pytest.mark.fast


def made(seed: int, images: int = 30) -> list[Outcome]:
    rng, outcomes = np.random.default_rng(seed), []
    for _ in range(images):
        low = rng.uniform(0, 400, (rng.integers(0, 3), 2))
        boxes = np.concatenate([low, low + rng.uniform(90, 200, low.shape)], axis=1).astype(np.float32)
        near = boxes + rng.normal(0, 12, boxes.shape).astype(np.float32)
        far = rng.uniform(0, 300, (rng.integers(0, 3), 2))
        far = np.concatenate([far, far + 50], axis=1).astype(np.float32)
        predicted = np.concatenate([near, far])
        scores = rng.uniform(0.02, 1, len(predicted)).astype(np.float32)
        order = np.argsort(-scores)
        outcomes.append(Outcome((640, 360), boxes, predicted[order], scores[order]))
    return outcomes


@pytest.mark.parametrize("seed", range(8))
def test_each_image_once_is_cocos_ap(seed):
    outcomes = made(seed)
    assert weighted_ap(match_all(outcomes), np.ones(len(outcomes))) == pytest.approx(
        average_precision(outcomes), abs=2e-6
    )


def test_an_image_that_counts_twice_is_there_twice():
    outcomes = made(3, 12)
    weights = np.array([0, 1, 2] * 4)
    repeated = [outcome for outcome, times in zip(outcomes, weights, strict=True) for _ in range(times)]
    assert weighted_ap(match_all(outcomes), weights) == pytest.approx(
        average_precision(repeated), abs=0.02
    )  # equal scores are ordered differently


def test_nothing():
    assert weighted_ap(match_all([]), np.zeros(0)) == (None, None)
    empty = Outcome((640, 360), np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0))
    assert weighted_ap(match_all([empty]), np.ones(1)) == (None, None)
    missed = Outcome((640, 360), np.float32([[0, 0, 9, 9]]), np.zeros((0, 4)), np.zeros(0))
    assert weighted_ap(match_all([missed]), np.ones(1)) == (0.0, 0.0)


def test_whole_sessions_are_drawn():
    sessions = ["a"] * 3 + ["b"] * 2 + ["c"]
    counts = draws(sessions, 200)
    assert (
        counts.shape == (200, 6)
        and (counts[:, 0] == counts[:, 2]).all()
        and (counts[:, 3] == counts[:, 4]).all()
    )
    assert (counts[:, 0] + counts[:, 3] + counts[:, 5] == 3).all() and counts[:, 0].mean() == pytest.approx(
        1.0, abs=0.2
    )
    assert (draws(sessions, 5) == draws(sessions, 5)).all()


def test_interval():
    assert interval([None], 9) is None and interval([], 9) is None and interval([0.5] * 99, 4) is None
    values = [*np.linspace(0, 1, 1001), None, np.nan]
    assert interval(values, 10**6) == pytest.approx((0.025, 0.975), abs=1e-3)
    low, high = interval(
        values, 9
    )  # Student's t of 8: 2.306, times the root of 9/8 is 2.446 standard deviations
    assert (low, high) == pytest.approx((0.0072, 0.9928), abs=1e-4)


@pytest.mark.parametrize("sessions", [5, 6, 9, 15])
def test_an_interval_of_few_sessions_is_wrong_about_as_often_as_it_says(sessions):
    """Means of sessions whose true mean is 0: 5 % of the intervals are wrong with many sessions.

    The plain middle 95 % of the draws would be wrong in 15 % with 5 sessions.
    """
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(400):
        of_session = rng.normal(size=sessions)
        low, high = interval(
            (
                draws([str(i) for i in range(sessions)], 400, seed=int(rng.integers(1e9)))
                @ of_session
                / sessions
            ).tolist(),
            sessions,
        )
        wrong += not low <= 0 <= high
    assert wrong / 400 < 0.10


def test_sessions_that_show_a_vector():
    box, none = np.float32([[0, 0, 9, 9]]), np.zeros((0, 4), np.float32)
    outcomes = [Outcome((640, 360), truth, none, np.zeros(0)) for truth in (box, none, none, box, box)]
    assert showing_vectors(["a", "a", "b", "c", "c"], match_all(outcomes)) == 2
