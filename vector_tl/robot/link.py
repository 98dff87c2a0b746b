"""A guarded Vector over the SDK: the only way from this project to a robot's wheels.

One thread, the watchdog, sends all wheel commands: the newest wanted speeds at most 20 times a second, a stop
at once, and by itself when the guard says so. A lost link is made again for as long as allowed; the wheels
then stand still until they are asked for anew.
"""

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_all
from pathlib import Path
from typing import Any

from vector_tl.errors import UserError
from vector_tl.robot.base import BatteryState, Frame, Intrinsics, LinkLost, NoFreshFrame, RobotState, Stop
from vector_tl.robot.guard import STILL, Guard, Limits
from vector_tl.robot.session import CALL_S, Session, battery_of
from vector_tl.robot.simulator_client import TruthClient

log = logging.getLogger(__name__)
WATCH_S = 0.02  # how often the watchdog looks
COMMAND_EVERY_S = 0.05
DEAD_STATE_S, DEAD_FRAME_S = 1.0, 3.0  # silence after which the link counts as lost
BACK_OFF_S = (0.2, 1.0, 2.0, 4.0, 8.0, 10.0)
STOP_TRIES = 3
STOP_S = 2.0  # until when a stop may arrive
BATTERY_EVERY_S = 5.0
LIMITS = Limits()
JPEG_START = b"\xff\xd8"
CONNECT_S, RECONNECT_TRY_S, FIRST_STATE_S, SPEECH_S = 8.0, 2.0, 2.0, 4.0


