"""A robot in memory behind the same protocol and the same guard, for tests.

It is an exact differential drive, and nothing else moves its clock.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from vector_tl.robot.base import (
    BatteryState,
    Frame,
    GroundTruth,
    Intrinsics,
    LinkLost,
    NoFreshFrame,
    RobotState,
    Stop,
)
from vector_tl.robot.body import TICK_MS, TRACK_MM, driven
from vector_tl.robot.guard import Guard
from vector_tl.robot.reading import STILL

TICK_S = 0.005
HEAD_RAD, LIFT_MM = (math.radians(-22), math.radians(45)), (32.0, 92.0)
NOMINAL = Intrinsics()

Pose = tuple[float, float, float]  # x_mm, y_mm, heading_rad


@dataclass
class FakeVector:
    """A `Robot` whose time moves in `next_frame` and `wait` only.

    Attributes:
        render: (pose, head_angle_rad) -> the JPEG bytes that its camera sees.
        commands: (t_s, left_mmps, right_mmps) of each change of the wheels, as the guard let it through.
        freeze_frames, freeze_states: faults; set and clear them at will.
        picked_up, falling, being_held, cliff: what a person's hand or an edge does; likewise.
    """

    render: Callable[[Pose, float], bytes] = lambda pose, head_angle_rad: b""
    pose: Pose = (0.0, 0.0, 0.0)
    fps: float = 15.0
    serial: str = "fake"
    intrinsics: Intrinsics = NOMINAL
    range_mm: float | None = None
    freeze_frames: bool = False
    freeze_states: bool = False
    picked_up: bool = False
    falling: bool = False
    being_held: bool = False
    cliff: bool = False
    head_angle_rad: float = 0.0
    lift_height_mm: float = LIFT_MM[0]
    commands: list[tuple[float, float, float]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._t_s, self._wheels, self._image_id, self._lost = 0.0, STILL, 0, False
        self._shown_s = self._turned_s = 0.0  # when the guard saw a state, and turning wheels, last
        self._frame: Frame | None = None
        self._guard = Guard(self.now_s)
        self._guard.connect()
        self._guard.control = True
        self._state = self._make_state()
        self._guard.saw_state(self._state)

    @property
    def stops(self) -> list[Stop]:
        """When and why the guard stopped the wheels by itself."""
        return self._guard.stops

    # -- the protocol ----------------------------------------------------------------------------------------

    def now_s(self) -> float:
        """See `Robot.now_s`."""
        return self._t_s

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot.next_frame`; time moves on by one frame, or by `timeout_s` when none comes."""
        self._raise_if_lost()
        self.wait(timeout_s if self.freeze_frames else 1 / self.fps)
        if self.freeze_frames:
            raise NoFreshFrame(f"No new camera frame came from {self.serial} within {timeout_s:g} s.")
        self._image_id += 1
        self._frame = Frame(
            self._image_id, round(self._t_s * 1000), self._t_s, self.render(self.pose, self.head_angle_rad)
        )
        self._guard.saw_frame(self._image_id, self._t_s)
        return self._frame

    def state(self) -> RobotState:
        """See `Robot.state`."""
        self._raise_if_lost()
        return self._state

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`."""
        granted = self._guard.want(left_mmps, right_mmps)
        self._keep_to_guard()
        return granted

    def stop(self) -> None:
        """See `Robot.stop`."""
        self._guard.release()
        self._keep_to_guard()

    def set_head(self, angle_rad: float) -> None:
        """See `Robot.set_head`; it is there at once."""
        self.head_angle_rad = max(HEAD_RAD[0], min(HEAD_RAD[1], angle_rad))

    def set_lift(self, height_mm: float) -> None:
        """See `Robot.set_lift`; it is there at once."""
        self.lift_height_mm = max(LIFT_MM[0], min(LIFT_MM[1], height_mm))

    def say(self, text: str) -> None:
        """See `Robot.say`."""
        self.said.append(text)

    def battery(self) -> BatteryState | None:
        """See `Robot.battery`; it has none."""
        return None

    def ground_truth(self) -> GroundTruth | None:
        """See `Robot.ground_truth`; there is no simulator behind it."""
        return None

    def close(self) -> None:
        """See `Robot.close`."""
        self.stop()

    # -- what tests do to it ---------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass without a frame."""
        until_s = self._t_s + seconds
        while self._t_s < until_s - 1e-9:
            self._move(min(TICK_S, until_s - self._t_s))
            if not self.freeze_states:
                self._show_state()
            self._keep_to_guard()

    def lose_control(self) -> None:
        """Let the robot's own behaviour take over."""
        self._guard.control = False
        self._keep_to_guard()

    def regain_control(self) -> None:
        """Let control be granted again."""
        self._guard.control = True

    def lose_link(self) -> None:
        """Make the link to the robot end for good."""
        self._lost = True
        self._guard.disconnect()
        self._keep_to_guard()

    def _raise_if_lost(self) -> None:
        if self._lost:
            raise LinkLost(f"The link to {self.serial} was lost.")

    def _show_state(self) -> None:
        """Renew the state. The guard sees one per tick; a tick with wheels that stand confirms that."""
        self._state = self._make_state()
        if self._wheels != STILL:
            self._turned_s = self._t_s
        if self._t_s - self._shown_s >= TICK_MS / 1000 - 1e-9:
            self._shown_s = self._t_s
            self._guard.saw_state(self._state)
            if self._t_s - self._turned_s >= TICK_MS / 1000:
                self._guard.confirm_standing()

    def _keep_to_guard(self) -> None:
        wheels = self._guard.wheels()
        if wheels != self._wheels:
            self._wheels = wheels
            self._guard.sent(wheels)
            self.commands.append((round(self._t_s, 6), *wheels))

    def _move(self, dt_s: float) -> None:
        """Along the circle on which both wheels roll without slip."""
        left, right = self._wheels
        self.pose = driven(self.pose, (left + right) / 2 * dt_s, (right - left) / TRACK_MM * dt_s)
        self._t_s += dt_s

    def _make_state(self) -> RobotState:
        return RobotState(
            self._t_s,
            *self.pose,
            self.head_angle_rad,
            self.lift_height_mm,
            *self._wheels,
            self.range_mm,
            picked_up=self.picked_up,
            falling=self.falling,
            cliff=self.cliff,
            being_held=self.being_held,
            image_time_ms=self._frame.robot_time_ms if self._frame else 0,
        )
