"""The rule of stopping: a stop counts only when the robot's own states show it.

A robot ignores a stop from a client while no SDK behaviour is active, and still answers; its wheels run on
when the client vanishes. So the app, its watchdog and `vector-tl stop` stop a robot in one way:

1. Send the stop at once, at the level held. It works while an SDK behaviour is active, whoever has control.
2. It counts when two states in a row, younger than the stop, show wheels at 0; see `evidence.py`.
3. Not so in time, and the wheels still turn at our speeds: ask for control at OVERRIDE, and send stops until
   the zeros are seen. Then release at once, as OVERRIDE switches the robot's own stop at edges off. Until
   that has taken effect another program's commands are obeyed, too, and nobody's afterwards: so stops follow
   until then, and where the wheels turn again after it, all begins anew.
4. Nothing is heard, or it did not help: the same over new connections, beside the ones there are.
5. The speeds are not ours: the robot's own behaviour (it retreats from an edge) or somebody else drives. Do
   not ask for control, and say so.
6. Nothing helps: shout, and go on. Somebody must pick the robot up.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vector_tl.robot.evidence import TICK_S, Evidence, WheelState

CONFIRM_S = 0.120  # so long a stop may go without a confirmation before control is asked for
SLOWING_S = 0.350  # from the robot's 220 mm/s to 0 at 1000 mm/s2, and two ticks
SILENT_S = 0.300  # without an answer or a state, besides the connection's own delays, another way is tried
DEAF_S = 0.420  # without a state, besides the delays: events may be late by 300 ms and a tick
GRANT_S = 0.300  # two ticks and a busy robot; then another connection asks as well
OVERRIDE_S = 0.800  # so long control at OVERRIDE is kept at most: the robot's stop at edges is off meanwhile
ASK_AGAIN_S = 0.500
RELEASE_S = 5.0  # so long it is tried to give control back
RELEASED_S = 0.150  # until a release that is answered has taken effect and shows: two ticks
LAST_STOPS_S = 0.015  # between stops until then
MAX_AGAIN = 6  # so often another program's last command is stopped
CONNECT_EVERY_S, CONNECT_LATER_S = 0.5, 1.0  # the first new connection, and those after it
# The oldest is 5 s old when it makes room: on a link that takes .5 s each way, a connection is made and has
# stopped the wheels after 3.5 s.
MAX_CONNECTIONS = 6
MAX_PENDING = 8  # stops without an answer, for each connection
SHOUT_S, SHOUT_AGAIN_S = 1.5, 10.0  # wheels that may turn for so long are a person's business
POLL_S = 0.01
WRITE_S = 0.5  # so long at most a stop waits for an output

AT_LEVEL_HELD = "at the level held"
AT_OVERRIDE = "control taken at OVERRIDE"
NEW_CONNECTION = "over a new connection"
NOT_OURS = "not ours: the robot's own behaviour or another program drives"
NOT_WANTED = "no longer wanted"
GIVEN_UP = "given up: the robot may be driving, pick it up"


class Answer(Protocol):
    """A request without an answer yet, such as a future of gRPC's or of `concurrent.futures`."""

    def done(self) -> bool:
        """Whether it has been answered, or failed."""

    def exception(self) -> BaseException | None:
        """Why it failed, None when the robot answered."""


class Connection(Protocol):
    """One connection over which a robot can be stopped. No method waits for the robot."""

    def send_stop(self) -> Answer:
        """Send a stop of all wheels, at whatever level of control there is."""

    def hear_anew(self) -> None:
        """Open a new event stream, after all that was sent before, and listen to no older one any more."""

    def take_states(self) -> list[WheelState]:
        """The states that came on the newest stream since the last call, oldest first."""

    def ask_override(self) -> None:
        """Ask for control at OVERRIDE. The grant is not waited for: stops follow until wheels stand."""

    def release(self) -> Answer:
        """Give control back. The answer is the robot's to something sent after it: then it has arrived."""

    def call_out(self, text: str) -> None:
        """Let the robot say it, where it still answers."""

    def close(self) -> None:
        """End the connection."""


@dataclass(frozen=True)
class StopResult:
    """How a stop ended.

    Attributes:
        stopped: whether the robot's states have confirmed it.
        confirmed_ms: from the first attempt to the confirmation; None without one.
        how: in words.
        foreign: whether the wheels turn at speeds that are not ours.
        control_taken: whether control at OVERRIDE was asked for. Its release has ended everybody's control:
            who wants to drive on must ask anew.
    """

    stopped: bool
    confirmed_ms: float | None
    how: str
    foreign: bool = False
    control_taken: bool = False


