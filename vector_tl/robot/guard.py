"""When wheels may turn: pure rules on times and states, without a robot or a thread.

Speeds are wanted for the length of a lease only. Whatever else happens (no more commands, no frames, no states, control lost,
an edge, a hand), the wheels are to stand still, and each time is noted once with its reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vector_tl.robot.base import RobotState, Stop

STILL = (0.0, 0.0)


@dataclass(frozen=True)
class Limits:
    """How old what the guard relies on may become, in seconds of the link's clock."""

    lease_s: float = 0.300
    frame_age_s: float = 0.350
    state_age_s: float = 0.350
    most_mmps: float = 220.0  # the robot's own limit


class Guard:
    """Decides what the wheels may do. Not thread-safe: the link calls it under its lock."""

    def __init__(self, clock: Callable[[], float], limits: Limits = Limits()):
        self._clock, self._limits = clock, limits
        self._start_s = clock()
        self.stops: list[Stop] = []
        self.connected = self.control = False
        self._frame_s: float | None = None
        self._state: RobotState | None = None
        self._wanted, self._wanted_s = STILL, clock()
        self._stopped_for: str | None = None

    def saw_frame(self, received_s: float) -> None:
        """A camera frame came."""
        self._frame_s = received_s

    def saw_state(self, state: RobotState) -> None:
        """A state came."""
        self._state = state

    def want(self, left_mmps: float, right_mmps: float) -> bool:
        """Ask for wheel speeds for the length of a lease; whether they are granted now. Standing still always is."""
        most = self._limits.most_mmps
        speeds = tuple(max(-most, min(most, float(speed))) for speed in (left_mmps, right_mmps))
        if not all(speed == speed for speed in speeds):  # NaN
            raise ValueError(f"wheel speeds must be numbers, not {left_mmps} and {right_mmps}")
        now_s = self._clock()
        if speeds == STILL:
            self.release()
            return True
        reason = self.objection(now_s)
        if reason is not None:
            self._halt(now_s, reason)
            return False
        self._wanted, self._wanted_s, self._stopped_for = speeds, now_s, None
        return True

    def release(self) -> None:
        """Nothing is wanted any more: stand still, without that being a stop of the guard's own."""
        self._wanted, self._stopped_for = STILL, None

    def wheels(self) -> tuple[float, float]:
        """What the wheels may do now, (left, right) in mm/s; a lease that ran out or an objection makes them stand still."""
        if self._wanted == STILL:
            return STILL
        now_s = self._clock()
        reason = self.objection(now_s)
        if reason is None and now_s - self._wanted_s > self._limits.lease_s:
            reason = f"no command for {self._limits.lease_s * 1000:.0f} ms"
        if reason is not None:
            self._halt(now_s, reason)
        return self._wanted

    def objection(self, now_s: float) -> str | None:
        """Why wheels must not turn, or None."""
        if not self.connected:
            return "link lost"
        if not self.control:
            return "control lost"
        limits, state = self._limits, self._state
        if state is None or now_s - state.received_s > limits.state_age_s:
            return f"no state for {limits.state_age_s * 1000:.0f} ms"
        if self._frame_s is None or now_s - self._frame_s > limits.frame_age_s:
            return f"no frame for {limits.frame_age_s * 1000:.0f} ms"
        for seen, reason in ((state.falling, "falling"), (state.picked_up, "picked up"), (state.being_held, "held"), (state.cliff, "cliff")):
            if seen:
                return reason
        return None

    def _halt(self, now_s: float, reason: str) -> None:
        self._wanted = STILL
        if reason != self._stopped_for:  # once per occurrence, however often it is asked
            self._stopped_for = reason
            self.stops.append(Stop(round(now_s - self._start_s, 3), reason))
