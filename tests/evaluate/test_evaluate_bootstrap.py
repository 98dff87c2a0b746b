"""AP under resampling: the same AP as COCO's when every picture counts once."""

import numpy as np
import pytest

from vector_tl.evaluate.bootstrap import draws, interval, match_all, weighted_ap
from vector_tl.evaluate.metrics import Outcome, average_precision


def made(seed: int, pictures: int = 30) -> list[Outcome]:
    rng, outcomes = np.random.default_rng(seed), []
    for _ in range(pictures):
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
def test_each_picture_once_is_cocos_ap(seed):
    outcomes = made(seed)
    assert weighted_ap(match_all(outcomes), np.ones(len(outcomes))) == pytest.approx(average_precision(outcomes), abs=2e-6)


def test_a_picture_that_counts_twice_is_there_twice():
    outcomes = made(3, 12)
    weights = np.array([0, 1, 2] * 4)
    repeated = [outcome for outcome, times in zip(outcomes, weights, strict=True) for _ in range(times)]
    assert weighted_ap(match_all(outcomes), weights) == pytest.approx(average_precision(repeated), abs=0.02)  # equal scores are ordered differently


def test_nothing():
    assert weighted_ap(match_all([]), np.zeros(0)) == (None, None)
    empty = Outcome((640, 360), np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0))
    assert weighted_ap(match_all([empty]), np.ones(1)) == (None, None)
    missed = Outcome((640, 360), np.float32([[0, 0, 9, 9]]), np.zeros((0, 4)), np.zeros(0))
    assert weighted_ap(match_all([missed]), np.ones(1)) == (0.0, 0.0)


def test_whole_sessions_are_drawn():
    sessions = ["a"] * 3 + ["b"] * 2 + ["c"]
    counts = draws(sessions, 200)
    assert counts.shape == (200, 6) and (counts[:, 0] == counts[:, 2]).all() and (counts[:, 3] == counts[:, 4]).all()
    assert (counts[:, 0] + counts[:, 3] + counts[:, 5] == 3).all() and counts[:, 0].mean() == pytest.approx(1.0, abs=0.2)
    assert (draws(sessions, 5) == draws(sessions, 5)).all()


def test_interval():
    assert interval([None]) is None and interval([]) is None
    assert interval(list(np.linspace(0, 1, 101))) == pytest.approx((0.025, 0.975))
