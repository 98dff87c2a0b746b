"""A guarded Vector over the SDK: the only way from this project to a robot's wheels.

The robot is real or simulated; the code path is the same. In lockstep the simulated world moves only when `next_frame` asks for
it, the clock is the world's, and everything that happens is the same for the same commands.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, Intrinsics, LinkLost, NoFreshFrame, RobotState, Stop
from vector_tl.robot.guard import STILL, Guard
from vector_tl.robot.session import Session
from vector_tl.robot.simulator import SimulatorGone, TruthClient

log = logging.getLogger(__name__)
WATCH_S = 0.02  # how often the watchdog looks
DEAD_STATE_S, DEAD_FRAME_S = 1.0, 3.0  # silence after which the link counts as lost
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 4.0, 10.0)
STOP_TRIES = 3
FRAME_WAIT_S = 10.0  # wall time that a lockstep frame may take


class VectorLink:
    """A `Robot` (see `robot/base.py`) over the SDK. Use `open_robot`, which closes it again.

    Raises:
        UserError: the robot cannot be connected to; the message says what to do.
    """

    def __init__(self, serial: str, home: Path, reconnect_s: float = 30.0, lockstep: TruthClient | None = None):
        self.serial, self.truth = serial, None
        self._home, self._reconnect_s, self._lockstep = Path(home), reconnect_s, lockstep
        self._world_s = lockstep.log(1e15)["t_ms"] / 1000 if lockstep else 0.0
        self._changed = threading.Condition()  # guards everything below
        self._guard = Guard(self.now_s)
        self._frame: Frame | None = None
        self._state: RobotState | None = None
        self._lost: str | None = None
        self._dead: LinkLost | None = None
        self._sent, self._send_lock = STILL, threading.Lock()
        self._closing = threading.Event()
        self._heard_s = time.monotonic()
        self._session = self._connect()
        self.intrinsics: Intrinsics = self._session.intrinsics
        self._watchdog = threading.Thread(target=self._watch, name="wheel watchdog", daemon=True)
        self._watchdog.start()

    @property
    def stops(self) -> list[Stop]:
        """When and why the guard stopped the wheels by itself."""
        return self._guard.stops

    def now_s(self) -> float:
        """The link's clock: monotonic seconds, or in lockstep the world's."""
        return self._world_s if self._lockstep else time.monotonic()

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot.next_frame`."""
        if self._lockstep:
            return self._step()
        with self._changed:
            if not self._changed.wait_for(lambda: self._dead or (self._frame is not None and self._frame.image_id != after_id), timeout_s):
                raise NoFreshFrame(f"No new camera frame came from {self.serial} within {timeout_s:g} s{self._why_silent()}.")
            if self._dead:
                raise self._dead
            return self._frame

    def _why_silent(self) -> str:
        return f" ({self._lost}; trying to reconnect)" if self._lost else ""

    def _step(self) -> Frame:
        """Lockstep: move the world to its next frame and wait until that frame and the state of its moment have arrived."""
        self._keep_to_guard()
        before = self._frame.image_id if self._frame else None
        try:
            answer = self._lockstep.step(frames=1)
        except SimulatorGone as error:
            self._on_lost(str(error))
            with self._changed:
                self._changed.wait_for(lambda: self._dead, self._reconnect_s + 5)
                raise self._dead or LinkLost(str(error)) from error
        image_id = answer["image_ids"].get(self.serial)
        self._world_s = answer["t_ms"] / 1000
        with self._changed:
            def arrived() -> bool:
                frame, state = self._frame, self._state
                return frame is not None and frame.image_id == image_id and state is not None and state.image_time_ms == frame.robot_time_ms

            if image_id == before or not self._changed.wait_for(lambda: self._dead or arrived(), FRAME_WAIT_S):
                self._keep_to_guard()
                raise NoFreshFrame(f"The simulated camera of {self.serial} gave no new frame.")
            if self._dead:
                raise self._dead
            self._frame = replace(self._frame, received_s=self._world_s)
            self._guard.saw_frame(self._world_s)
            self._guard.saw_state(self._state)
        self._keep_to_guard()
        return self._frame

    def state(self) -> RobotState:
        """See `Robot.state`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._dead or self._state is not None, 2.0) or self._dead:
                raise self._dead or LinkLost(f"{self.serial} sends no states.")
            return self._state

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`."""
        with self._changed:
            granted = self._guard.want(left_mmps, right_mmps)
        return self._keep_to_guard() and granted

    def stop(self) -> None:
        """Stop the wheels now, whatever the last command was."""
        with self._changed:
            self._guard.release()
        for _ in range(STOP_TRIES):
            if self._send(STILL):
                return

    def set_head(self, angle_rad: float) -> None:
        """See `Robot.set_head`."""
        self._begin(lambda session: session.set_head(angle_rad))

    def set_lift(self, height_mm: float) -> None:
        """See `Robot.set_lift`."""
        self._begin(lambda session: session.set_lift(height_mm))

    def say(self, text: str) -> None:
        """See `Robot.say`."""
        self._begin(lambda session: session.say(text))

    def _begin(self, start: Callable) -> None:
        """Start something that ends by itself; in lockstep, be sure that it has arrived before the world moves on."""
        session = self._session
        if session is None:
            return
        try:
            start(session).add_done_callback(_log_failure)
            if self._lockstep:
                session.beat().result(5.0)
        except Exception as error:
            log.warning("%s did not take a command (%s)", self.serial, type(error).__name__)

    def _keep_to_guard(self) -> bool:
        """Bring the wheels to what the guard allows; False when the robot did not confirm it in time."""
        with self._changed:
            speeds = self._guard.wheels()
        if speeds == STILL and self._sent == STILL:
            return True
        return self._send(speeds)

    def _send(self, speeds: tuple[float, float]) -> bool:
        with self._send_lock:
            session = self._session
            if session is None:
                return False
            if speeds != STILL:  # the guard may have closed while we waited for our turn
                with self._changed:
                    speeds = self._guard.wheels()
            try:
                session.drive(*speeds).result(0.5)
            except Exception as error:
                log.warning("wheel command not confirmed (%s)", type(error).__name__)
                self._sent = None  # unknown: a stop must be sent again
                return False
            self._sent = speeds
            return True

    def _connect(self) -> Session:
        with self._changed:
            self._lost = None
        session = Session(self.serial, self._home, self._on_frame, self._on_state, self._on_control, self._on_lost, self.now_s)
        with self._changed:
            self._heard_s = time.monotonic()
            self._guard.connected = True
            self._guard.release()
        return session

    def _on_frame(self, image_id: int, robot_time_ms: int, jpeg: bytes) -> None:
        with self._changed:
            self._frame = Frame(image_id, robot_time_ms, self.now_s(), jpeg)
            if not self._lockstep:
                self._guard.saw_frame(self._frame.received_s)
            self._frame_heard_s = time.monotonic()
            self._changed.notify_all()

    def _on_state(self, state: RobotState) -> None:
        with self._changed:
            self._state = state
            self._heard_s = time.monotonic()
            if not self._lockstep:
                self._guard.saw_state(state)
            self._changed.notify_all()

    def _on_control(self, granted: bool) -> None:
        with self._changed:
            self._guard.control = granted
            if granted:
                self._guard.release()  # wait for a new command
            self._changed.notify_all()

    def _on_lost(self, why: str) -> None:
        with self._changed:
            if self._lost is None and not self._closing.is_set():
                self._lost = why
                self._guard.wheels()
                self._guard.connected = False
                log.error("link to %s lost: %s", self.serial, why)
            self._changed.notify_all()

    def _watch(self) -> None:
        """The watchdog: wheels by the guard's word, silence noticed, the link made again."""
        while not self._closing.wait(WATCH_S):
            if not self._lockstep:
                self._keep_to_guard()
                if self._lost is None:
                    now = time.monotonic()
                    if self._session.control_stream_ended:
                        self._on_lost("the control stream ended")
                    elif now - self._heard_s > DEAD_STATE_S:
                        self._on_lost(f"no state for {DEAD_STATE_S:g} s")
                    elif now - getattr(self, "_frame_heard_s", now) > DEAD_FRAME_S:
                        self._on_lost(f"no frame for {DEAD_FRAME_S:g} s")
            if self._lost is not None and self._dead is None:
                self._reconnect()

    def _reconnect(self) -> None:
        why, until_s = self._lost, time.monotonic() + self._reconnect_s
        if not self._lockstep:
            self._send(STILL)  # where only a stream broke, a stop still arrives
        session, self._session = self._session, None
        closing = threading.Thread(target=session.close, daemon=True)
        closing.start()
        closing.join(2.5)
        for pause_s in (*BACK_OFF_S, *[BACK_OFF_S[-1]] * 100):
            left_s = until_s - time.monotonic()
            if self._closing.wait(max(0.0, min(pause_s, left_s))) or left_s <= 0:
                break
            try:
                self._session = self._connect()
                self._frame_heard_s = time.monotonic()
                log.info("link to %s is back", self.serial)
                return
            except UserError as error:
                self._lost = self._lost or why
                log.warning("%s", error)
        with self._changed:
            self._lost = why
            self._dead = LinkLost(f"The link to {self.serial} was lost ({why}) and did not come back within {self._reconnect_s:g} s; is the robot on and in reach?")
            self._changed.notify_all()

    def close(self) -> None:
        """See `Robot.close`."""
        if self._closing.is_set():
            return
        if self._dead is None and self._session is not None:
            self.stop()
        self._closing.set()
        self._watchdog.join(4.0)
        if self._session is not None:
            self._session.close()


def _log_failure(future) -> None:
    with contextlib.suppress(Exception):
        error = future.exception()
        if error is not None:
            log.info("the robot did not finish a request (%s)", type(error).__name__)
