"""The rule of stopping: a stop counts only when the robot's own states show it.

A robot ignores a stop from a client while no SDK behaviour is active, and still answers; its wheels run on
when the client vanishes. So the app, its watchdog and `vector-tl stop` stop a robot in one way:

1. Send the stop at once, at the level held. It works while an SDK behaviour is active, whoever has control.
2. It counts when two states in a row show wheels at 0 that are younger than the robot's answer.
3. Not so in time, and the wheels still turn at our speeds: ask for control at OVERRIDE, wait for the grant,
   stop, see the zeros, release at once (OVERRIDE switches the robot's own stop at edges off).
4. Nothing is heard, or it did not help: the same again over a new connection, beside the ones there are.
5. The speeds are not ours: the robot's own behaviour (it retreats from an edge) or somebody else drives. Do
   not ask for control, and say so.
6. Nothing helps: shout. Somebody must pick the robot up.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

TICK_S = 0.060  # of the robot's engine: a state comes each tick, and a command takes effect within one
CONFIRM_S = 0.120  # so long a stop may go without a confirmation before control is asked for
AGAIN_S = 0.120  # until a stop that is not confirmed is sent again
GRANT_S = 0.400  # two ticks and a slow network; then another connection tries as well
OVERRIDE_S = 0.600  # so long control at OVERRIDE is kept at most after the stop in it
ASK_AGAIN_S = 1.0
SILENT_S = 0.300  # without any state or answer, another connection tries
CONNECT_EVERY_S = 0.5
MAX_CONNECTIONS = 4
SHOUT_S = 1.5  # wheels that may turn for so long are a person's business
STILL_MMPS = 1.0  # wheels slower than that stand
CAMERA_S = 0.5  # a robot time that has not moved for so long says nothing
UNKNOWN_DELAY_S = 0.1  # of states, where no robot time tells it
POLL_S = 0.01
SLACK_MMPS, SLACK_SHARE = 5.0, 0.1  # by which wheels may miss their speed; an assumption


@dataclass(frozen=True)
class WheelState:
    """What a robot's state says of its wheels.

    Attributes:
        received_s: on this computer's monotonic clock.
        robot_ms: the newest robot time in it, that of the last camera image; 0 when there is none.
        left_mmps: speed of the left wheel.
        right_mmps: speed of the right wheel.
    """

    received_s: float
    robot_ms: int
    left_mmps: float
    right_mmps: float

    @property
    def stands(self) -> bool:
        """Whether both wheels are at 0."""
        return max(abs(self.left_mmps), abs(self.right_mmps)) < STILL_MMPS


class Answer(Protocol):
    """A request that is under way, such as a future of gRPC's or of `concurrent.futures`."""

    def done(self) -> bool:
        """Whether it has been answered, or failed."""

    def exception(self) -> BaseException | None:
        """Why it failed, None when the robot answered."""


