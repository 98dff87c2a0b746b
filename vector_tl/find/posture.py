"""Head and lift where they are to be, though a robot moves them by itself, or does not move them when asked.

Its own behaviours (at an edge, at its wake word) leave head and lift where their animations end: a head that
looks up sees no Vector, a lift that is up hides what is ahead from the range sensor. Without control it moves
neither.
"""

import math

from vector_tl.robot.base import Robot, RobotState

LIFT_MM = 32.0  # down, out of the camera's view
HEAD_STEP_RAD = math.radians(2.0)  # smaller changes do not move the head: each move blurs images
HEAD_OFF_RAD, LIFT_OFF_MM = math.radians(5.0), 5.0  # farther off, something else has moved them
AGAIN_S = 1.5  # by then a move is over


class Posture:
    """Asks for head and lift once, and again where the states show them elsewhere."""

    def __init__(self, robot: Robot):
        self._robot = robot
        self._head_rad = math.inf
        self._head_s = self._lift_s = -math.inf

    def lower_lift(self) -> None:
        """Ask for the lift."""
        self._lift_s = self._robot.now_s()
        self._robot.set_lift(LIFT_MM)

    def keep(self, head_rad: float, state: RobotState, obeys: bool) -> None:
        """Ask for what is not as it is to be.

        Args:
            head_rad: where the head is to look, up-positive.
            state: the newest.
            obeys: whether the robot has just taken a command that moves it, so that it would take these, too.
        """
        now_s = self._robot.now_s()
        changed = abs(head_rad - self._head_rad) >= HEAD_STEP_RAD
        head_off = abs(state.head_angle_rad - self._head_rad) > HEAD_OFF_RAD
        if changed or (obeys and head_off and now_s - self._head_s > AGAIN_S):
            self._head_rad, self._head_s = head_rad, now_s
            self._robot.set_head(head_rad)
        lift_off = abs(state.lift_height_mm - LIFT_MM) > LIFT_OFF_MM
        if obeys and lift_off and now_s - self._lift_s > AGAIN_S:
            self.lower_lift()
