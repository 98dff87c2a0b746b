"""One Vector's body: two treads, head, lift, and the motions that run on them.

Lengths in mm, angles in radians, left and up positive. The origin is the front axle on the ground; the body
turns about a point behind it. Its measures are in `vector_tl/robot/body.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from vector_tl.robot.body import MAX_WHEEL_MMPS, TRACK_MM, WHEEL_ACCEL_MMPS2, driven
from vector_tl.sim.world.scene import Pose

HEAD_RANGE_RAD = (math.radians(-22.0), math.radians(45.0))
LIFT_RANGE_MM = (32.0, 92.0)
LIFT_ARM_MM, LIFT_PIVOT_MM = 66.0, 45.0  # height of the fork = pivot + arm * sin(angle)
STALL_MS = 1000  # a motion without progress for so long gives up
# Share of the treads' way that is lost on the ground; more in turns, where they scrub. Assumptions.
SLIP_FORWARD, SLIP_TURN = 0.01, 0.03
CHARGER_CONTACT_MM = 12.0  # its contacts touch within this distance from its place on the charger

STOPPED_MMPS = 2.0  # a wheel that is to turn no faster gets no power (WHEEL_SPEED_COMMAND_STOPPED_MM_S)

Contact = tuple[str, int | str]  # what it touches: ("obstacle" or "vector", number) or ("wall", side)
Done = Callable[[str], None]  # is called with "reached", "cancelled" or "stalled"


def lift_angle_rad(height_mm: float) -> float:
    """Angle of the lift's arm at a height of the fork."""
    return math.asin((height_mm - LIFT_PIVOT_MM) / LIFT_ARM_MM)


def lift_height_mm(angle_rad: float) -> float:
    """Height of the fork at an angle of the lift's arm."""
    return LIFT_PIVOT_MM + LIFT_ARM_MM * math.sin(angle_rad)


LIFT_RANGE_RAD = (lift_angle_rad(LIFT_RANGE_MM[0]), lift_angle_rad(LIFT_RANGE_MM[1]))


class Joint:
    """Head or lift: moves to a goal or at a speed, within its range, speed and acceleration."""

    def __init__(self, low_rad: float, high_rad: float, angle_rad: float):
        self.low_rad, self.high_rad = low_rad, high_rad
        self.angle_rad = min(max(angle_rad, low_rad), high_rad)
        self.speed_radps = 0.0
        self._goal_rad: float | None = None
        self._wanted_radps = 0.0
        self._accel_radps2 = 10.0
        self._done: Done | None = None

    @property
    def moving(self) -> bool:
        """Whether it moves or has a goal to move to."""
        return self.speed_radps != 0.0 or self._goal_rad is not None

    def go_to(
        self, angle_rad: float, speed_radps: float, accel_radps2: float, done: Done | None = None
    ) -> None:
        """Move to an angle; call `done` with "reached" there, or "cancelled" when something else came first.

        It stays where it is for an angle that is not finite; a speed or acceleration that is not finite, or
        0, counts as 10.
        """
        self.end()
        goal_rad = angle_rad if math.isfinite(angle_rad) else self.angle_rad
        self._goal_rad = min(max(goal_rad, self.low_rad), self.high_rad)
        self._wanted_radps = abs(or_zero(speed_radps)) or 10.0
        self._accel_radps2 = abs(or_zero(accel_radps2)) or 10.0
        self._done = done

    def move(self, speed_radps: float) -> None:
        """Move at a speed (0 when it is not finite) until the next command or the end of the range."""
        self.end()
        self._wanted_radps, self._accel_radps2 = or_zero(speed_radps), 20.0

    def put(self, angle_rad: float) -> None:
        """A hand sets it to an angle."""
        self.end()
        self.angle_rad, self.speed_radps = min(max(angle_rad, self.low_rad), self.high_rad), 0.0

    def end(self, how: str = "cancelled") -> None:
        """Give up the goal, and call its `done` with how it ended."""
        self._goal_rad, self._wanted_radps = None, 0.0
        done, self._done = self._done, None
        if done:
            done(how)

    def step(self, dt_s: float) -> None:
        """Let its motor work for `dt_s`."""
        goal = self._goal_rad
        wanted = self._wanted_radps
        if goal is not None:
            left = goal - self.angle_rad
            braking_radps = math.sqrt(2 * self._accel_radps2 * abs(left))  # v^2 = 2 a s
            wanted = math.copysign(min(wanted, braking_radps), left)
        elif wanted == 0.0 and self.speed_radps == 0.0:
            return
        change = self._accel_radps2 * dt_s
        self.speed_radps += min(max(wanted - self.speed_radps, -change), change)
        angle = self.angle_rad + self.speed_radps * dt_s
        if goal is not None and (goal - self.angle_rad) * (goal - angle) <= 0:
            self.angle_rad, self.speed_radps = goal, 0.0
            self.end("reached")
        elif not self.low_rad <= angle <= self.high_rad:
            self.angle_rad, self.speed_radps = min(max(angle, self.low_rad), self.high_rad), 0.0
            if goal is None and self._wanted_radps * (angle - self.angle_rad) > 0:
                self._wanted_radps = 0.0  # a speed back into the range is kept
        else:
            self.angle_rad = angle


