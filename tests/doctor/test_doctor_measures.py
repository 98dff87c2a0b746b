"""What the doctor reads out of a robot's states."""

import math

import pytest

from vector_tl.doctor.wheels.measures import forward_mm, rate, still_after_ms, turns
from vector_tl.robot.base import RobotState

pytestmark = pytest.mark.fast


def state(t_s=0.0, speed=0.0, right=None, x_mm=0.0, y_mm=0.0, heading_rad=0.0):
    right = speed if right is None else right
    return RobotState(t_s, x_mm, y_mm, heading_rad, 0.0, 32.0, speed, right, None)


def states(*speeds):
    return [state(0.06 * number, speed) for number, speed in enumerate(speeds)]


@pytest.mark.parametrize(
    ("speeds", "fault_s", "still_ms"),
    [
        ((), 0.0, None),
        ((40, 40, 0), 0.0, None),  # one zero alone
        ((40, 40, 0, 0), 0.0, 120),
        ((40, 0, 0, 40, 0, 0), 0.0, 240),  # they turned again
        ((0, 0, 40, 40), 0.0, None),
        ((0, 0, 0, 0), 0.1, 20),  # those before the fault do not count
        ((40, 0.4, -0.4), 0.0, 60),
    ],
)
def test_wheels_stand_since_the_first_of_two_zeros_that_last(speeds, fault_s, still_ms):
    assert still_after_ms(states(*speeds), fault_s) == (
        still_ms if still_ms is None else pytest.approx(still_ms)
    )


@pytest.mark.parametrize(
    ("seen", "mmps", "expected"),
    [
        (states(), 40, False),
        (states(40), 40, False),
        (states(0, 39, 41), 40, True),
        (states(40, 40, 0), 40, False),
        (states(-40, -40), 40, False),
        (states(-40, -40), -40, True),
        ([state(0, 40, 0), state(0.06, 40, 0)], 40, False),
    ],
)
def test_wheels_turn_when_both_do_in_two_states(seen, mmps, expected):
    assert turns(seen, mmps) == expected


@pytest.mark.parametrize(
    ("times_s", "hz", "gap_ms"),
    [
        ((), 0.0, math.inf),
        ((1.0,), 0.0, math.inf),
        ((0.0, 0.06, 0.12, 0.18), 1 / 0.06, 60.0),
        ((0.0, 0.1, 0.4), 5.0, 300.0),
    ],
)
def test_rate(times_s, hz, gap_ms):
    assert rate(times_s) == (pytest.approx(hz), pytest.approx(gap_ms))


def test_forward_is_along_the_first_heading():
    begin = state(x_mm=10, y_mm=20, heading_rad=math.pi / 2)
    assert forward_mm(begin, state(x_mm=10, y_mm=50)) == pytest.approx(30)
    assert forward_mm(begin, state(x_mm=40, y_mm=15)) == pytest.approx(-5)