class Connection(Protocol):
    """One connection over which a robot can be stopped. No method waits for the robot."""

    def send_stop(self) -> Answer:
        """Send a stop of all wheels, at whatever level of control there is."""

    def take_states(self) -> list[WheelState]:
        """The states that came since the last call, oldest first."""

    def ask_override(self) -> None:
        """Ask for control at OVERRIDE."""

    @property
    def granted(self) -> bool:
        """Whether that has been granted."""

    def release(self) -> None:
        """Give control back; does nothing where it was never asked for."""

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
        how: a sentence for people.
        foreign: whether the wheels turn at speeds that are not ours.
    """

    stopped: bool
    confirmed_ms: float | None
    how: str
    foreign: bool = False


class Standstill:
    """Tells from a connection's states whether the wheels have stood since the robot answered a stop.

    A state proves something only if it is younger than the answer. States carry the time of the last camera
    image: less the smallest delay that was ever seen between the two clocks, it says when a state was made at
    the earliest. Without a running camera, a state counts two ticks and the states' delay after the answer.
    """

    def __init__(self) -> None:
        self.last: WheelState | None = None
        self._answered_s: float | None = None
        self._in_a_row = 0
        self._offset_s = float("inf")  # this computer's clock less the robot's, plus the smallest delay
        self._robot_ms, self._robot_moved_s = 0, float("-inf")
        self._delays_s: deque[float] = deque(maxlen=32)

    @property
    def confirmed(self) -> bool:
        """Whether two states in a row, younger than the answer, showed wheels at 0."""
        return self._in_a_row >= 2

    def answered(self, answered_s: float) -> None:
        """Note that the robot has answered a stop, the first one since wheels were seen to turn."""
        if self._answered_s is None:
            self._answered_s = answered_s

    def began(self) -> None:
        """Note that a new stop begins: nothing that was seen before counts."""
        self._answered_s, self._in_a_row = None, 0

    def saw(self, state: WheelState) -> None:
        """Note a state."""
        self.last = state
        if state.robot_ms > self._robot_ms:
            self._robot_ms, self._robot_moved_s = state.robot_ms, state.received_s
            offset_s = state.received_s - state.robot_ms / 1000
            self._offset_s = min(self._offset_s, offset_s)
            self._delays_s.append(offset_s - self._offset_s)
        if not self._is_younger(state):
            return
        self._in_a_row = self._in_a_row + 1 if state.stands else 0

    def _is_younger(self, state: WheelState) -> bool:
        """Whether it was made after the robot answered."""
        if self._answered_s is None:
            return False
        if state.received_s - self._robot_moved_s <= CAMERA_S:
            return state.robot_ms / 1000 + self._offset_s >= self._answered_s
        delay_s = max(self._delays_s, default=UNKNOWN_DELAY_S)
        return state.received_s >= self._answered_s + 2 * TICK_S + delay_s


@dataclass
class _Attempt:
    """A connection's part in a stop."""

    connection: Connection
    begun_s: float
    theirs: bool = True  # the caller's: it stays open
    standstill: Standstill = field(default_factory=Standstill)
    heard_s: float = float("-inf")  # when anything came from the robot
    sent_s: float = float("-inf")
    asked_s: float | None = None  # since when control is asked for or held
    released_s: float = float("-inf")
    in_control_s: float | None = None  # when a stop was first sent in control
    _under_way: list[Answer] = field(default_factory=list)

    def look(self, now_s: float) -> None:
        """Take in what came."""
        for answer in [answer for answer in self._under_way if answer.done()]:
            self._under_way.remove(answer)
            if answer.exception() is None:
                self.heard_s = now_s
                self.standstill.answered(now_s)
        for state in self.connection.take_states():
            self.heard_s = max(self.heard_s, state.received_s)
            self.standstill.saw(state)

    def send_stop(self, now_s: float) -> None:
        """Send a stop, also where earlier ones are still under way."""
        self.sent_s = now_s
        with contextlib.suppress(Exception):  # a connection that has just ended: others go on
            self._under_way.append(self.connection.send_stop())

    def act(self, now_s: float, overdue: bool) -> None:
        """Do what the rule wants next."""
        if overdue and self.asked_s is None and now_s - self.released_s > ASK_AGAIN_S:
            self.asked_s, self.in_control_s = now_s, None
            with contextlib.suppress(Exception):
                self.connection.ask_override()
        granted = self.asked_s is not None and self.connection.granted
        if granted and self.in_control_s is None:
            self.in_control_s = now_s
            self.standstill.began()  # what is seen from now on must follow from this stop
            self.send_stop(now_s)
        elif now_s - self.sent_s >= AGAIN_S:
            self.send_stop(now_s)
        if self.in_control_s is not None and now_s - self.in_control_s > OVERRIDE_S:
            self.give_back(now_s)

    def give_back(self, now_s: float) -> None:
        """Release control, where it was asked for."""
        if self.asked_s is not None:
            self.asked_s, self.released_s = None, now_s
            with contextlib.suppress(Exception):
                self.connection.release()

    def is_stuck(self, now_s: float) -> bool:
        """Whether this connection alone should no longer be waited for."""
        silent = now_s - max(self.heard_s, self.begun_s) > SILENT_S
        ungranted = (
            self.asked_s is not None and not self.connection.granted and now_s - self.asked_s > GRANT_S
        )
        unheeded = self.in_control_s is not None and now_s - self.in_control_s > SILENT_S
        return silent or ungranted or unheeded

    def end(self, now_s: float) -> None:
        """Give control back, and end the connection unless it is the caller's."""
        self.give_back(now_s)
        if not self.theirs:
            with contextlib.suppress(Exception):
                self.connection.close()


