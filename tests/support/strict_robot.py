"""A robot in memory as strict as a real one about its wheels, over links that delay, stall and break."""

import heapq
import itertools
from dataclasses import dataclass, field

from vector_tl.robot.evidence import TICK_S, WheelState

BRAKING_MMPS2 = 1000.0


class StrictRobot:
    """Time, ticks and wheels. A stop is obeyed only while an SDK behaviour is active; no answer tells.

    Args:
        speeds: of the wheels at first.
        active: whether an SDK behaviour is active at first.
        phase_s: of its ticks.
    """

    def __init__(self, speeds=(0.0, 0.0), active=True, phase_s=0.0):
        self.now_s, self._later, self._order = 0.0, [], itertools.count()
        self.speeds, self.target = speeds, speeds
        self.active, self.override, self._wanted = active, False, active
        self.override_asked = self.released = 0
        self.stood_s = 0.0 if speeds == (0.0, 0.0) else None  # since when
        self.own_speeds = None  # of its own behaviour, which takes control at DEFAULT
        self.streams, self._inbox = [], []
        self.at(phase_s, self._tick)

    def clock(self):
        return self.now_s

    def wait(self, seconds):
        """Let time pass."""
        until_s = self.now_s + seconds
        while self._later and self._later[0][0] <= until_s:
            self.now_s, _, do = heapq.heappop(self._later)
            do()
        self.now_s = until_s

    def at(self, t_s, do):
        heapq.heappush(self._later, (max(t_s, self.now_s), next(self._order), do))

    def receive(self, message):
        """The gateway takes a message; the engine does at its next tick."""
        self._inbox.append(message)

    def _tick(self):
        for message in self._inbox:
            message()
        self._inbox.clear()
        self.override = self._wanted and self.override
        self.active = self._wanted and (self.override or self.own_speeds is None)
        if self.own_speeds is not None and not self.active:
            self.target = self.own_speeds
        self.speeds = tuple(map(self._towards, self.speeds, self.target))
        stands = self.speeds == (0.0, 0.0)
        self.stood_s = (self.now_s if self.stood_s is None else self.stood_s) if stands else None
        for stream in list(self.streams):
            stream(self.speeds)
        self.at(self.now_s + TICK_S, self._tick)

    @staticmethod
    def _towards(speed, target):
        step = BRAKING_MMPS2 * TICK_S
        return target if abs(target - speed) <= step else speed + step * (1 if target > speed else -1)

    # -- what the engine does with messages ------------------------------------------------------------------

    def stop(self):
        if self.active:
            self.target = (0.0, 0.0)

    def drive(self, left, right):
        if self.active:
            self.target = (left, right)

    def ask_override(self):
        self.override_asked += 1
        self._wanted = self.override = True

    def release(self):
        self.released += 1
        self._wanted = self.override = False


@dataclass
class Call:
    """A request, and its answer once there is one."""

    error: Exception | None = None
    answered: bool = False

    def done(self):
        return self.answered or self.error is not None

    def exception(self):
        return self.error


@dataclass
class Cable:
    """A connection to a `StrictRobot`.

    Args:
        up_s: delay towards the robot.
        down_s: delay of answers.
        events_s: delay of events, besides.
        stalled: spans of time in which nothing passes either way; what is sent waits.
        broken_s: from when on it is broken for good: nothing arrives, calls fail.
        deaf: no events come.
    """

    robot: StrictRobot
    up_s: float = 0.005
    down_s: float = 0.005
    events_s: float = 0.0
    stalled: tuple = ()
    broken_s: float = float("inf")
    deaf: bool = False
    closed: bool = False
    _stream: object = None
    _states: list = field(default_factory=list)
    _controls: bool = False  # whether it has a control stream
    _ended: bool = False  # which the robot's gateway knows to have ended

    def __post_init__(self):
        self._up_s = 0.0  # none overtakes another
        if self.broken_s < float("inf"):
            self.robot.at(self.broken_s, self._break)

    def _break(self):
        """The robot's gateway sees the end of the connection, and gives control back for it."""
        if self._stream in self.robot.streams:
            self.robot.streams.remove(self._stream)
        if self._controls and not self._ended:
            self._ended = True
            self.robot.receive(self.robot.release)

    def _passes_s(self, t_s):
        for begin_s, end_s in self.stalled:
            if begin_s <= t_s < end_s:
                return self._passes_s(end_s)
        return t_s

    def _send(self, do):
        if self.robot.now_s >= self.broken_s:
            raise ConnectionError("broken")
        self._up_s = max(self._up_s, self._passes_s(self.robot.now_s + self.up_s))
        if self._up_s < self.broken_s:
            self.robot.at(self._up_s, do)

    def _back(self, do, late_s=0.0):
        t_s = self._passes_s(self.robot.now_s + self.down_s + late_s)
        if t_s < self.broken_s:
            self.robot.at(t_s, do)

    def _call(self, do):
        call = Call()
        self.robot.at(self.robot.now_s + 2.0, lambda: self._time_out(call))

        def arrive():
            do()
            self._back(lambda: setattr(call, "answered", True))

        self._send(arrive)
        return call

    @staticmethod
    def _time_out(call):
        if not call.answered:
            call.error = TimeoutError()

    def send_stop(self):
        return self._call(lambda: self.robot.receive(self.robot.stop))

    def hear_anew(self):
        if self._stream in self.robot.streams:
            self.robot.streams.remove(self._stream)
        states = self._states = []

        def stream(speeds):
            def hear():
                states.append(WheelState(self.robot.now_s, *speeds))

            if not self.deaf:
                self._back(hear, self.events_s)

        self._stream = stream
        self._send(lambda: self.robot.streams.append(stream))

    def take_states(self):
        taken, self._states[:] = list(self._states), []
        return taken

    def ask_override(self):
        self._send(self._control(self.robot.ask_override))

    def release(self):
        self._send(self._control(self.robot.release))
        return self._call(lambda: None)

    def _control(self, do):
        def arrive():
            self._controls = True
            if not self._ended:
                self.robot.receive(do)

        return arrive

    def call_out(self, text):
        pass

    def close(self):
        self.closed = True
        if self.robot.now_s < self.broken_s:
            self._send(self._break)  # the computer's network still delivers it after what was sent before
