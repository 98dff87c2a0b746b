"""Driving by keyboard: a key is a short command, and a key held down repeats it.

The guard of the robot's link checks every command.
"""

import math

from vector_tl.robot.base import Robot

DRIVE_MMPS, TURN_MMPS = 70.0, 45.0
# How long one press drives: a terminal repeats a key that is held down some 30 times a second, after a first
# 250 to 500 ms.
KEY_S = 0.3
HEAD_STEP_RAD, HEAD_RAD = math.radians(4), (math.radians(-20), math.radians(40))
NEAR_MM = 60.0  # no further forward when the range sensor sees something so near
SPEEDS_MMPS = {  # left, right
    "forward": (DRIVE_MMPS, DRIVE_MMPS),
    "back": (-DRIVE_MMPS, -DRIVE_MMPS),
    "left": (-TURN_MMPS, TURN_MMPS),
    "right": (TURN_MMPS, -TURN_MMPS),
}
HEAD_STEPS_RAD = {"head up": HEAD_STEP_RAD, "head down": -HEAD_STEP_RAD}


class Driver:
    """Turns pressed keys into wheel commands of one robot."""

    def __init__(self, robot: Robot):
        self._robot = robot
        self._speeds: tuple[float, float] | None = None
        self._until_s = 0.0

    def press(self, action: str) -> str | None:
        """Carry out a key; the answer to it, None when it is not a key for driving."""
        if action in SPEEDS_MMPS:
            self._speeds, self._until_s = SPEEDS_MMPS[action], self._robot.now_s() + KEY_S
            return self.tick() or action
        if action in HEAD_STEPS_RAD:
            angle_rad = self._robot.state().head_angle_rad + HEAD_STEPS_RAD[action]
            self._robot.set_head(min(max(angle_rad, HEAD_RAD[0]), HEAD_RAD[1]))
            return action
        return None

    def tick(self) -> str | None:
        """Drive on as long as a press lasts, then stop; to be called with every frame.

        Returns:
            Why it does not drive, None when it does, or when no key is pressed.
        """
        if self._speeds is None:
            return None
        range_mm = self._robot.state().range_mm
        blocked = min(self._speeds) > 0 and range_mm is not None and range_mm < NEAR_MM
        if blocked or self._robot.now_s() > self._until_s:
            self._speeds = None
            self._robot.drive(0.0, 0.0)  # not `stop`, which waits for the robot, and images with it
            return f"something is {range_mm:.0f} mm ahead" if blocked else None
        if not self._robot.drive(*self._speeds):
            self._speeds = None
            return f"held: {self._robot.stops[-1].reason}" if self._robot.stops else "held"
        return None
