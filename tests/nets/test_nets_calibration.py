"""Calibration: strictly increasing, undone exactly, and the same AP."""

import numpy as np
import pytest

from vector_tl.evaluate.bootstrap import match_all, weighted_ap
from vector_tl.evaluate.metrics import Outcome, average_precision, calibrate, measure
from vector_tl.nets.calibration import UNCALIBRATED, Calibration, calibration_of
from vector_tl.nets.model_file import threshold_of

pytestmark = pytest.mark.fast
SOME = [Calibration(0.6, -1.0), Calibration(1.7, 0.4), Calibration(1.0, -1.7)]


@pytest.mark.parametrize("calibration", SOME)
def test_it_is_strictly_increasing_from_0_to_1_and_can_be_undone(calibration):
    scores = np.float32([0.0, 1e-6, 0.01, 0.3, 0.5, 0.8, 0.99, 0.999999, 1.0])
    calibrated = calibration(scores)
    assert (np.diff(calibrated) > 0).all() and (calibrated[0], calibrated[-1]) == (0.0, 1.0)
    assert calibration.own_scores(calibrated) == pytest.approx(scores, abs=1e-9)


def test_without_one_scores_stay_the_very_same():
    scores = np.float32([0.1, 0.7])
    assert UNCALIBRATED(scores) is scores and UNCALIBRATED.own_scores(scores) is scores
    assert calibration_of({}) == calibration_of({"calibration": None}) == UNCALIBRATED
    assert calibration_of({"calibration": {"scale": 2, "shift": -1}}) == Calibration(2.0, -1.0)


@pytest.mark.parametrize("calibration", SOME)
def test_average_precision_is_taken_on_the_networks_own_scores(calibration):
    """Also of boxes that calibration brings below .01, where AP would otherwise end."""
    rng, outcomes = np.random.default_rng(0), []
    for _ in range(40):
        box = np.float32([[10, 10, 60, 60]])
        found = box + rng.normal(0, 6, (3, 4)).astype(np.float32)
        scores = -np.sort(-rng.uniform(0.0, 0.2, 3).astype(np.float32))
        outcomes.append(Outcome((64, 64), box if rng.random() < 0.7 else np.zeros((0, 4)), found, scores))
    after = calibrate(outcomes, calibration)
    assert average_precision(after) == average_precision(outcomes)
    ones = np.ones(len(outcomes))
    assert weighted_ap(match_all(after), ones) == weighted_ap(match_all(outcomes), ones)
    at = 0.1
    same, other = measure(after, float(calibration(np.float64(at)))), measure(outcomes, at)
    assert {k: v for k, v in same.items() if k != "threshold"} == {
        k: v for k, v in other.items() if k != "threshold"
    }


@pytest.mark.parametrize(
    ("metadata", "precision", "expected"),
    [
        ({}, "fp32", 0.5),
        ({"threshold": None}, "fp32", 0.5),
        ({"threshold": 0.9}, "fp32", 0.9),  # as earlier versions wrote it
        ({"thresholds": {"fp32": 0.7}}, "fp32", 0.7),
        ({"thresholds": {"fp32": 0.7, "int8": 0.6}, "threshold": 0.9}, "int8", 0.6),
        ({"thresholds": {"fp32": 0.7}}, "bf16", 0.7),
        ({"thresholds": {"fp32": 0.7, "bf16": None}}, "bf16", 0.7),
        ({"threshold": 0.0}, "fp32", 0.0),
        ({"thresholds": {"fp32": 0.0}}, "bf16", 0.0),
        ({"thresholds": {"fp32": 0.7, "int8": 0}}, "int8", 0.0),
    ],
)
def test_the_threshold_of_new_and_old_metadata(metadata, precision, expected):
    assert threshold_of(metadata, precision) == expected