class Stopping:
    """One stop of one robot, from the first attempt to the confirmation. `run` does it.

    Args:
        connect: opens a new connection; may take long and may fail. It is called in threads of its own.
        first: a connection that is there already; it stays open.
        is_ours: whether wheel speeds (left, right, mm/s) are those of our last commands. None: a person wants
            the robot to stop, whoever drives.
        give_up_s: for how long to try.
        shout: called once when wheels may have turned for `SHOUT_S`, and the stop goes on.
        clock: monotonic seconds.
        wait: sleeps for seconds.
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
        self._attempts = [] if first is None else [_Attempt(first, self._begun_s)]
        self._arrived: deque[Connection] = deque()  # from the connecting threads
        self._connecting, self._connected_s = 0, float("-inf")
        self._over = threading.Lock()  # held while connections are handed over, and for good at the end
        self._ended = False

    def run(self, wanted: Callable[[], bool] = lambda: True) -> StopResult:
        """Stop the robot. Returns once that is confirmed, given up, or no longer `wanted`."""
        shouted = False
        try:
            while True:
                now_s = self._clock()
                for attempt in self._attempts:
                    attempt.look(now_s)
                result = self._result(now_s)
                if result is not None:
                    return result
                if not wanted():
                    return StopResult(False, None, "no longer wanted")
                if now_s - self._begun_s > self._give_up_s:
                    return StopResult(False, None, "given up: the robot may be driving, pick it up")
                self._act(now_s)
                if not shouted and now_s - self._begun_s > SHOUT_S:
                    shouted = True
                    self._shout()
                    for attempt in self._attempts:
                        with contextlib.suppress(Exception):
                            attempt.connection.call_out("Help! Pick me up!")
                self._wait(POLL_S)
        finally:
            self._end()

    def _result(self, now_s: float) -> StopResult | None:
        """How it ended, None while it goes on."""
        confirmed_ms = round((now_s - self._begun_s) * 1000, 1)
        for attempt in self._attempts:
            if attempt.standstill.confirmed:
                where = "" if attempt.theirs else ", over a new connection"
                level = "at the level held" if attempt.in_control_s is None else "with control at OVERRIDE"
                return StopResult(True, confirmed_ms, f"stopped {level}{where}")
        if self._is_foreign(now_s):
            return StopResult(
                False, None, "the robot's own behaviour or another program drives: left to it", foreign=True
            )
        return None

    def _is_foreign(self, now_s: float) -> bool:
        """Whether the newest states show speeds that are not ours, the stop's effect being due."""
        if self._is_ours is None or now_s - self._begun_s < CONFIRM_S + TICK_S:
            return False
        last = self._newest()
        return (
            last is not None
            and last.received_s > self._begun_s + CONFIRM_S
            and not last.stands
            and not self._is_ours(last.left_mmps, last.right_mmps)
        )

    def _newest(self) -> WheelState | None:
        states = [attempt.standstill.last for attempt in self._attempts if attempt.standstill.last]
        return max(states, key=lambda state: state.received_s, default=None)

    def _act(self, now_s: float) -> None:
        with self._over:
            while self._arrived:
                self._attempts.append(_Attempt(self._arrived.popleft(), now_s, theirs=False))
        for attempt in self._attempts:
            attempt.act(now_s, self._is_overdue(now_s - max(self._begun_s, attempt.begun_s)))
        if all(attempt.is_stuck(now_s) for attempt in self._attempts):
            self._open_another(now_s)

    def _is_overdue(self, waited_s: float) -> bool:
        """Whether to ask for control: the wheels still turn at our speeds, or nothing is seen of them."""
        last = self._newest()
        if last is None:
            return waited_s >= SILENT_S
        ours = self._is_ours is None or self._is_ours(last.left_mmps, last.right_mmps)
        return waited_s >= CONFIRM_S and not last.stands and ours

    def _open_another(self, now_s: float) -> None:
        """Connect anew, beside what is under way: one that hangs must not keep the next one waiting."""
        open_now = self._connecting + sum(not attempt.theirs for attempt in self._attempts)
        if now_s - self._connected_s < CONNECT_EVERY_S:
            return
        if open_now >= MAX_CONNECTIONS:
            oldest = next((attempt for attempt in self._attempts if not attempt.theirs), None)
            if oldest is None:
                return
            self._attempts.remove(oldest)
            oldest.end(now_s)
        self._connected_s = now_s
        self._connecting += 1
        threading.Thread(target=self._open, name="stopping", daemon=True).start()

    def _open(self) -> None:
        connection = None
        with contextlib.suppress(Exception):  # no way to the robot now; the next attempt follows
            connection = self._connect()
        with self._over:
            self._connecting -= 1
            if connection is not None and not self._ended:
                self._arrived.append(connection)
                connection = None
        if connection is not None:
            connection.close()

    def _end(self) -> None:
        with self._over:
            self._ended = True
            late = list(self._arrived)
            self._arrived.clear()
        for connection in late:
            with contextlib.suppress(Exception):
                connection.close()
        for attempt in self._attempts:
            attempt.end(self._clock())


def explained_by(commands: Iterable[tuple[float, float]], left_mmps: float, right_mmps: float) -> bool:
    """Whether wheel speeds are those of commands, (left, right) in mm/s, or on the way between them and 0."""
    all_commands = [(0.0, 0.0), *commands]
    return all(
        min(of_wheel) - _slack(min(of_wheel)) <= speed <= max(of_wheel) + _slack(max(of_wheel))
        for of_wheel, speed in zip(zip(*all_commands, strict=True), (left_mmps, right_mmps), strict=True)
    )


def _slack(speed_mmps: float) -> float:
    return SLACK_MMPS + SLACK_SHARE * abs(speed_mmps)


def shout_text(serial: str) -> str:
    """What is written, with the terminal's bell, when a robot cannot be stopped."""
    return f"\a\n*** {serial} MAY BE DRIVING AND CANNOT BE STOPPED: PICK IT UP NOW! ***\n"
