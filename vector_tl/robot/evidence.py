"""What proves that a robot's wheels stand: its own states, younger than the stop, two in a row at 0.

States carry no time of their own, only that of the last camera image, and that one stands still while no
camera runs, as after the death of the program that drove. But nothing on an event stream is older than its
opening. So a stop opens an event stream of its own, after the stop on the same connection. Its first state
may be made in the tick in which the stop is only taken in; those after it count once the robot has answered
the stop. However late states arrive, no old one of wheels at rest is among them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

TICK_S = 0.060  # of the robot's engine: a state comes each tick, and a command takes effect within one
DUE_S = TICK_S + 0.010  # after the answer, made in a later tick than the one that took the stop in
STILL_MMPS = 1.0  # wheels slower than that stand
SLOWING_MMPS = 15.0  # by so much at least wheels that brake become slower in a tick
SLACK_MMPS, SLACK_SHARE = 15.0, 0.1  # by which wheels may miss their speed; an assumption


@dataclass(frozen=True)
class WheelState:
    """What a robot's state says of its wheels: speeds, and when it came, on this computer's clock."""

    received_s: float
    left_mmps: float
    right_mmps: float

    @property
    def speed_mmps(self) -> float:
        """The faster wheel's, without its direction."""
        return max(abs(self.left_mmps), abs(self.right_mmps))

    @property
    def stands(self) -> bool:
        """Whether both wheels are at 0; one that is not finite is not."""
        return abs(self.left_mmps) < STILL_MMPS and abs(self.right_mmps) < STILL_MMPS


class Evidence:
    """What one event stream, opened after a stop was sent, has shown of the wheels."""

    def __init__(self) -> None:
        self.newest: WheelState | None = None
        self._before: WheelState | None = None
        self._due = False  # whether a stop that was obeyed would show in the newest state
        self._zeros = 0  # in a row

    @property
    def newest_s(self) -> float:
        """When the newest state came."""
        return self.newest.received_s if self.newest else float("-inf")

    @property
    def stands(self) -> bool:
        """Whether the wheels stand since the stop."""
        return self._zeros >= 2

    @property
    def turns(self) -> bool:
        """Whether the two newest states show wheels that turn, the stop's effect being due."""
        return self._both(lambda state: not state.stands)

    @property
    def slows(self) -> bool:
        """Whether the wheels brake."""
        if self.newest is None or self._before is None:
            return False
        return self.newest.speed_mmps < self._before.speed_mmps - SLOWING_MMPS

    def turns_as(self, is_ours: Callable[[float, float], bool]) -> bool:
        """Whether the two newest states show wheels that turn at our speeds."""
        return self._both(lambda state: not state.stands and is_ours(state.left_mmps, state.right_mmps))

    def turns_otherwise(self, is_ours: Callable[[float, float], bool]) -> bool:
        """Whether the two newest states show wheels that turn, and not at our speeds."""
        return self._both(lambda state: not state.stands and not is_ours(state.left_mmps, state.right_mmps))

    def saw(self, state: WheelState, answered_s: float | None) -> None:
        """Note a state, and since when a stop is answered."""
        is_first = self.newest is None
        self._before, self.newest = self.newest, state
        since_s = float("-inf") if answered_s is None else state.received_s - answered_s
        self._due = since_s > DUE_S
        counts = not is_first and since_s >= 0
        self._zeros = self._zeros + 1 if counts and state.stands else 0

    def _both(self, holds: Callable[[WheelState], bool]) -> bool:
        return self._due and all(state is not None and holds(state) for state in (self.newest, self._before))


def explained_by(commands: Iterable[tuple[float, float]], left_mmps: float, right_mmps: float) -> bool:
    """Whether wheel speeds are those of commands, (left, right) in mm/s, or on the way between them and 0."""
    all_commands = [(0.0, 0.0), *commands]
    return all(
        min(of_wheel) - _slack(min(of_wheel)) <= speed <= max(of_wheel) + _slack(max(of_wheel))
        for of_wheel, speed in zip(zip(*all_commands, strict=True), (left_mmps, right_mmps), strict=True)
    )


def _slack(speed_mmps: float) -> float:
    return SLACK_MMPS + SLACK_SHARE * abs(speed_mmps)