class _Attempt:
    """One connection's part in a stop."""

    def __init__(self, connection: Connection, now_s: float, is_new: bool, own: bool):
        self.connection, self.begun_s, self.is_new, self.own = connection, now_s, is_new, own
        self.evidence = Evidence()
        self.answered_s: float | None = None  # when the first stop was
        self.delay_s = 0.0  # there and back, of that stop
        self.asked_s: float | None = None  # since when control is asked for or held
        self.heard_s = self._opened_s = self._sent_s = now_s
        self._failed = False  # whether the last stop could not be sent
        self._pending: list[tuple[float, Answer]] = []
        self.send_stop(now_s)
        self._hear_anew(now_s)

    def look(self, now_s: float) -> None:
        """Take in what came."""
        for sent_s, answer in [each for each in self._pending if each[1].done()]:
            self._pending.remove((sent_s, answer))
            self._failed = _has_failed(answer)
            if not self._failed:
                self.heard_s = now_s
                if self.answered_s is None:
                    self.answered_s, self.delay_s = now_s, now_s - sent_s
        for state in self.connection.take_states():
            self.heard_s = max(self.heard_s, state.received_s)
            self.evidence.saw(state, self.answered_s)

    def send_stop(self, now_s: float) -> None:
        """Send a stop, also where earlier ones have no answer yet."""
        self._sent_s = now_s
        try:
            self._pending.append((now_s, self.connection.send_stop()))
        except Exception:  # a connection that has just ended: others go on
            self._failed = True

    def repeat_stop(self, now_s: float) -> None:
        """Send another stop, unless too many have no answer yet."""
        if len(self._pending) < MAX_PENDING:
            self.send_stop(now_s)

    def act(self, now_s: float) -> None:
        """Repeat the stop, and listen anew where the event stream is silent.

        In control, stops follow each other without waiting for the grant, which would cost a round trip.
        """
        again_s = TICK_S if self.asked_s is not None else CONFIRM_S
        if now_s - self._sent_s >= again_s:
            self.repeat_stop(now_s)
        if self.answered_s is not None and self._is_deaf(now_s):
            self._hear_anew(now_s)

    def _is_deaf(self, now_s: float) -> bool:
        newest = self.evidence.newest
        heard_s = max(self._opened_s, newest.received_s if newest else 0.0)
        return now_s - heard_s > DEAF_S + 2 * self.delay_s

    def _hear_anew(self, now_s: float) -> None:
        self._opened_s = now_s
        self.evidence = Evidence()
        with contextlib.suppress(Exception):
            self.connection.hear_anew()

    def ask(self, now_s: float) -> None:
        """Ask for control at OVERRIDE."""
        self.asked_s = now_s
        with contextlib.suppress(Exception):
            self.connection.ask_override()
        self.send_stop(now_s)

    def give_back(self) -> Answer | None:
        """Release control; None where the connection has ended."""
        with contextlib.suppress(Exception):
            return self.connection.release()
        return None

    def is_stuck(self, now_s: float) -> bool:
        """Whether this connection alone should no longer be waited for."""
        patience_s = 2 * self.delay_s
        silent = now_s - self.heard_s > SILENT_S + patience_s
        unheeded = self.asked_s is not None and now_s - self.asked_s > GRANT_S + patience_s
        return self._failed or silent or unheeded

    def close(self) -> None:
        """End the connection, unless it is the caller's."""
        if self.own:
            with contextlib.suppress(Exception):
                self.connection.close()


