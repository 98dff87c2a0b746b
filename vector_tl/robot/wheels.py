"""Wheel commands on their way to a robot, and stops that count only once the robot's states show them.

`Wheels.turn` is called by one thread only, the link's control thread; it never waits for the robot. A stop is
sent at once, and the rule of stopping (`stopping.py`) sees to it in a thread of its own.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from vector_tl.robot.guard import Guard
from vector_tl.robot.reading import STILL, Speeds
from vector_tl.robot.session import STOP_S, Session
from vector_tl.robot.stopping import Answer, Connection, Stopping, shout
from vector_tl.robot.watched import Watched
from vector_tl.robot.wire import Wire

log = logging.getLogger(__name__)
COMMAND_EVERY_S = 0.05
UNANSWERED_S = 0.3  # beyond twice the link's usual delay, a command without an answer stops the wheels
MAX_UNANSWERED_S = 1.5
AFTER_ERROR_S = 0.2
AGAIN_S = 5.0  # from a stop that was given up to the next try, as long as there is a link
PLAIN_S = 0.1  # speeds of 0 that are not seen within it become a stop that must be confirmed


class Wheels:
    """One robot's wheels, as the guard allows.

    Args:
        serial: the robot's.
        guard: decides; it is read and written under `changed`.
        changed: the link's lock, which is notified of what ends here.
        connect: opens another connection for the rule of stopping, and does not wait for it.
        give_up_s: for how long one stop is tried.
        watched: its process is shown each command, and that the control thread lives.

    Attributes:
        session: the link's; None while there is none.
        asked: whether speeds have been asked for that are not sent yet.
        urgent: whether something has changed that may stop the wheels.
        silent_s: since when nothing has been answered, by the monotonic clock; None while answers come.
        control_spent: whether a stop has cost us control, which ends for all when it is given back.
    """

    in_lockstep = False

    def __init__(
        self,
        serial: str,
        guard: Guard,
        changed: threading.Condition,
        connect: Callable[[], Wire],
        give_up_s: float,
        watched: Watched | None = None,
    ):
        self._serial, self._guard, self._changed, self._watched = serial, guard, changed, watched
        self._connect, self._give_up_s = connect, give_up_s
        self.session: Session | None = None
        self._beside: Wire | None = None  # the connection that stops go over, beside the session's
        self.asked = self.urgent = self.control_spent = self._stop_asked = False
        self.silent_s: float | None = None
        self._sent, self._sent_s, self._driven = STILL, 0.0, STILL
        self._under_way: deque[tuple[float, Future[Any]]] = deque()
        self._stop: _Stop | None = None
        self._given_up_s: float | None = None  # when a stop was given up, and not begun anew since

    # -- what the link reports -------------------------------------------------------------------------------

    def use(self, session: Session) -> None:
        """Send everything over this session from now on. What wheels do now is not known: stop them."""
        beside = self._connect()
        with self._changed:
            self.close()
            self.session, self._beside = session, beside
            self.silent_s = self._given_up_s = None
            self._under_way.clear()
            self._measure(session.rtt_s)
            self._supersede()
            self._guard.may_turn = True
            self._guard.stop()
            self._changed.notify_all()

    def close(self) -> None:
        """End the connection beside the session."""
        beside, self._beside = self._beside, None
        if beside is not None:
            beside.close()

    # -- the control thread's --------------------------------------------------------------------------------

    def turn(self) -> None:
        """Bring the wheels to what the guard allows now, unless it is too early."""
        with self._changed:
            self._check_answers()
            speeds = self._guard.wheels()
            if self.session is None or self._guard.stopping:
                speeds = STILL
            if self._stop is not None and time.monotonic() - self._sent_s > PLAIN_S:
                self._guard.stopping = True  # by now the rule may have asked for control
            if speeds == STILL and self._guard.may_turn:
                self._begin_stop()
            elif speeds != STILL and (self.asked or speeds != self._sent) and self._is_time():
                self._send(speeds)
            elif self._stop_asked:  # by a person, whoever else may drive
                self._send(STILL)
            self.urgent = self._stop_asked = False
            self.asked &= speeds != STILL
            self._feed()

    @property
    def due(self) -> bool:
        """Whether there is something to send now."""
        return self.urgent or (self.asked and self._is_time())

    def _feed(self) -> None:
        """Show the watchdog what the wheels may be doing, as far as they have not been seen to stand."""
        if self._watched is not None:
            self._watched.feed(*self._driven, standing=not self._guard.may_turn)

    def _is_time(self) -> bool:
        return time.monotonic() - self._sent_s >= COMMAND_EVERY_S and not self._guard.listens

    def _send(self, speeds: Speeds) -> Future[Any] | None:
        """Send speeds, and do not wait for the answer; called under the lock."""
        session, self.asked = self.session, False
        if session is None:
            return None
        if speeds != STILL:
            self._supersede()
            self._driven = speeds
        self._sent, self._sent_s = speeds, time.monotonic()
        self._guard.sent(speeds)
        self._feed()
        try:
            if speeds == STILL and self._guard.stopping:
                answer = session.stop_motors()
            else:
                answer = session.drive(*speeds, STOP_S if speeds == STILL else self._patience_s())
        except RuntimeError:  # the connection ends just now
            return None
        sent_s = self._sent_s
        self._under_way.append((sent_s, answer))
        answer.add_done_callback(lambda done: self._on_answer(done, sent_s, session))
        return answer

    def _patience_s(self) -> float:
        """How long an answer may take."""
        return min(UNANSWERED_S + 2 * self._guard.reading.delay_s, MAX_UNANSWERED_S)

    def _measure(self, rtt_s: float) -> None:
        """Note how long an answer took: slower ones count at once, quicker ones little by little."""
        reading = self._guard.reading
        reading.delay_s = max(rtt_s, 0.9 * reading.delay_s + 0.1 * rtt_s)

    def _check_answers(self) -> None:
        while self._under_way and self._under_way[0][1].done():
            self._under_way.popleft()
        if self._under_way and time.monotonic() - self._under_way[0][0] > self._patience_s():
            self._fail(self._under_way[0][0], "did not answer a wheel command in time")

    def _on_answer(self, done: Future[Any], sent_s: float, session: Session) -> None:
        """Note an answer; it comes on the SDK's thread."""
        error = None if done.cancelled() else done.exception()
        with self._changed:
            if session is not self.session or done.cancelled():
                return
            if error is None:
                self.silent_s = None
                self._measure(time.monotonic() - sent_s)
            else:
                self._fail(sent_s, f"did not take a wheel command ({type(error).__name__})")
            self._changed.notify_all()

    def _fail(self, sent_s: float, what: str) -> None:
        if self.silent_s is None:
            log.warning("%s %s; nothing but stops is sent until it stands.", self._serial, what)
            self.silent_s = sent_s
        if self._sent != STILL:
            self._guard.hold("command not confirmed")

    # -- stops -----------------------------------------------------------------------------------------------

    def stop_and_wait(self, wait_s: float, anew: bool = True) -> bool:
        """Stop the wheels, and wait until that is confirmed, given up, or `wait_s` are over.

        Args:
            wait_s: how long to wait at most.
            anew: whether a stop that was given up just now, or without a link since, begins anew.

        Returns:
            Whether the robot's states have shown that the wheels stand.
        """
        with self._changed:
            self._guard.stop()
            if anew or not self._has_given_up:
                self._given_up_s = None
            self.urgent = self._stop_asked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._guard.may_turn or self._given_up_s is not None, wait_s)
            return not self._guard.may_turn

    def confirmed(self) -> None:
        """Note that the wheels have been seen to stand; called under the lock."""
        self._stop = None
        self._guard.confirm_standing()

    def _is_ours(self, left_mmps: float, right_mmps: float) -> bool:
        """Whether speeds that a state shows come from our commands."""
        with self._changed:
            return self._guard.reading.is_ours((left_mmps, right_mmps))

    def _begin_stop(self) -> None:
        """Send a stop at once, and let the rule see to it; called under the lock."""
        self.asked = False
        if self._stop is not None or self._has_given_up:
            return
        at_once, gently = self._send(STILL), not self._guard.stopping
        first: Connection | None = self._beside
        if first is not None and at_once is not None and gently:
            first = cast(Connection, _Gently(first, at_once))
        rule = Stopping(
            self._connect,
            first,
            self._is_ours,
            self._give_up_s,
            self._shout_for_help,
        )
        stop = _Stop(rule)
        threading.Thread(target=self._see_to, args=(stop,), name="stopping", daemon=True).start()
        self._stop = stop

    @property
    def _has_given_up(self) -> bool:
        """Whether a stop was given up: for good without a link, else for a while."""
        since_s = self._given_up_s
        return since_s is not None and (self.session is None or time.monotonic() - since_s < AGAIN_S)

    def _shout_for_help(self) -> None:
        if self._driven != STILL:  # else it is only the stop with which a link begins
            shout(self._serial)

    def _supersede(self) -> None:
        if self._stop is not None:
            self._stop.superseded, self._stop = True, None

    def _see_to(self, stop: "_Stop") -> None:
        """Follow the rule until the robot's states show that the wheels stand, or it gives up."""
        try:
            result = stop.rule.run(lambda: not stop.superseded)
        except Exception:
            log.exception("%s: an error while stopping it; the stop begins anew.", self._serial)
            time.sleep(AFTER_ERROR_S)
            with self._changed:
                if stop is self._stop:
                    self._stop = None
            return
        with self._changed:
            if self._beside is not None and self._stop in (stop, None):
                self._beside.stay_open()  # until the next stop
            self.control_spent |= result.control_taken
            if stop is not self._stop:
                return
            self._stop = None
            if result.stopped:
                self.confirmed()
            elif result.foreign:
                self._guard.leave_alone()
            else:
                self._given_up_s = time.monotonic()
            if result.control_taken or not result.stopped:
                log.warning("%s: %s", self._serial, result.how)
            self._changed.notify_all()


@dataclass
class _Stop:
    """A stop that is not over yet; superseded by speeds that were asked for since, or by a new session."""

    rule: Stopping
    superseded: bool = False


class _Gently:
    """A connection whose first stop has been sent already, as speeds of 0.

    A stop of all motors would also end what head and lift are doing.
    """

    def __init__(self, connection: Connection, first: Future[Any]):
        self._connection = connection
        self._first: Future[Any] | None = first

    def send_stop(self) -> Answer:
        """See `Connection.send_stop`."""
        first, self._first = self._first, None
        return first or self._connection.send_stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
