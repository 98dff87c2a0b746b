"""A robot whose wheels the doctor turns: every doubt stops them, and ends all driving."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from vector_tl.doctor.wheels.bare import BareRobot
from vector_tl.doctor.wheels.measures import forward_mm, turns
from vector_tl.errors import UserError
from vector_tl.robot.base import RobotState
from vector_tl.robot.evidence import explained_by
from vector_tl.robot.stopping import Stopping, StopResult, shout
from vector_tl.robot.watchdog.watchdog import Watchdog
from vector_tl.robot.wire import Wire

SPEED_MMPS = 40.0
ROOM_MM = 60.0  # so far it may get from its first place, forward or back; measured: docs/robots.md
FREE_MM = 100.0  # nothing may stand nearer before it
SILENT_S = 0.5  # without a state for so long, wheels are stopped
AGAIN_S = 0.1  # a command is sent again that often
LOOK_S = 0.01
ASK_AGAIN_S = 1.0  # a release of somebody else's may have crossed with the request
READY_S, GRANT_S, GIVE_UP_S = 8.0, 5.0, 60.0


class Doubt(UserError):
    """Something is not as it should be: wheels are stopped, and nothing drives any more."""


@dataclass
class Episode:
    """One drive: what the page draws of it."""

    title: str
    begun_s: float
    marks: list[tuple[float, str]] = field(default_factory=list)  # when what happened
    states: list[RobotState] = field(default_factory=list)


class Rig:
    """The doctor's hands on a robot, from the first look to wheels at rest.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
        wheels_up: whether its wheels are off the ground; otherwise it stands on a table.

    Raises:
        UserError: no such robot in `sdk_config.ini`.
    """

    def __init__(self, serial: str, home: Path, wheels_up: bool):
        self.serial, self.home, self.wheels_up = serial, home, wheels_up
        self.robot = BareRobot(serial, home)
        self.episodes: list[Episode] = []
        self.begin: RobotState | None = None
        self._speed_mmps, self._standing = 0.0, True
        self._halted = ""
        self._stopping = threading.RLock()
        self._watchdog = Watchdog(serial, home)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        try:
            self.stop()
        finally:
            if self._standing:  # else the watchdog outlives us, and goes on stopping
                self._watchdog.end()
            self.robot.close()

    # -- looking ---------------------------------------------------------------------------------------------

    def begin_to_watch(self) -> RobotState:
        """Wait for the first state and for our watchdog.

        Raises:
            Doubt: they do not come, or the robot is not where its wheels may turn.
        """
        self.robot.watch()
        until_s = time.monotonic() + READY_S
        while not (self.robot.states and self._watchdog.ready):
            if time.monotonic() > until_s:
                what = (
                    "our watchdog process is not ready" if self.robot.states else "the robot sends no state"
                )
                raise Doubt(f"{what} within {READY_S:.0f} s")
            time.sleep(LOOK_S)
        self.begin = self.robot.states[-1]
        range_mm = self.begin.range_mm
        if range_mm is not None and range_mm < FREE_MM and not self.wheels_up:
            raise Doubt(f"something stands {range_mm:.0f} mm before it; {FREE_MM:.0f} mm must be free")
        self.look()
        return self.begin

    def look(self) -> None:
        """Raise `Doubt` when wheels must not turn, or not any more."""
        reason = self._halted or self._reason()
        if reason:
            raise Doubt(reason)

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Watch the robot for so long, or until something is so; returns whether it is.

        Raises:
            Doubt: see `look`.
        """
        end_s = time.monotonic() + seconds
        while not until():
            if time.monotonic() >= end_s:
                return False
            self.look()
            self._show_life()
            time.sleep(LOOK_S)
        return True

    def halt(self, reason: str) -> None:
        """Let the next look raise `Doubt`; from any thread."""
        self._halted = reason

    @contextlib.contextmanager
    def episode(self, title: str) -> Iterator[Episode]:
        """Within the block, one drive for the page."""
        now = Episode(title, time.monotonic())
        self.episodes.append(now)
        try:
            yield now
        finally:
            now.states = [state for state in self.robot.states if state.received_s >= now.begun_s]

    def mark(self, text: str) -> float:
        """Note what happens now, for the page; returns the time."""
        now_s = time.monotonic()
        if self.episodes:
            self.episodes[-1].marks.append((now_s, text))
        return now_s

    def reach_mm(self) -> tuple[float, float]:
        """How far behind its first place (negative) and before it the robot has been, by its odometry."""
        begin = self.begin
        if begin is None:
            return 0.0, 0.0
        places = [
            forward_mm(begin, state) for state in self.robot.states if state.received_s >= begin.received_s
        ]
        return min(places), max(places)

    def _reason(self) -> str:
        state, begin = self.robot.states[-1], self.begin or self.robot.states[0]
        if time.monotonic() - state.received_s > SILENT_S:
            return f"no state of the robot for {SILENT_S * 1000:.0f} ms"
        if self._watchdog.dead:
            return "our watchdog process has ended"
        if self._watchdog.stepped_in:
            return f"our watchdog process stepped in ({self._watchdog.report})"
        on_ground = not self.wheels_up
        said = {
            "it is picked up": on_ground and state.picked_up,
            "it is being held": on_ground and state.being_held,
            "it falls": state.falling,
            "it reports an edge": state.cliff and (on_ground or not begin.cliff),
            "it is on its charger: take it off": state.on_charger,
            f"it is {ROOM_MM:.0f} mm from where it began": on_ground and self._is_far(begin, state),
        }
        return next((reason for reason, holds in said.items() if holds), "")

    def _is_far(self, begin: RobotState, state: RobotState) -> bool:
        return math.hypot(state.x_mm - begin.x_mm, state.y_mm - begin.y_mm) > ROOM_MM

    # -- driving ---------------------------------------------------------------------------------------------

    def take_control(self) -> float:
        """Ask for control at DEFAULT; returns how long the grant took, in ms.

        Raises:
            Doubt: it is not granted.
        """
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < GRANT_S:
            self.robot.ask_default()
            if self.watch(ASK_AGAIN_S, lambda: any(at_s >= begun_s for at_s in self.robot.granted_s)):
                return (self.robot.granted_s[-1] - begun_s) * 1000
        raise Doubt(f"the robot gave no control within {GRANT_S:.0f} s")

    def drive(self, mmps: float, seconds: float) -> None:
        """Turn both wheels, and leave them turning.

        Raises:
            Doubt: see `look`; or they do not turn so.
        """
        self.mark(f"{mmps:+.0f} mm/s")
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self.expect(mmps)
            self.robot.drive(mmps)
            self.watch(min(AGAIN_S, left_s))
        if not turns(self.robot.states, mmps):
            raise Doubt(f"its wheels do not turn at the {mmps:+.0f} mm/s that were asked for")

    def expect(self, mmps: float) -> None:
        """Note that wheels may turn at this speed from now on, before it is commanded."""
        self._speed_mmps, self._standing = mmps, False
        self._show_life()

    def confirm_stop(self, whoever_drives: bool = False) -> StopResult:
        """Stop the wheels by the rule of `robot/stopping.py`, and say how that went."""
        with self._stopping:
            self.mark("stop")
            stopping = Stopping(
                lambda: Wire(self.serial, self.home),
                self.robot,
                None if whoever_drives else self._is_ours,
                GIVE_UP_S,
                lambda: shout(self.serial),
            )
            result = stopping.run(self._show_life)
            if (
                result.stopped or result.foreign
            ):  # else our watchdog goes on, as nothing is shown to it any more
                self.rest()
            return result

    def rest(self) -> None:
        """Note that the wheels have been seen to stand, or are not ours to stop."""
        self._speed_mmps, self._standing = 0.0, True
        self._watchdog.feed(0.0, 0.0, standing=True)

    def stop(self) -> None:
        """Stop the wheels, unless they are known to stand."""
        with self._stopping:
            if not self._standing:
                self.confirm_stop()

    def _is_ours(self, left_mmps: float, right_mmps: float) -> bool:
        """Whether our last command explains what the wheels do; they have stood before it."""
        return explained_by([(self._speed_mmps, self._speed_mmps)], left_mmps, right_mmps)

    def _show_life(self) -> bool:
        if not self._standing:
            self._watchdog.feed(self._speed_mmps, self._speed_mmps)
        return True