class Stopping:
    """One stop of one robot, from the first attempt to the confirmation. `run` does it.

    Args:
        connect: makes a new connection, at once: what is sent over it waits until it is connected.
        first: a connection that is there already; it stays open.
        is_ours: whether wheel speeds (left, right, mm/s) are those of our last commands. None: a person wants
            the robot to stop, whoever drives.
        give_up_s: for how long to try.
        shout: called when wheels may have turned for `SHOUT_S`, and then every `SHOUT_AGAIN_S`.
        clock: monotonic seconds, the clock of the states' `received_s`.
        wait: sleeps for seconds.

    Raises:
        UserError: without `first`, no connection can be made at all.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        first: Connection | None = None,
        is_ours: Callable[[float, float], bool] | None = None,
        give_up_s: float = 30.0,
        shout: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], Any] = time.sleep,
    ):
        self._connect, self._is_ours, self._shout = connect, is_ours, shout
        self._give_up_s, self._clock, self._wait = give_up_s, clock, wait
        self._begun_s = clock()
        self._connected_s = self._begun_s if first is None else float("-inf")
        self._shout_s = self._begun_s + SHOUT_S
        self._released_s = float("-inf")
        self._asked = False  # whether control was asked for and not known to be given back
        self._control_taken = False
        self._releases: list[Answer] = []
        self._result: StopResult | None = None  # what it ends with, once control is given back
        self._decided_s = self._last_stop_s = 0.0
        self._given_s: float | None = None  # when control was known to be given back
        self._again = 0  # how often the wheels turned again after that
        begin = _Attempt(first or connect(), self._begun_s, is_new=False, own=first is None)
        self._attempts = [begin]

    def run(self, wanted: Callable[[], bool] = lambda: True) -> StopResult:
        """Stop the robot. Returns once that is confirmed, given up, or no longer `wanted`."""
        try:
            while True:
                result = self.poll(wanted())
                if result is not None:
                    return result
                self._wait(POLL_S)
        finally:
            self.end()

    def poll(self, wanted: bool = True) -> StopResult | None:
        """Do what is to be done now. Returns how it ended, None while it goes on; call `end` then."""
        now_s = self._clock()
        for attempt in self._attempts:
            attempt.look(now_s)
        if self._result is None:
            self._result = self._ending(now_s, wanted)
            if self._result is None:
                self._act(now_s)
                return None
            self._decided_s = now_s
            self._give_back(now_s)
        if not self._is_given_back(now_s):
            self._send_last_stops(now_s)
            return None
        return self._result if not wanted or self._stays(now_s) else None  # else another stop follows

    def end(self) -> None:
        """End the connections that this stop made; control asked for over them ends with them."""
        for attempt in self._attempts:
            attempt.close()

    # -- how it ends -----------------------------------------------------------------------------------------

    def _ending(self, now_s: float, wanted: bool) -> StopResult | None:
        """How it ends, None while it goes on."""
        for attempt in self._attempts:
            if attempt.evidence.stands:
                level = AT_OVERRIDE if self._control_taken else AT_LEVEL_HELD
                how = f"{level}, {NEW_CONNECTION}" if attempt.is_new else level
                confirmed_ms = round((now_s - self._begun_s) * 1000, 1)
                return StopResult(True, confirmed_ms, how, control_taken=self._control_taken)
        if self._is_foreign(now_s):
            return StopResult(False, None, NOT_OURS, foreign=True, control_taken=self._control_taken)
        if not wanted and (not self._in_control or self._is_override_over(now_s)):
            return StopResult(False, None, NOT_WANTED, control_taken=self._control_taken)
        if now_s - self._begun_s > self._give_up_s:
            return StopResult(False, None, GIVEN_UP, control_taken=self._control_taken)
        return None

    def _is_foreign(self, now_s: float) -> bool:
        """Whether wheels turn at speeds that are not ours, in two states in a row."""
        evidence = self._best()
        return (
            self._is_ours is not None
            and evidence is not None
            and now_s - self._begun_s >= CONFIRM_S
            and evidence.turns_otherwise(self._is_ours)
        )

    def _best(self) -> Evidence | None:
        """What was seen last, of all connections."""
        seen = [attempt.evidence for attempt in self._attempts if attempt.evidence.newest]
        return max(seen, key=lambda evidence: evidence.newest_s, default=None)

    # -- what is to be done ----------------------------------------------------------------------------------

    def _act(self, now_s: float) -> None:
        for attempt in self._attempts:
            attempt.act(now_s)
        if self._in_control and self._is_override_over(now_s):
            self._give_back(now_s)
        elif self._needs_control(now_s):
            self._ask(now_s)
        if all(attempt.is_stuck(now_s) for attempt in self._attempts):
            self._open_another(now_s)
        delay_s = max(attempt.delay_s for attempt in self._attempts)
        if now_s >= self._shout_s + 2 * delay_s:
            self._shout_s = now_s + SHOUT_AGAIN_S
            self._call_for_help()

    def _needs_control(self, now_s: float) -> bool:
        """Whether the wheels still turn at our speeds, or are not seen though the robot answers."""
        if now_s - self._begun_s < CONFIRM_S or now_s - self._released_s < ASK_AGAIN_S:
            return False
        evidence = self._best()
        if evidence is None:
            return any(
                attempt.answered_s is not None and now_s - attempt.answered_s > DEAF_S + 2 * attempt.delay_s
                for attempt in self._attempts
            )
        if self._is_ours is not None and not evidence.turns_as(self._is_ours):
            return False
        may_slow = now_s - self._begun_s < CONFIRM_S + SLOWING_S
        return evidence.turns and not (may_slow and evidence.slows)

    def _ask(self, now_s: float) -> None:
        """Ask over the connection that answered last, and over the next one where that was not heeded."""
        asked = [attempt for attempt in self._attempts if attempt.asked_s is not None]
        if asked and not all(attempt.is_stuck(now_s) for attempt in asked):
            return
        free = [a for a in self._attempts if a.asked_s is None and a.answered_s is not None]
        if free:
            self._asked = self._control_taken = True
            self._releases.clear()
            max(free, key=lambda attempt: attempt.heard_s).ask(now_s)

    @property
    def _in_control(self) -> bool:
        """Whether control is asked for or held."""
        return any(attempt.asked_s is not None for attempt in self._attempts)

    def _is_override_over(self, now_s: float) -> bool:
        """Whether control was held for long enough without any effect."""
        asked_s = (a.asked_s + 2 * a.delay_s for a in self._attempts if a.asked_s is not None)
        return now_s - max(asked_s, default=now_s) > OVERRIDE_S

    def _open_another(self, now_s: float) -> None:
        """Connect anew, beside the others: one that hangs must not keep the next one waiting."""
        is_first = not any(attempt.is_new for attempt in self._attempts)
        if now_s - self._connected_s < (CONNECT_EVERY_S if is_first else CONNECT_LATER_S):
            return
        own = [attempt for attempt in self._attempts if attempt.own]
        if len(own) >= MAX_CONNECTIONS:
            self._attempts.remove(own[0])
            own[0].close()  # which also ends control that was asked for over it
        self._connected_s = now_s
        with contextlib.suppress(Exception):  # no way to the robot now; the next attempt follows
            self._attempts.append(_Attempt(self._connect(), now_s, is_new=True, own=True))

    def _call_for_help(self) -> None:
        with contextlib.suppress(Exception):  # the stop goes on, whatever becomes of the shout
            self._shout()
        for attempt in self._attempts:
            with contextlib.suppress(Exception):
                attempt.connection.call_out("Help! Pick me up!")

    # -- giving control back ---------------------------------------------------------------------------------

    def _give_back(self, now_s: float) -> None:
        """Release control, over every connection over which it was asked for."""
        for attempt in self._attempts:
            if attempt.asked_s is not None:
                attempt.asked_s = None
                self._releases += filter(None, [attempt.give_back()])
        self._released_s = now_s

    def _send_last_stops(self, now_s: float) -> None:
        """Stop what another program still asks for, as long as control lasts."""
        if self._control_taken and now_s - self._last_stop_s >= LAST_STOPS_S:
            self._last_stop_s = now_s
            for attempt in self._attempts:
                attempt.repeat_stop(now_s)

    def _stays(self, now_s: float) -> bool:
        """Whether it is over: wheels that stood still do so after control has been given back.

        Where they turn again, the rule begins anew, whoever's speeds they are: our release has left the robot
        without a driver.
        """
        if self._result is None or not (self._result.stopped and self._control_taken):
            return True
        if self._given_s is None:
            self._given_s = now_s
        delay_s = max(attempt.delay_s for attempt in self._attempts)
        due_s = self._given_s + RELEASED_S + 2 * delay_s
        if now_s < due_s:
            self._send_last_stops(now_s)
            return False
        evidence = self._best()
        if evidence is None or evidence.newest_s < due_s + TICK_S:  # both states are younger
            return now_s - due_s > RELEASED_S + DEAF_S
        if not evidence.turns or self._again >= MAX_AGAIN:
            return True
        self._again += 1
        self._result = self._given_s = self._is_ours = None
        self._released_s = float("-inf")
        return False

    def _is_given_back(self, now_s: float) -> bool:
        """Whether control has been given back, as far as that can be known.

        A connection that does not answer may have an open request in it, but its release follows right after.
        If it was granted, control must be given back over another connection: anybody's release ends it.
        """
        if any(answer.done() and not _has_failed(answer) for answer in self._releases):
            self._asked = False
        if not self._asked or now_s - self._decided_s > RELEASE_S:
            return True
        if now_s - self._decided_s > SILENT_S and now_s - self._connected_s >= CONNECT_EVERY_S:
            self._open_another(now_s)
            self._releases += filter(None, [self._attempts[-1].give_back()])
        return False


def _has_failed(answer: Answer) -> bool:
    """Whether a request that is over was not answered; one that was cancelled has no `exception`."""
    try:
        return answer.exception() is not None
    except Exception:
        return True


def do_aside(write: Callable[[], Any]) -> None:
    """Write something in a thread of its own, which is waited for `WRITE_S` at most; errors are ignored.

    An output may be closed, its disk full, its reader asleep, its terminal halted (Ctrl-S): none of that may
    keep a stop waiting, or end it.
    """

    def quietly() -> None:
        with contextlib.suppress(Exception):
            write()

    thread = threading.Thread(target=quietly, name="writing", daemon=True)
    thread.start()
    thread.join(WRITE_S)


def shout(serial: str) -> None:
    """Call for a person on the error output: a robot cannot be stopped."""
    do_aside(lambda: print(shout_text(serial), file=sys.stderr, flush=True))


def shout_text(serial: str) -> str:
    """What is written, with the terminal's bell, when a robot cannot be stopped."""
    return f"\a\n*** {serial} MAY BE DRIVING AND CANNOT BE STOPPED: PICK IT UP NOW! ***\n"
