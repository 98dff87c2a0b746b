"""Driving by keyboard: a key press is a short command, a key held down repeats it."""

import math

from vector_tl.robot.base import Robot

DRIVE_MMPS, TURN_MMPS = 70.0, 45.0
KEY_S = 0.3  # how long one press drives; terminals repeat a held key 30 times a second, after 250 to 500 ms
HEAD_STEP_RAD, HEAD_RAD = math.radians(4), (math.radians(-20), math.radians(40))
NEAR_MM = 60.0  # no further forward when the range sensor sees something nearer
SPEEDS = {
    "forward": (DRIVE_MMPS, DRIVE_MMPS),
    "back": (-DRIVE_MMPS, -DRIVE_MMPS),
    "left": (-TURN_MMPS, TURN_MMPS),
    "right": (TURN_MMPS, -TURN_MMPS),
}


class Driver:
    """Turns pressed keys into wheel commands of one robot."""

    def __init__(self, robot: Robot):
        self._robot = robot
        self._speeds: tuple[float, float] | None = None
        self._until_s = 0.0

    def press(self, action: str) -> str | None:
        """Carry out a key's action, and answer for the view; None when it is not one for driving."""
        if action in SPEEDS:
            self._speeds, self._until_s = SPEEDS[action], self._robot.now_s() + KEY_S
            return self.tick() or action
        if action in ("head up", "head down"):
            step = HEAD_STEP_RAD if action == "head up" else -HEAD_STEP_RAD
            angle = self._robot.state().head_angle_rad + step
            self._robot.set_head(min(max(angle, HEAD_RAD[0]), HEAD_RAD[1]))
            return action
        return None

    def tick(self) -> str | None:
        """Drive on while a key press lasts, then stop; to be called with every frame.

        Returns:
            Why it does not drive, None otherwise.
        """
        if self._speeds is None:
            return None
        forward = self._speeds[0] > 0 and self._speeds[1] > 0
        range_mm = self._robot.state().range_mm
        blocked = forward and range_mm is not None and range_mm < NEAR_MM
        if blocked or self._robot.now_s() > self._until_s:
            self._speeds = None
            self._robot.stop()
            return f"something is {range_mm:.0f} mm ahead" if blocked else None
        if not self._robot.drive(*self._speeds):
            self._speeds = None
            return f"held: {self._robot.stops[-1].reason}" if self._robot.stops else "held"
        return None
