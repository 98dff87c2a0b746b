"""A guarded Vector over the SDK: the only way from this project to a robot's wheels.

One thread, the control thread, sends all wheel commands: the newest wanted speeds at most 20 times a second,
a stop at once, and by itself when the guard says so. It alone feeds the watchdog process, which stops the
robot when this program no longer can. A lost link is made again for as long as allowed; the wheels then stand
still until they are asked for anew.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_all
from functools import partial
from pathlib import Path
from typing import Any

from vector_tl.errors import UserError
from vector_tl.robot.asking import Asking
from vector_tl.robot.base import (
    NO_WATCHDOG,
    OTHER_DRIVER,
    REMEDIES,
    BatteryState,
    Frame,
    Intrinsics,
    LinkLost,
    NoFreshFrame,
    RobotState,
    Stop,
)
from vector_tl.robot.guard import Guard, Limits
from vector_tl.robot.jpeg import is_whole
from vector_tl.robot.leaving import stop_for_all, wait_for_other_driver
from vector_tl.robot.reading import NO_EFFECT
from vector_tl.robot.session import RELEASED_S, Session, battery_of, failure_of
from vector_tl.robot.simulator_client import TruthClient
from vector_tl.robot.watched import NOT_READY, Watched
from vector_tl.robot.wheels import Wheels
from vector_tl.robot.wire import Wire
from vector_tl.system import waking_and_sleeping_s

log = logging.getLogger(__name__)
WATCH_S = 0.02  # how often the control thread looks
FROZEN_S = 0.5  # a control thread that has not looked for so long was frozen
DEAF_S = 0.15  # after that, what comes has waited in buffers
READY_DELAYS = 8  # so many times there and back until connections are made and a stop is seen
DEAD_STATE_S, DEAD_FRAME_S = 1.0, 3.0  # silence after which the link counts as lost
BACK_OFF_S = (0.2, 1.0, 2.0, 4.0, 8.0, 10.0)
STOP_WAIT_S = 3.0  # for the confirmation of a stop: longer than until the shout
STOP_FIRST_S = 1.0  # for a stop, before the broken connection is closed
BATTERY_EVERY_S = 5.0
LIMITS = Limits()
CONNECT_S, RECONNECT_TRY_S, READY_S, FIRST_STATE_S, SPEECH_S = 8.0, 2.0, 3.0, 2.0, 4.0


class VectorLink:
    """A `Robot` (see `robot/base.py`) over the SDK. Use `open_robot`, which closes it again.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
        reconnect_s: how long to try for a lost link.
        truth: the simulator's ground-truth channel, None on a robot.
        watched: by the process that stops the robot when this program fails; None where nothing drives.
        take_control: whether control may be taken once more from another program.

    Raises:
        UserError: the robot cannot be connected to; the message says what to do.
    """

    _wheels_kind: type[Wheels] = Wheels

    def __init__(
        self,
        serial: str,
        home: Path,
        reconnect_s: float = 30.0,
        truth: TruthClient | None = None,
        watched: Watched | None = None,
        take_control: bool = False,
    ):
        self.serial, self._truth, self._watched = serial, truth, watched
        self._home, self._reconnect_s = Path(home), reconnect_s
        # Guards everything below; reentrant, so that a signal's handler may stop the wheels.
        self._changed = threading.Condition()
        self._guard = Guard(self.now_s, LIMITS, cautious=truth is None)
        if not self._wheels_kind.in_lockstep:
            self._guard.unwatched = NO_WATCHDOG if watched is None else NOT_READY
        self._guard.takes = self._takes = int(take_control)
        self._asking = Asking()
        self._wheels = self._wheels_kind(
            serial, self._guard, self._changed, self._reach, reconnect_s, watched
        )
        self._frame: Frame | None = None
        self._state: RobotState | None = None
        self._lost: str | None = None  # why there is no link now
        self._give_up_s = 0.0
        self._dead: LinkLost | None = None  # set once the link is lost for good
        self._state_heard_s = self._frame_heard_s = time.monotonic()
        self._looked_s = waking_and_sleeping_s()
        self._deaf_until_s = self._battery_asked_s = 0.0
        self._ask_at_s: float | None = None  # when to ask for control that a stop has cost
        self._closing = threading.Event()
        self._speech: Future[Any] | None = None
        self._control_thread = threading.Thread(target=self._control, name="wheel control", daemon=True)
        session = self._connect(CONNECT_S)
        self._take(session)
        self.intrinsics: Intrinsics = session.intrinsics
        self._looked_s = waking_and_sleeping_s()
        self._control_thread.start()
        self._wait_until_ready()

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
                    f"No new camera frame came from {self.serial} within {timeout_s:g} s{why}.",
                    reconnecting=self._lost is not None,
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
            self._wheels.asked |= granted
            self._wheels.urgent |= not granted or not (left_mmps or right_mmps)
            self._changed.notify_all()
            return granted

    def stop(self) -> None:
        """Stop the wheels now, whatever the last command was.

        Returns once the robot's states show that they stand, or a person has been called to help.
        """
        self._wheels.stop_and_wait(STOP_WAIT_S)

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
        session = self._wheels.session
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
        driven_on = wait_for_other_driver(self.serial, self._guard, self._changed)
        # What was given up is left to the watchdog, which goes on: closing takes no longer for it.
        stands = self._wheels.stop_and_wait(STOP_WAIT_S, anew=False)
        self._wait_for_speech()
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            session, self._wheels.session = self._wheels.session, None
        self._control_thread.join(2.0)
        if self._watched is not None and stands:  # else it stays, and goes on trying
            self._watched.end()
        self._wheels.close()
        if session is not None:
            session.close()
        if driven_on:
            stop_for_all(self.serial, self._reach)

    def _begin(self, start: Callable[[Session], Future[Any]]) -> Future[Any] | None:
        """Start something that ends by itself; without control the robot would not do it."""
        session = self._wheels.session
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
        error = None if self._closing.is_set() or future.cancelled() else future.exception()
        if error is None:
            return
        why = failure_of(error)
        if why == "DEADLINE_EXCEEDED" and self._wheels_kind.in_lockstep:
            return  # deadlines are in wall time, and that world stands still between two frames
        log.warning("%s did not finish a request (%s)", self.serial, why)

    def _wait_for_speech(self) -> None:
        """Wait for the robot's words, as it falls silent once nobody is connected."""
        if self._speech is not None and self._lost is None:
            wait_for_all([self._speech], SPEECH_S)

    # -- the control thread ----------------------------------------------------------------------------------

    def _control(self) -> None:
        """Do what the guard says, notice silence, and mind a lost link.

        An error in one part ends no other: wheels must still be stopped.
        """
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._wheels.due or self._closing.is_set(), WATCH_S)
                before_s, self._looked_s = self._looked_s, waking_and_sleeping_s()
                if (gap_s := self._looked_s - before_s) > FROZEN_S:  # also by a computer that slept
                    self._begin_anew(f"this program stood still for {gap_s:.1f} s")
            for part in (self._look_after_watchdog, self._wheels.turn, self._tend):
                self._guarded(part)

    def _guarded(self, part: Callable[[], None]) -> None:
        """Do a part of the control; after an error in it the wheels stop, and nothing is driven any more."""
        try:
            part()
        except Exception:
            if not self._guard.broken:
                log.exception("%s is stopped: an error in this program", self.serial)
            with self._changed:
                self._guard.broken = self._wheels.urgent = True
                self._changed.notify_all()

    def _begin_anew(self, why: str) -> None:
        """Stop, and see and want everything anew; called under the lock."""
        if self._guard.may_turn:
            self._guard.hold(why)
        self._guard.stop()
        self._guard.forget(why)
        self._frame = None
        self._looked_s = waking_and_sleeping_s()
        self._deaf_until_s = time.monotonic() + DEAF_S

    def _look_after_watchdog(self) -> None:
        """Drive only while it is ready; begin anew after it has stepped in."""
        if self._watched is None:
            return
        with self._changed:
            if (unwatched := self._watched.objection()) != self._guard.unwatched:
                self._guard.unwatched = unwatched
                self._changed.notify_all()
            if self._watched.has_stepped_in():
                self._begin_anew("the watchdog stopped it")
                self._wheels.control_spent = True

    def _tend(self) -> None:
        """Mind the link, or that there is none; nothing here waits for the robot."""
        if self._lost is not None:
            self._mind_reconnecting()
            return
        now_s, session = time.monotonic(), self._wheels.session
        if session is None:
            return
        if session.control_stream_ended:
            self._on_lost("the control stream ended")
            return
        self._mind_control(session)
        if now_s - self._battery_asked_s > BATTERY_EVERY_S:
            self._battery_asked_s = now_s
            session.beat().add_done_callback(self._on_battery)
        for heard_s, limit_s, what in (
            (self._state_heard_s, DEAD_STATE_S, "state"),
            (self._frame_heard_s, DEAD_FRAME_S, "camera frame"),
            (self._wheels.silent_s or now_s, DEAD_STATE_S, "answer to wheel commands"),
        ):
            if now_s - heard_s > limit_s:
                self._on_lost(f"no {what} for {limit_s:g} s")

    def _mind_control(self, session: Session) -> None:
        """Ask for control again where that is no fight with somebody else."""
        with self._changed:
            now_s, guard = self.now_s(), self._guard
            if guard.reading.reason == NO_EFFECT and guard.control:
                guard.hold(NO_EFFECT)
                guard.control = False
                self._asking.lost(now_s)
            if guard.may_turn or guard.other_driver:
                return
            if guard.takes < self._takes:
                self._takes, self._asking = guard.takes, Asking()
                session.ask_control()
            if self._wheels.control_spent:  # by a stop of ours, or the watchdog's
                self._wheels.control_spent = guard.control = False
                self._ask_at_s = now_s + RELEASED_S + guard.reading.delay_s
                session.release_control()
            elif self._ask_at_s is not None:
                if now_s >= self._ask_at_s:
                    self._ask_at_s = None
                    session.ask_control()
            elif self._asking.is_due(now_s):
                log.warning("%s: control is lost; asking for it again", self.serial)
                session.ask_control()
            elif self._asking.given_up:
                guard.other_driver = True
                log.error(REMEDIES[OTHER_DRIVER].format(serial=self.serial))

    # -- the link --------------------------------------------------------------------------------------------

    def _reach(self) -> Wire:
        """Another connection, for stops; it is not waited for."""
        return Wire(self.serial, self._home)

    def _connect(self, timeout_s: float) -> Session:
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
        """Use a new connection: the wheels are to stand still, whatever they did before."""
        with self._changed:
            self._guard.connect()
            self._state_heard_s = self._frame_heard_s = time.monotonic()
            self._lost = None
            self._wheels.use(session)

    def _wait_until_ready(self) -> None:
        """Wait until the robot is seen to stand, and somebody watches: before, nothing is driven."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._guard.may_turn and self._guard.unwatched != NOT_READY,
                READY_S + READY_DELAYS * self._guard.reading.delay_s,
            )

    def _on_frame(self, image_id: int, robot_time_ms: int, jpeg: bytes) -> None:
        with self._changed:
            self._frame_heard_s = time.monotonic()
            if self._frame_heard_s < self._deaf_until_s:
                return
            self._frame = Frame(image_id, robot_time_ms, self.now_s(), jpeg)
            if is_whole(jpeg):  # a broken image is no sign that the camera works
                self._guard.saw_frame(image_id, self._frame.received_s)
            self._changed.notify_all()

    def _on_state(self, state: RobotState) -> None:
        with self._changed:
            self._state_heard_s = time.monotonic()
            if self._state_heard_s >= self._deaf_until_s:
                self._guarded(partial(self._show_state, state))
            self._changed.notify_all()

    def _show_state(self, state: RobotState) -> None:
        self._state = state
        self._guard.saw_state(state)
        if state.cliff or self._guard.reading.reason not in (None, NO_EFFECT):
            self._asking.saw_cause(state.received_s)

    def _on_battery(self, answer: Future[Any]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            battery = battery_of(answer.result())
            with self._changed:
                self._guard.battery_low = battery.level == "low" and not battery.charging

    def _on_control(self, granted: bool) -> None:
        with self._changed:
            if granted:
                self._asking.granted(self.now_s())
            elif self._guard.control:  # else we gave it back ourselves
                self._asking.lost(self.now_s())
                self._battery_asked_s = 0.0  # a low one is a cause
            self._guard.control = granted
            self._guard.wheels()  # notes why
            self._wheels.urgent = True  # the control thread stops them at once
            self._changed.notify_all()

    def _on_lost(self, why: str) -> None:
        with self._changed:
            if self._lost is None and self._wheels.session is not None and not self._closing.is_set():
                log.error(
                    "link to %s lost: %s; trying to reconnect for %g s", self.serial, why, self._reconnect_s
                )
                self._lost, self._give_up_s = why, time.monotonic() + self._reconnect_s
                self._guard.disconnect()
                old, self._wheels.urgent = self._wheels.session, True
                threading.Thread(
                    target=self._reconnect, args=(old,), name="reconnecting", daemon=True
                ).start()
            self._changed.notify_all()

    def _mind_reconnecting(self) -> None:
        """Give up in time, whatever a connection attempt may still be waiting for."""
        if self._dead is None and time.monotonic() > self._give_up_s:
            with self._changed:
                self._dead = LinkLost(
                    f"The link to {self.serial} was lost ({self._lost}) and did not come back within "
                    f"{self._reconnect_s:g} s; is the robot on and in reach?"
                )
                self._changed.notify_all()

    def _reconnect(self, old: Session) -> None:
        with (
            self._changed
        ):  # where only a stream broke, a stop still arrives; else it goes new ways meanwhile
            self._changed.wait_for(lambda: not self._guard.may_turn, STOP_FIRST_S)
            if self._wheels.session is old:
                self._wheels.session = None
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
