"""What every other package knows of a robot: frames, state, and a few verbs.

`VectorLink` (a Vector over the SDK, real or simulated) and `FakeVector` (in memory, for tests) stand behind
the same protocol.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vector_tl.errors import UserError

# Reasons of a `Stop` that do not pass by waiting, and what to do.
LOW_BATTERY, OTHER_DRIVER, NO_WATCHDOG = "battery low", "somebody else drives", "no watchdog"
OWN_ERROR = "an error in this program"
REMEDIES = {
    LOW_BATTERY: "The battery of {serial} is low: put it on its charger, then start again.",
    OTHER_DRIVER: "Somebody else seems to drive {serial}: another program, here or on another computer, or a "
    "person's voice. End that, then start again; --take-control takes control from it once.",
    NO_WATCHDOG: "The watchdog process of {serial} has ended, without which it is not driven; start again.",
    OWN_ERROR: "{serial} is not driven any more because of an error in this program, which was logged; start "
    "again, and if it comes again please report it.",
}


class LinkLost(UserError):
    """The robot no longer answers, and reconnecting within the time allowed did not help."""


class NoFreshFrame(UserError):
    """No new camera frame came within the time allowed; the wheels have been stopped.

    Attributes:
        reconnecting: whether the link is lost and is being made anew, which ends with `LinkLost` if in vain.
    """

    def __init__(self, message: str, reconnecting: bool = False):
        super().__init__(message)
        self.reconnecting = reconnecting


@dataclass(frozen=True)
class Frame:
    """One camera image exactly as received."""

    image_id: int
    robot_time_ms: int  # the robot's own time stamp
    received_s: float  # on the link's clock: `Robot.now_s()`
    jpeg: bytes


@dataclass(frozen=True)
class RobotState:
    """The robot's own report of itself (one per tick of 60 ms)."""

    received_s: float  # on the link's clock
    x_mm: float
    y_mm: float
    heading_rad: float  # left-positive
    head_angle_rad: float  # up-positive, -22 to 45 degrees
    lift_height_mm: float  # 32 to 92
    left_wheel_mmps: float
    right_wheel_mmps: float
    range_mm: float | None  # time-of-flight sensor; None when it sees nothing
    picked_up: bool = False
    falling: bool = False
    cliff: bool = False
    on_charger: bool = False
    being_held: bool = False
    pitch_rad: float = 0.0
    accel_y_mmps2: float = 0.0  # in the head, left-positive
    accel_z_mmps2: float = 9810.0  # in the head, which may look up or down
    image_time_ms: int = 0  # time stamp of the last image that the robot took


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics as the robot reports them, in pixels of its image."""

    size_wh: tuple[int, int] = (640, 360)
    focal_xy_px: tuple[float, float] = (353.0, 353.0)
    center_xy_px: tuple[float, float] = (320.0, 180.0)


@dataclass(frozen=True)
class Stop:
    """The guard stopped the wheels by itself."""

    t_s: float  # on the link's clock, since it was opened
    reason: str  # "no frame for 350 ms", "control lost", "cliff", ...
    confirmed_ms: int | None = None  # until the robot's states showed that they stand; None: not yet


@dataclass(frozen=True)
class BatteryState:
    """What the robot reports of its battery."""

    volts: float
    level: str  # "low", "nominal", "full" or "unknown"
    charging: bool


class GroundTruth(Protocol):
    """What only a simulator knows or does; see `vector_tl/sim/server/truth.py` for the answers."""

    def truth(self, image_id: int | None = None, serial: str | None = None) -> dict[str, Any]:
        """Exact boxes of an image, or (without `image_id`) where every Vector is now, seen by `serial`."""

    def mask(self, image_id: int, serial: str | None = None) -> bytes:
        """The instance mask of one of the newest images, as PNG in grey levels.

        0 is the background; where Vector n of the image's truth is seen, the level is n + 1.
        """

    def place(self, vectors: list[dict[str, Any]]) -> dict[str, Any]:
        """Put Vectors somewhere else, as a person's hand would. Raises `UserError` where there is no room."""

    def world(self, seed: int, kinds: Sequence[str] = ()) -> dict[str, Any]:
        """Move the same robots into another room, which may be of harder kinds (`data.kinds.KNOWN_KINDS`).

        Returns:
            the clock; "ground_mm": half of the ground's size, x and y; "things": what stands and lies in it,
            each {"x_mm", "y_mm", "heading_rad", "half_x_mm", "half_y_mm", "height_mm", "kind", "round"}.
        """


class Robot(Protocol):
    """A guarded robot. Every method may be called from any thread and returns within a bounded time."""

    serial: str
    intrinsics: Intrinsics

    @property
    def stops(self) -> list[Stop]:
        """When and why the guard stopped the wheels by itself."""

    def now_s(self) -> float:
        """The link's clock: monotonic seconds, or the simulated world's time in lockstep."""

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """The newest frame whose `image_id` differs from `after_id`, waiting up to `timeout_s`.

        In lockstep this is also what moves the world on to its next frame.
        Raises `NoFreshFrame` when none came, `LinkLost` when the link is gone for good.
        """

    def state(self) -> RobotState:
        """The latest state. Raises `LinkLost` when there is none."""

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """Set the wheel speeds for the next 300 ms (the lease); repeat to keep them.

        Returns False, and leaves the wheels stopped, while the guard holds them (old frames or states,
        control lost, an edge, picked up).
        """

    def stop(self) -> None:
        """Stop the wheels now."""

    def set_head(self, angle_rad: float) -> None:
        """Start moving the head; `state()` says where it is."""

    def set_lift(self, height_mm: float) -> None:
        """Start moving the lift."""

    def say(self, text: str) -> None:
        """Start saying `text`; a failure to speak is logged, never raised."""

    def battery(self) -> BatteryState | None:
        """Ask for the battery's charge, which takes up to some seconds; None on a robot without one (a fake).

        Raises `LinkLost` when the robot does not answer.
        """

    def ground_truth(self) -> GroundTruth | None:
        """Give access to the simulator's ground truth; None on a real robot."""

    def close(self) -> None:
        """Stop the wheels and end every stream and thread; safe to call twice."""


class ForwardingRobot:
    """A robot in front of another one, to which it passes everything on. Subclasses change some of it."""

    def __init__(self, robot: Robot):
        self._robot = robot
        self.serial, self.intrinsics = robot.serial, robot.intrinsics

    @property
    def stops(self) -> list[Stop]:
        """See `Robot.stops`."""
        return self._robot.stops

    def now_s(self) -> float:
        """See `Robot.now_s`."""
        return self._robot.now_s()

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot.next_frame`."""
        return self._robot.next_frame(after_id, timeout_s)

    def state(self) -> RobotState:
        """See `Robot.state`."""
        return self._robot.state()

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`."""
        return self._robot.drive(left_mmps, right_mmps)

    def stop(self) -> None:
        """See `Robot.stop`."""
        self._robot.stop()

    def set_head(self, angle_rad: float) -> None:
        """See `Robot.set_head`."""
        self._robot.set_head(angle_rad)

    def set_lift(self, height_mm: float) -> None:
        """See `Robot.set_lift`."""
        self._robot.set_lift(height_mm)

    def say(self, text: str) -> None:
        """See `Robot.say`."""
        self._robot.say(text)

    def battery(self) -> BatteryState | None:
        """See `Robot.battery`."""
        return self._robot.battery()

    def ground_truth(self) -> GroundTruth | None:
        """See `Robot.ground_truth`."""
        return self._robot.ground_truth()

    def close(self) -> None:
        """See `Robot.close`."""
        self._robot.close()
