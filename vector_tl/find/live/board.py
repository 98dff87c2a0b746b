"""Between the loop and a person: what the loop does goes one way; start, pause and stop go the other way.

The loop posts references to what it has anyway; pages and keys make text and images of them, in threads of
their own. A person's action does not wait for the loop: pause and stop close the switch before the wheels and
stop them, whatever the loop is doing.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from vector_tl.errors import UserError
from vector_tl.find.memory import MotionCommand
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import Target
from vector_tl.robot.base import ForwardingRobot, Frame, Robot, RobotState

ACTIONS = ("start", "pause", "stop")
STATE_LINES = {
    "waiting": "waiting for a person to start it",
    "running": "started by a person",
    "paused": "paused by a person",
    "stopped": "stopped by a person",
}
LOG_LINES = 200
STALE_S = 0.35  # what is decided on an older image is decided late
RATE_OVER = 30  # frames


@dataclass(frozen=True)
class Snapshot:
    """One turn of the loop."""

    frame: Frame
    size_wh: tuple[int, int]  # of the image
    boxes_xyxy: np.ndarray  # (N, 4)
    scores: np.ndarray  # (N,)
    state: RobotState
    command: MotionCommand
    sent: bool  # whether the wheels were granted
    target: Target | None
    now_s: float  # by the link's clock, when it was decided
    delay_s: float  # of the frame, beyond the camera's usual one


@dataclass(frozen=True)
class SecondDetections:
    """What the second detector, which never steers, saw last."""

    name: str
    image_id: int
    boxes_xyxy: np.ndarray  # (N, 4)
    scores: np.ndarray  # (N,)
    ms: float  # JPEG to boxes


class Board:
    """A run's board and its switch.

    Attributes:
        robot: the robot behind the switch; the loop must use no other.
        state: `waiting` for its first start, `running`, `paused`, `stopped` for good.
        about: facts of the run that do not change.
        shown: what the loop did last.
        also: what the second detector saw last.
        ended: how the run has ended; None while it lasts.
        dropped: frames that the loop has missed.
        stale: frames that it decided on late.
        laps_ms: by stage of the loop, how long each took; see `StageClock`.
        commands_ms: from each frame's arrival to the command that follows from it.
    """

    def __init__(self, robot: Robot, settings: FindSettings, about: dict[str, Any] | None = None):
        self.robot, self._robot = Switched(robot, self), robot
        self.settings, self.about = settings, about or {}
        self.state = "waiting" if settings.waits_for_start() else "running"
        self.shown: Snapshot | None = None
        self.also: SecondDetections | None = None
        self.ended: str | None = None
        self.dropped = self.stale = 0
        self.laps_ms: dict[str, list[float]] = {}
        self.commands_ms: list[float] = []
        self._lock = threading.Lock()
        self._paused_s, self._paused_since_s = 0.0, robot.now_s()
        self._log: deque[tuple[int, float, str]] = deque(maxlen=LOG_LINES)  # number, seconds of the run, line
        self._lines = 0
        self._last_id: int | None = None
        self._id_step: int | None = None
        self._times_s: deque[float] = deque(maxlen=RATE_OVER)

    # -- the switch ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the wheels may turn."""
        return self.state == "running"

    @property
    def stopped(self) -> bool:
        """Whether a person has ended the run."""
        return self.state == "stopped"

    def press(self, action: str) -> None:
        """Do what a person wants: `start` (or continue), `pause` or `stop`.

        After the last two the wheels have been stopped when this returns.

        Raises:
            ValueError: another word.
        """
        if action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}")
        self.set_switch(action)
        if action != "start":
            self._robot.stop()
        elif self.running:
            self.robot.catch_up()

    def set_switch(self, action: str) -> None:
        """Set the switch alone, at once.

        From now on only stops reach the wheels, or, with `start`, all commands.
        """
        with self._lock:
            was, now_s = self.state, self._robot.now_s()
            if was == "stopped" or self.ended is not None or (action == "pause" and was == "waiting"):
                return
            self.state = {"start": "running", "pause": "paused", "stop": "stopped"}[action]
            if was == "running" and self.state != was:
                self._paused_since_s = now_s
            elif was != "running" and self.state == "running":
                self._paused_s += now_s - self._paused_since_s

    def paused_s(self) -> float:
        """How long a person has paused the run so far, by the link's clock; not in its time limit."""
        with self._lock:
            return self._paused_s + (0.0 if self.running else self._robot.now_s() - self._paused_since_s)

    # -- the board -------------------------------------------------------------------------------------------

    def begin_run(self, laps_ms: dict[str, list[float]], commands_ms: list[float]) -> None:
        """Begin to count time, and show the loop's own, which only grow."""
        self.laps_ms, self.commands_ms = laps_ms, commands_ms
        with self._lock:
            self._paused_s, self._paused_since_s = 0.0, self._robot.now_s()

    def post(self, shown: Snapshot) -> None:
        """Show this from now on. Costs the loop some microseconds."""
        image_id = shown.frame.image_id
        if self._last_id is not None and image_id > self._last_id:
            gap = image_id - self._last_id
            self._id_step = min(self._id_step or gap, gap)  # some cameras count in steps
            self.dropped += gap // self._id_step - 1
        self._last_id = image_id
        self.stale += shown.now_s - shown.frame.received_s + shown.delay_s > STALE_S
        self._times_s.append(time.monotonic())
        self.shown = shown

    def note(self, t_s: float, line: str) -> None:
        """Add a line to the log."""
        with self._lock:
            self._lines += 1
            self._log.append((self._lines, t_s, line))

    def log(self, after: int = 0) -> list[tuple[int, float, str]]:
        """The lines since number `after`, as far as they are kept."""
        with self._lock:
            return [entry for entry in self._log if entry[0] > after]

    def fps(self) -> float | None:
        """Turns of the loop per second, lately; None before there are two."""
        times_s = list(self._times_s)
        if len(times_s) < 2 or times_s[-1] <= times_s[0]:
            return None
        return (len(times_s) - 1) / (times_s[-1] - times_s[0])

    def newest_state(self) -> RobotState | None:
        """A state newer than the loop's, when that waits for a frame; None without a link."""
        try:
            return self._robot.state()
        except UserError:
            return None

    def end(self, how: str) -> None:
        """Note how the run has ended; the first time counts."""
        with self._lock:
            self.ended = self.ended or how


class Switched(ForwardingRobot):
    """The robot that the loop drives: what moves it passes only while the switch says `running`."""

    def __init__(self, robot: Robot, live: Board):
        super().__init__(robot)
        self._live = live
        self._lift_mm: float | None = None  # asked for before the start

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`."""
        if not self._live.running:
            return False
        granted = self._robot.drive(left_mmps, right_mmps)
        if self._live.running:
            return granted
        self._robot.stop()  # the switch was closed meanwhile: the stop comes last
        return False

    def set_head(self, angle_rad: float) -> None:
        """See `Robot.set_head`."""
        if self._live.running:
            self._robot.set_head(angle_rad)

    def set_lift(self, height_mm: float) -> None:
        """See `Robot.set_lift`; what is asked for before the start is done then."""
        if self._live.running:
            self._robot.set_lift(height_mm)
        else:
            self._lift_mm = height_mm

    def say(self, text: str) -> None:
        """See `Robot.say`."""
        if self._live.running:
            self._robot.say(text)

    def catch_up(self) -> None:
        """Do what was asked for before the start."""
        height_mm, self._lift_mm = self._lift_mm, None
        if height_mm is not None:
            self._robot.set_lift(height_mm)