@dataclass
class Motion:
    """A drive of given length: straight, in mm, or a turn on the spot, in radians."""

    turn: bool
    left: float  # still to go
    speed: float
    accel: float
    done: Done
    stalled_ms: float = 0.0


class Body:
    """Pose, treads, head and lift of one Vector.

    The world moves it: `motors()` returns what it asks for, `moved()` takes what the world let it have.
    """

    def __init__(self, x_mm: float, y_mm: float, heading_rad: float, head_rad: float = 0.0):
        self.x_mm, self.y_mm, self.heading_rad, self.z_mm = x_mm, y_mm, heading_rad, 0.0
        self.charger: Pose = (x_mm, y_mm, heading_rad)  # its charger stands where the robot woke up
        self.on_charger = False
        self.left_mmps = self.right_mmps = 0.0  # as they turn
        self.wanted_mmps = (0.0, 0.0)
        self._accel_mmps2 = (WHEEL_ACCEL_MMPS2, WHEEL_ACCEL_MMPS2)
        self.left_tread_mm = self.right_tread_mm = 0.0
        self.head = Joint(*HEAD_RANGE_RAD, head_rad)
        self.lift = Joint(*LIFT_RANGE_RAD, LIFT_RANGE_RAD[0])
        self.motion: Motion | None = None
        self.forward_mmps = self.turn_radps = self.accel_mmps2 = 0.0  # as it really moves
        self.odometry: Pose = (0.0, 0.0, 0.0)  # since it woke up or was put down
        self.origin_id = 1
        self.off_treads = False
        self.falling = False
        self.cliffs = (False, False)  # front, back
        self.forced_cliff = False
        # The firmware stops at cliffs, unless the SDK holds control above physical reactions.
        self.cliff_stop = True
        self._cliff_met = False  # it has stopped there: not again before all sensors see ground
        self._set_down = self._set_on_edge = (
            False  # by a hand; with a sensor over an edge: no stop there at all
        )
        self.wheels_off = False  # from a stop at a cliff until the engine's answer: no command moves them
        self.collisions = self.falls = 0
        self.touching: set[Contact] = set()

    @property
    def pose(self) -> Pose:
        """Where it is on the ground."""
        return self.x_mm, self.y_mm, self.heading_rad

    def drive(
        self, left_mmps: float, right_mmps: float, left_mmps2: float = 0.0, right_mmps2: float = 0.0
    ) -> None:
        """Wheel speeds from now on. Acceleration 0 means as fast as the motors can."""
        self.end_motion()
        if self.wheels_off:
            return
        self.wanted_mmps = (_direct(left_mmps), _direct(right_mmps))
        self._accel_mmps2 = (_acceleration(left_mmps2), _acceleration(right_mmps2))

    def run_motion(self, motion: Motion) -> None:
        """Start a drive of given length instead of what the wheels did."""
        self.drive(0.0, 0.0)
        self.motion = motion

    def end_motion(self, how: str = "cancelled") -> None:
        """Give up the running drive, and call its `done` with how it ended."""
        motion, self.motion = self.motion, None
        if motion:
            self.wanted_mmps = (0.0, 0.0)
            motion.done(how)

    def stop(self) -> None:
        """Stop all motors."""
        self.drive(0.0, 0.0)
        self.head.end()
        self.lift.end()

    def see_cliffs(self, front: bool, back: bool) -> bool:
        """Take in what the cliff sensors see.

        The firmware stops turning wheels, whatever their direction, when the first of the sensors sees an
        edge, and not again before all of them have seen ground; until the engine has answered the stop
        (`rearm`), the wheels take no command. Put down on an edge, it is let drive away from there.

        Returns:
            whether it has stopped for that now.
        """
        self.cliffs = (front, back)
        if self._set_down:
            self._set_down, self._set_on_edge = False, any(self.cliffs)
        if not any(self.cliffs):
            self._cliff_met = self._set_on_edge = False
            return False
        if (
            self._set_on_edge
            or self._cliff_met
            or self.wanted_mmps == (0.0, 0.0)
            or self.left_mmps == self.right_mmps == 0.0
        ):
            return False
        self._cliff_met = True
        if self.cliff_stop:
            self.drive(0.0, 0.0)
            self.wheels_off = True
        return self.cliff_stop

    def rearm(self) -> None:
        """The engine has answered a stop at a cliff: the wheels take commands again."""
        self.wheels_off = False

    def motors(self, dt_s: float) -> tuple[float, float]:
        """Let the motors work for `dt_s`.

        Returns:
            how far the treads would take it, less the slip: forward (mm), left turn (rad).
        """
        self.head.step(dt_s)
        self.lift.step(dt_s)
        if self.motion and not self.wheels_off:
            self._steer(self.motion)
        (left_wanted, right_wanted), (left_accel, right_accel) = self.wanted_mmps, self._accel_mmps2
        self.left_mmps = _towards(self.left_mmps, left_wanted, left_accel * dt_s)
        self.right_mmps = _towards(self.right_mmps, right_wanted, right_accel * dt_s)
        left, right = self.left_mmps * dt_s, self.right_mmps * dt_s
        self.left_tread_mm += left
        self.right_tread_mm += right
        return (left + right) / 2 * (1 - SLIP_FORWARD), (right - left) / TRACK_MM * (1 - SLIP_TURN)

    def _steer(self, motion: Motion) -> None:
        per_speed = TRACK_MM / 2 if motion.turn else 1.0
        speed = min(motion.speed, math.sqrt(2 * motion.accel * abs(motion.left))) * per_speed
        speed = math.copysign(max(speed, 2.0), motion.left)  # never so slow that it does not arrive
        self.wanted_mmps = (_limited(-speed if motion.turn else speed), _limited(speed))
        self._accel_mmps2 = (min(max(motion.accel * per_speed, 1.0), WHEEL_ACCEL_MMPS2),) * 2

    def moved(self, dt_s: float, asked: tuple[float, float], got: tuple[float, float]) -> None:
        """Take in a step of `dt_s`.

        Args:
            dt_s: how long it lasted.
            asked: how far the treads would have taken it, as `motors` returned it.
            got: how far the world let its drive centre move: forward (mm), left turn (rad).
        """
        ran_mm = asked[0] / (1 - SLIP_FORWARD)  # what the encoders count
        self.x_mm, self.y_mm, self.heading_rad = driven(self.pose, *got)
        self.odometry = driven(
            self.odometry, ran_mm, got[1]
        )  # encoders for the way, the gyro for the heading
        forward = got[0] / dt_s
        self.accel_mmps2 = (forward - self.forward_mmps) / dt_s
        self.forward_mmps, self.turn_radps = forward, got[1] / dt_s
        if self.on_charger and math.dist(self.pose[:2], self.charger[:2]) > CHARGER_CONTACT_MM:
            self.on_charger = False
        motion = self.motion
        if not motion:
            return
        progress = got[1] if motion.turn else ran_mm if got[0] else 0.0
        before, motion.left = motion.left, motion.left - progress
        motion.stalled_ms = 0.0 if abs(progress) > 1e-6 else motion.stalled_ms + dt_s * 1000
        if before * motion.left <= 0 or abs(motion.left) < (1e-3 if motion.turn else 0.05):
            self.left_mmps = self.right_mmps = 0.0
            self.end_motion("reached")
        elif motion.stalled_ms >= STALL_MS:
            self.end_motion("stalled")

    def turned_by_hand(self, rad: float, dt_s: float) -> None:
        """A hand turns it on the ground by `rad` within `dt_s`: its gyro feels that, its wheels do not."""
        self.heading_rad = math.remainder(self.heading_rad + rad, math.tau)
        x, y, heading = self.odometry
        self.odometry = (x, y, math.remainder(heading + rad, math.tau))
        self.turn_radps += rad / dt_s

    def put_down(self, x_mm: float, y_mm: float, heading_rad: float) -> None:
        """A hand sets it down there: it no longer knows where it is, its own coordinates start again at 0."""
        self.end_motion()
        self.x_mm, self.y_mm, self.heading_rad, self.z_mm = x_mm, y_mm, heading_rad, 0.0
        self.left_mmps = self.right_mmps = self.forward_mmps = self.turn_radps = self.accel_mmps2 = 0.0
        self.wanted_mmps = (0.0, 0.0)
        self.odometry, self.origin_id = (0.0, 0.0, 0.0), self.origin_id + 1
        self.off_treads = self.falling = self.on_charger = False
        self.cliffs, self._cliff_met, self.wheels_off = (False, False), False, False
        self._set_down = True
        self.touching.clear()


def _limited(speed_mmps: float) -> float:
    return min(max(or_zero(speed_mmps), -MAX_WHEEL_MMPS), MAX_WHEEL_MMPS)


def _direct(asked_mmps: float) -> float:
    """What a direct command makes of a wheel."""
    speed_mmps = _limited(asked_mmps)
    return speed_mmps if abs(speed_mmps) > STOPPED_MMPS else 0.0


def _acceleration(asked_mmps2: float) -> float:
    return min(abs(or_zero(asked_mmps2)), WHEEL_ACCEL_MMPS2) or WHEEL_ACCEL_MMPS2


def or_zero(number: float) -> float:
    """The number, or 0 instead of NaN and infinity, which would spread to all that is computed from them."""
    return number if math.isfinite(number) else 0.0


def _towards(value: float, goal: float, change: float) -> float:
    return min(max(goal, value - change), value + change)
