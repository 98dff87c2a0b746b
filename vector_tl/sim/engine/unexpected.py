"""Movements that the wheels do not explain: a hand turns the robot, or something holds it.

Rules and thresholds as in Vector's firmware (engine/components/movementComponent): wheel speeds against the
gyro's z axis (here the means over a tick), counted until they have disagreed for long enough. A robot that
drives straight against something notices nothing: neither its wheels nor its gyro say that it turns.
"""

import math
from typing import NamedTuple

from vector_tl.robot.body import TRACK_MM
from vector_tl.sim.world.body import Body

STATES_PER_TICK = 2  # the body reports every 30 ms, twice for each tick of the engine
GYRO_TOL_RADPS = math.radians(10.0)
MIN_WHEELS_MMPS = 20.0  # of both together; slower, they stand
EXPECTED_TOL_RADPS = 0.2
MAX_COUNT = 10
BACK = "BACK"


class Unexpected(NamedTuple):
    """What was noticed, in the words of the protocol's `UnexpectedMovement`."""

    kind: str
    side: str


class UnexpectedMovement:
    """Counts the moments at which wheels and gyro disagree."""

    def __init__(self) -> None:
        self._count = 0
        self._felt: list[tuple[float, float, float]] = []  # left and right wheel, gyro, since the last tick

    def feel(self, body: Body) -> None:
        """Take in what wheels and gyro say after a step of the world."""
        self._felt.append((body.left_mmps, body.right_mmps, body.turn_radps))

    def look(self, body: Body, animating: bool) -> Unexpected | None:
        """One tick: what is noticed now, and was not a tick ago."""
        felt, self._felt = self._felt, []
        if not felt or animating or body.off_treads or body.on_charger:
            self._count = 0
            return None
        left_mmps, right_mmps, gyro_radps = (sum(values) / len(felt) for values in zip(*felt, strict=True))
        kind, weight = _disagreement(left_mmps, right_mmps, gyro_radps)
        before = self._count
        self._count = min(max(self._count + weight * STATES_PER_TICK, 0), 2 * MAX_COUNT)
        if weight > 0 and self._count > MAX_COUNT >= before:
            return Unexpected(kind, _side(kind, left_mmps, right_mmps))
        return None


def _disagreement(left_mmps: float, right_mmps: float, gyro_radps: float) -> tuple[str, int]:
    """What wheels and gyro disagree about, and how much it counts; -1 where they agree."""
    turns = abs(gyro_radps) > GYRO_TOL_RADPS
    expected_radps = (right_mmps - left_mmps) / TRACK_MM
    if abs(left_mmps) + abs(right_mmps) < MIN_WHEELS_MMPS:
        slowly = abs(gyro_radps - expected_radps) <= GYRO_TOL_RADPS  # by the wheels after all
        return ("ROTATING_WITHOUT_MOTORS", 5) if turns and not slowly else ("", -1)
    if turns:
        return ("", -1) if expected_radps * gyro_radps > 0 else ("TURNED_IN_OPPOSITE_DIRECTION", 2)
    opposed = (left_mmps < 0) != (right_mmps < 0)
    too_slow = abs(expected_radps) / 2 - abs(gyro_radps) > EXPECTED_TOL_RADPS  # half of it is lost to slip
    return ("TURNED_BUT_STOPPED", 1) if opposed or too_slow else ("", 0)


def _side(kind: str, left_mmps: float, right_mmps: float) -> str:
    """Where something is in its way, from what the wheels try."""
    if kind == "ROTATING_WITHOUT_MOTORS":
        return "UNKNOWN"
    if (left_mmps > 0) != (right_mmps > 0):
        return "RIGHT" if left_mmps > 0 else "LEFT"
    return "FRONT" if left_mmps > 0 else BACK
