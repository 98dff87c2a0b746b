"""When wheels may turn: pure rules on times and states, without a robot or a thread.

Speeds are wanted for the length of a lease only. Whatever else happens (no more commands, no frames, no
states, control lost, an edge, a hand), the wheels are to stand still, and each time is noted once with its
reason.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from vector_tl.robot.base import LOW_BATTERY, RobotState, Stop

STILL = (0.0, 0.0)


@dataclass(frozen=True)
class Limits:
    """How old what the guard relies on may become, in seconds of the link's clock."""

    lease_s: float = 0.300
    frame_age_s: float = 0.350
    state_age_s: float = 0.350
    max_mmps: float = 220.0  # the robot's own limit


class Guard:
    """Decides what the wheels may do. Not thread-safe: the link calls it under its lock."""

    def __init__(self, clock: Callable[[], float], limits: Limits = Limits()):
        self._clock, self._limits, self._start_s = clock, limits, clock()
        self.stops: list[Stop] = []
        self.control = False  # whether the robot lets us drive
        self.battery_low = False
        # Whether the last wheel command has been answered; after a silent one only a stop may be sent.
        self.confirmed = True
        self._connected = False
        self._frame_s: float | None = None
        self._image_id: int | None = None
        self._state: RobotState | None = None
        self._wanted, self._wanted_s = STILL, clock()
        self._direction = 1.0  # of the last drive before an edge: 1 forward, -1 backward
        self._held_for: str | None = None  # why the wheels are held now, so that it is noted only once

    def connect(self) -> None:
        """Note that there is a connection, and that the wheels stand still."""
        self._connected = self.confirmed = True
        self.release()

    def disconnect(self) -> None:
        """Note that the connection is gone: what was wanted counts as stopped; what was seen is forgotten."""
        self._connected = self.control = False
        self.wheels()
        self.forget()

    def forget(self) -> None:
        """Forget what was seen: before wheels turn, there must be a new frame and a new state."""
        self._frame_s = self._image_id = self._state = None

    def saw_frame(self, image_id: int, received_s: float) -> None:
        """Note a camera frame. The same frame again is no sign that the camera works."""
        if image_id != self._image_id:
            self._image_id, self._frame_s = image_id, received_s

    def saw_state(self, state: RobotState) -> None:
        """Note a state."""
        self._state = state

    def want(self, left_mmps: float, right_mmps: float) -> bool:
        """Ask for wheel speeds for the length of a lease; whether they are granted now.

        Standing still always is.

        Raises:
            ValueError: a speed that is not a number.
        """
        if not (math.isfinite(left_mmps) and math.isfinite(right_mmps)):
            raise ValueError(f"wheel speeds must be finite numbers, not {left_mmps} and {right_mmps}")
        limit = self._limits.max_mmps
        speeds = (max(-limit, min(limit, float(left_mmps))), max(-limit, min(limit, float(right_mmps))))
        if speeds == STILL:
            self.release()
            return True
        now_s = self._clock()
        reason = self.objection(now_s, speeds)
        if reason is not None:
            self._hold(now_s, reason)
            return False
        self._wanted, self._wanted_s, self._held_for = speeds, now_s, None
        if self._state is not None and not self._state.cliff and sum(speeds) != 0:
            self._direction = math.copysign(1.0, sum(speeds))
        return True

    def release(self) -> None:
        """Stand still because nothing is wanted any more, which is not a stop of the guard's own."""
        self._wanted = STILL

    def wheels(self) -> tuple[float, float]:
        """What the wheels may do now, (left, right) in mm/s.

        A lease that ran out or an objection makes them stand still.
        """
        now_s = self._clock()
        reason = self.objection(now_s, self._wanted)
        if self._wanted == STILL:
            if reason is None:
                self._held_for = None  # it is over; the next time is noted again
            return STILL
        if reason is None and now_s - self._wanted_s > self._limits.lease_s:
            reason = f"no command for {self._limits.lease_s * 1000:.0f} ms"
        if reason is not None:
            self._hold(now_s, reason)
        return self._wanted

    def objection(self, now_s: float, speeds: tuple[float, float]) -> str | None:
        """Why wheels must not turn at these speeds, or None."""
        limits, state = self._limits, self._state
        if not self._connected:
            return "link lost"
        if not self.control:
            return "control lost"
        if not self.confirmed:
            return "command not confirmed"
        if state is None or now_s - state.received_s > limits.state_age_s:
            return f"no state for {limits.state_age_s * 1000:.0f} ms"
        if self._frame_s is None or now_s - self._frame_s > limits.frame_age_s:
            return f"no frame for {limits.frame_age_s * 1000:.0f} ms"
        if self.battery_low:
            return LOW_BATTERY
        for seen, reason in (
            (state.falling, "falling"),
            (state.picked_up, "picked up"),
            (state.being_held, "being held"),
        ):
            if seen:
                return reason
        return "cliff" if state.cliff and not self._retreats(speeds) else None

    def _retreats(self, speeds: tuple[float, float]) -> bool:
        """Whether it drives back where it came from: the state does not say at which end the edge is."""
        along = [speed * self._direction for speed in speeds]
        return max(along) <= 0 and min(along) < 0

    def _hold(self, now_s: float, reason: str) -> None:
        self._wanted = STILL
        if reason != self._held_for:
            self._held_for = reason
            self.stops.append(Stop(round(now_s - self._start_s, 3), reason))