class VectorLink:
    """A `Robot` (see `robot/base.py`) over the SDK. Use `open_robot`, which closes it again.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
        reconnect_s: how long to try for a lost link.
        truth: the simulator's ground-truth channel, None on a robot.

    Raises:
        UserError: the robot cannot be connected to; the message says what to do.
    """

    _command_s = CALL_S  # deadline of a wheel command

    def __init__(self, serial: str, home: Path, reconnect_s: float = 30.0, truth: TruthClient | None = None):
        self.serial, self._truth = serial, truth
        self._home, self._reconnect_s = Path(home), reconnect_s
        # Guards everything below; reentrant, so that a signal's handler may stop the wheels.
        self._changed = threading.Condition()
        self._guard = Guard(self.now_s, LIMITS)
        self._frame: Frame | None = None
        self._state: RobotState | None = None
        self._lost: str | None = None  # why there is no link now
        self._give_up_s = 0.0
        self._dead: LinkLost | None = None  # set once the link is lost for good
        self._asked = False  # speeds have been asked for that are not sent yet
        self._sent: tuple[float, float] | None = STILL  # None: not confirmed
        self._silent_s: float | None = None  # since when no command has been confirmed
        self._sent_s = self._state_heard_s = self._frame_heard_s = time.monotonic()
        self._sending = threading.Lock()
        self._closing = threading.Event()
        self._session: Session | None = None
        self._speech: Future[Any] | None = None
        self._battery_asked_s = 0.0
        self._watchdog = threading.Thread(target=self._watch, name="wheel watchdog", daemon=True)
        session = self._connect(CONNECT_S)
        self._take(session)
        self.intrinsics: Intrinsics = session.intrinsics
        self._watchdog.start()

    @property
    def stops(self) -> list[Stop]:
        """When and why the guard stopped the wheels by itself."""
        return self._guard.stops

    def now_s(self) -> float:
        """See `Robot.now_s`."""
        return time.monotonic()

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot.next_frame`."""

        def is_new(frame: Frame | None) -> bool:
            return (
                frame is not None
                and frame.image_id != after_id
                and self.now_s() - frame.received_s <= LIMITS.frame_age_s
            )

        with self._changed:
            if not self._changed.wait_for(lambda: self._dead or is_new(self._frame), timeout_s):
                why = f" ({self._lost}; trying to connect again)" if self._lost else ""
                raise NoFreshFrame(
                    f"No new camera frame came from {self.serial} within {timeout_s:g} s{why}."
                )
            if self._dead or self._frame is None:
                raise self._dead or NoFreshFrame(f"No camera frame came from {self.serial}.")
            return self._frame

    def state(self) -> RobotState:
        """See `Robot.state`."""
        with self._changed:
            self._changed.wait_for(lambda: self._dead or self._state is not None, FIRST_STATE_S)
            if self._dead or self._state is None:
                raise self._dead or LinkLost(
                    f"{self.serial} sends no states; restart it, or restart wire-pod."
                )
            return self._state

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`."""
        with self._changed:
            granted = self._guard.want(left_mmps, right_mmps)
            self._asked = True
            self._changed.notify_all()
            return granted

    def stop(self) -> None:
        """Stop the wheels now, whatever the last command was.

        Returns once the robot has confirmed it, or does not answer.
        """
        with self._changed:
            self._guard.release()
        for _ in range(STOP_TRIES):
            if self._session is None or self._send(STILL):
                return

    def set_head(self, angle_rad: float) -> None:
        """See `Robot.set_head`."""
        self._begin(lambda session: session.set_head(angle_rad))

    def set_lift(self, height_mm: float) -> None:
        """See `Robot.set_lift`."""
        self._begin(lambda session: session.set_lift(height_mm))

    def say(self, text: str) -> None:
        """See `Robot.say`."""
        self._speech = self._begin(lambda session: session.say(text))

    def battery(self) -> BatteryState:
        """See `Robot.battery`."""
        session = self._session
        if session is None:
            raise LinkLost(f"{self.serial} is not connected, so its battery's charge is not known.")
        try:
            return battery_of(session.beat().result(6.0))
        except Exception as error:  # gRPC's many kinds
            raise LinkLost(
                f"{self.serial} does not report its battery's charge ({type(error).__name__})."
            ) from error

    def ground_truth(self) -> TruthClient | None:
        """See `Robot.ground_truth`."""
        return self._truth

    def close(self) -> None:
        """See `Robot.close`."""
        if self._closing.is_set():
            return
        self.stop()
        self._wait_for_speech()
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            session, self._session = self._session, None
        self._watchdog.join(2.0)
        if session is not None:
            session.close()

    def _begin(self, start: Callable[[Session], Future[Any]]) -> Future[Any] | None:
        """Start something that ends by itself; without control the robot would not do it."""
        session = self._session
        if session is None or not self._guard.control:
            log.warning("%s accepts no commands now", self.serial)
            return None
        try:
            begun = start(session)
        except RuntimeError:  # the connection ends just now
            return None
        begun.add_done_callback(self._log_failure)
        return begun

    def _log_failure(self, future: Future[Any]) -> None:
        if not self._closing.is_set() and not future.cancelled() and future.exception() is not None:
            log.warning("%s did not finish a request (%s)", self.serial, type(future.exception()).__name__)

    def _wait_for_speech(self) -> None:
        """Wait for the robot's words, as it falls silent once nobody is connected."""
        if self._speech is not None and self._lost is None:
            wait_for_all([self._speech], SPEECH_S)

    # -- wheels ----------------------------------------------------------------------------------------------

    def _keep_to_guard(self) -> bool:
        """Bring the wheels to what the guard allows, unless it is too early for another command.

        Returns False when the robot did not confirm it.
        """
        with self._changed:
            speeds = self._guard.wheels()
            if speeds == self._sent and not self._asked:
                return True
            if self._too_early(speeds):
                return True
            self._asked = False
        return self._send(speeds)

    def _too_early(self, speeds: tuple[float, float]) -> bool:
        return speeds != STILL and time.monotonic() - self._sent_s < COMMAND_EVERY_S

    def _send(self, speeds: tuple[float, float]) -> bool:
        with self._sending:
            with self._changed:
                session = self._session
                if speeds != STILL:  # the guard may have closed while we waited for our turn
                    speeds = self._guard.wheels()
            if session is None:
                return False
            self._sent_s = time.monotonic()
            stopping = speeds == STILL
            answer = session.drive(*speeds, STOP_S if stopping else self._command_s)
            try:
                self._wait_for(answer, speeds)
            except Exception as error:
                # It is unknown what the robot does: until a stop is confirmed, nothing but a stop is sent.
                if stopping:  # a stop does no harm when it comes late, and its confirmation counts
                    answer.add_done_callback(lambda late: self._on_late_stop(late, session))
                else:
                    answer.cancel()
                if self._sent is not None and not self._closing.is_set():
                    failed = (
                        "did not answer a wheel command in time"
                        if isinstance(error, TimeoutError)
                        else f"did not take a wheel command ({type(error).__name__})"
                    )
                    log.warning("%s %s; only stops are sent until it answers.", self.serial, failed)
                with self._changed:
                    self._sent, self._guard.confirmed = None, False
                    self._silent_s = self._silent_s or self._sent_s
                return False
            with self._changed:
                self._sent, self._silent_s = speeds, None
                self._guard.confirmed |= speeds == STILL
            return True

    def _on_late_stop(self, answer: Future[Any], session: Session) -> None:
        if not answer.cancelled() and answer.exception() is None:
            with self._changed:
                if self._session is session and self._sent is None:  # nothing but stops was sent since
                    self._sent, self._silent_s, self._guard.confirmed = STILL, None, True

    def _wait_for(self, answer: Future[Any], speeds: tuple[float, float]) -> None:
        """Wait for the robot's answer.

        Not once the wheels are to stop: a slow command must not keep the stop waiting.
        """
        until_s = time.monotonic() + self._command_s + 0.2
        while True:
            try:
                answer.result(WATCH_S)
                return
            except TimeoutError:
                with self._changed:
                    overtaken = speeds != STILL and self._guard.wheels() == STILL
                if answer.done() or overtaken or time.monotonic() > until_s:
                    raise

    def _watch(self) -> None:
        """The watchdog: does what the guard says, notices silence, and makes a lost link again."""
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._asked or self._lost or self._closing.is_set(), WATCH_S)
                self._asked &= self._lost is None
            if self._lost is None:
                self._tend()
            elif self._dead is None:
                self._mind_reconnecting()
            if self._lost is not None:
                self._closing.wait(WATCH_S)

    def _tend(self) -> None:
        """Do what the watchdog does while there is a link."""
        self._keep_to_guard()
        now_s = time.monotonic()
        session = self._session
        if session is not None and session.control_stream_ended:
            self._on_lost("the control stream ended")
        elif session is not None and now_s - self._battery_asked_s > BATTERY_EVERY_S:
            self._battery_asked_s = now_s
            session.beat().add_done_callback(self._on_battery)
        for heard_s, limit_s, what in (
            (self._state_heard_s, DEAD_STATE_S, "state"),
            (self._frame_heard_s, DEAD_FRAME_S, "camera frame"),
            (self._silent_s or now_s, DEAD_STATE_S, "answer to wheel commands"),
        ):
            if now_s - heard_s > limit_s:
                self._on_lost(f"no {what} for {limit_s:g} s")

    # -- the link --------------------------------------------------------------------------------------------

    def _connect(self, timeout_s: float) -> Session:
        with self._changed:
            self._guard.forget()
        return Session(
            self.serial,
            self._home,
            self._on_frame,
            self._on_state,
            self._on_control,
            self._on_lost,
            self.now_s,
            timeout_s,
        )

    def _take(self, session: Session) -> None:
        """Use a new connection: the wheels stand still, whatever they did before."""
        with self._changed:
            self._guard.connect()
            self._sent_s = self._state_heard_s = self._frame_heard_s = time.monotonic()
            self._session, self._lost, self._sent, self._silent_s = session, None, None, None
        self._send(STILL)

    def _on_frame(self, image_id: int, robot_time_ms: int, jpeg: bytes) -> None:
        with self._changed:
            self._frame = Frame(image_id, robot_time_ms, self.now_s(), jpeg)
            if jpeg.startswith(JPEG_START):  # a broken image is no sign that the camera works
                self._guard.saw_frame(image_id, self._frame.received_s)
            self._frame_heard_s = time.monotonic()
            self._changed.notify_all()

    def _on_state(self, state: RobotState) -> None:
        with self._changed:
            self._state = state
            self._guard.saw_state(state)
            self._state_heard_s = time.monotonic()
            self._changed.notify_all()

    def _on_battery(self, answer: Future[Any]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            battery = battery_of(answer.result())
            with self._changed:
                self._guard.battery_low = battery.level == "low" and not battery.charging

    def _on_control(self, granted: bool) -> None:
        with self._changed:
            self._guard.control = granted
            self._guard.wheels()  # notes why
            self._asked = True  # the watchdog stops them at once
            self._changed.notify_all()

    def _on_lost(self, why: str) -> None:
        with self._changed:
            if self._session is not None and not self._closing.is_set():
                log.error(
                    "link to %s lost: %s; trying to reconnect for %g s", self.serial, why, self._reconnect_s
                )
                self._lost, self._give_up_s = why, time.monotonic() + self._reconnect_s
                self._guard.disconnect()
                old, self._session = self._session, None
                threading.Thread(
                    target=self._reconnect, args=(old,), name="reconnecting", daemon=True
                ).start()
            self._changed.notify_all()

    def _mind_reconnecting(self) -> None:
        """Give up in time, whatever a connection attempt may still be waiting for."""
        if time.monotonic() > self._give_up_s:
            with self._changed:
                self._dead = LinkLost(
                    f"The link to {self.serial} was lost ({self._lost}) and did not come back within "
                    f"{self._reconnect_s:g} s; is the robot on and in reach?"
                )
                self._changed.notify_all()

    def _reconnect(self, old: Session) -> None:
        with contextlib.suppress(Exception):  # where only a stream broke, a stop still arrives
            old.drive(*STILL).result(CALL_S)
        closing = threading.Thread(target=old.close, name="closing", daemon=True)
        closing.start()
        closing.join(1.5)
        for pause_s in itertools.chain(BACK_OFF_S, itertools.repeat(BACK_OFF_S[-1])):
            in_time_s = max(0.5, self._give_up_s - time.monotonic() - 0.5)  # one more try just before the end
            if self._closing.wait(min(pause_s, in_time_s)) or self._dead:
                return
            try:
                session = self._connect(RECONNECT_TRY_S)
            except UserError as error:
                log.warning("%s", error)
                continue
            if self._dead or self._closing.is_set():
                session.close()
            else:
                self._take(session)
                log.info("link to %s is back; the wheels stand still until the next command", self.serial)
            return
