"""What a robot's states show: how often they come, since when wheels stand, how far it has moved."""

import math
from collections.abc import Sequence

from vector_tl.robot.base import RobotState
from vector_tl.robot.evidence import STILL_MMPS


def stands(state: RobotState) -> bool:
    """Whether both wheels are at 0."""
    return max(abs(state.left_wheel_mmps), abs(state.right_wheel_mmps)) < STILL_MMPS


def turns(states: Sequence[RobotState], mmps: float) -> bool:
    """Whether the two newest states show both wheels turn at more than half of a speed, in its direction."""
    return len(states) >= 2 and all(
        speed * math.copysign(1.0, mmps) > abs(mmps) / 2
        for state in states[-2:]
        for speed in (state.left_wheel_mmps, state.right_wheel_mmps)
    )


def still_after_ms(states: Sequence[RobotState], fault_s: float) -> float | None:
    """How long after a fault the wheels have come to stand, for good as far as the states go.

    Returns:
        ms to the first state of those that show wheels at 0; None while fewer than two in a row do.
    """
    zeros: list[RobotState] = []
    for state in states:
        if state.received_s >= fault_s:
            zeros = [*zeros, state] if stands(state) else []
    return (zeros[0].received_s - fault_s) * 1000 if len(zeros) >= 2 else None


def rate(times_s: Sequence[float]) -> tuple[float, float]:
    """How many came per second, and the longest time (ms) between two; 0 and infinite for fewer than two."""
    if len(times_s) < 2:
        return 0.0, math.inf
    gaps_s = [later - sooner for sooner, later in zip(times_s, times_s[1:], strict=False)]
    return len(gaps_s) / (times_s[-1] - times_s[0]), max(gaps_s) * 1000


def forward_mm(begin: RobotState, state: RobotState) -> float:
    """How far before its first place a robot is, by its own odometry; behind it is negative."""
    heading = begin.heading_rad
    return (state.x_mm - begin.x_mm) * math.cos(heading) + (state.y_mm - begin.y_mm) * math.sin(heading)
