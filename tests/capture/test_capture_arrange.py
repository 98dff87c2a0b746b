"""Arrangements for simulated images."""

import math

import numpy as np
import pytest

from vector_tl.capture.arrange import (
    DISTANCE_MM,
    HALF_VIEW_RAD,
    LENS_AHEAD_MM,
    arrange,
    draw_distance_mm,
    is_negative,
    spread,
)

pytestmark = pytest.mark.fast


def relative(viewer, other) -> tuple[float, float]:
    """Distance and bearing from the viewer's lens."""
    x, y = (viewer[i] + LENS_AHEAD_MM * f(viewer[2]) for i, f in ((0, math.cos), (1, math.sin)))
    return math.hypot(other[0] - x, other[1] - y), math.remainder(
        math.atan2(other[1] - y, other[0] - x) - viewer[2], math.tau
    )


def drawn(count=600, **kwargs):
    rng = np.random.default_rng(5)
    options = {"start": (100.0, -50.0, 1.0), "targets": 2, "negative": False, "moving": False} | kwargs
    return [arrange(rng, **{"distance_mm": draw_distance_mm(rng.random())} | options) for _ in range(count)]


def test_targets_are_near_and_far_in_the_middle_and_cut_by_the_edge():
    seen = np.array([relative(a.poses[0], a.poses[1]) for a in drawn()])
    distances, bearings = seen.T
    assert distances.min() >= DISTANCE_MM[0] - 0.01 and distances.max() <= DISTANCE_MM[1] + 0.01
    near = (distances < 300).mean()
    assert 0.45 < near < 0.62
    at_edge = (np.abs(np.abs(bearings) - HALF_VIEW_RAD) < math.radians(8)).mean()
    beyond = (np.abs(bearings) > HALF_VIEW_RAD).mean()
    assert 0.15 < at_edge < 0.5 and 0.05 < beyond < 0.25
    assert (bearings > 0).mean() == pytest.approx(0.5, abs=0.08)


def test_distances_leave_no_gap():
    for first in (0, 100):
        numbers = sorted(spread(first + number) for number in range(60))
        assert (
            max(b - a for a, b in zip(numbers, numbers[1:], strict=False)) < 0.05
            and numbers[0] < 0.05
            and numbers[-1] > 0.95
        )
    assert draw_distance_mm(0.0) == pytest.approx(DISTANCE_MM[0]) and draw_distance_mm(1.0) == pytest.approx(
        DISTANCE_MM[1]
    )


def test_negatives_have_everybody_out_of_view():
    for arrangement in drawn(200, negative=True, targets=3):
        assert all(
            abs(relative(arrangement.poses[0], pose)[1]) > math.radians(60) for pose in arrangement.poses[1:]
        )


def test_standing_and_driving_and_no_targets():
    assert {a.wheels_mmps for a in drawn(50)} == {(0.0, 0.0)}
    assert all(any(abs(speed) > 10 for speed in a.wheels_mmps) for a in drawn(200, moving=True))
    assert all(len(a.poses) == 1 for a in drawn(5, targets=0))


def test_heads_and_lifts_stay_in_reach():
    arrangements = drawn()
    assert all(
        -math.radians(22) <= a.head_rad <= math.radians(45) and 32 <= a.lift_mm <= 92 for a in arrangements
    )
    assert np.std([a.head_rad for a in arrangements]) > math.radians(5)


@pytest.mark.parametrize("share", [0.0, 0.12, 0.16, 0.5, 1.0])
@pytest.mark.parametrize("count", [1, 12, 24, 685])
def test_any_count_has_its_share_of_negatives(share, count):
    assert abs(sum(is_negative(number, share) for number in range(count)) - share * count) < 1
