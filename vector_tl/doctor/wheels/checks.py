"""The checks that turn a robot's wheels, in the order in which they run."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import vector_tl
from vector_tl.doctor.check import RESTART, SHORT_OF_FRAMES, Check
from vector_tl.doctor.wheels.bare import BareRobot
from vector_tl.doctor.wheels.measures import rate, still_after_ms, turns
from vector_tl.doctor.wheels.rig import ROOM_MM, SPEED_MMPS, Doubt, Rig
from vector_tl.errors import UserError
from vector_tl.robot.body import TICK_MS
from vector_tl.robot.stopping import AT_LEVEL_HELD, StopResult
from vector_tl.robot.watchdog.__main__ import WATCH_ON_S

DRIVE_S = 0.35  # how long wheels turn before something is done to them
LOOK_S = 3.0  # at wheels at rest, for the rate of states
STATES_HZ = 1000 / TICK_MS
RATE_SHARE = 0.1  # by which the rate may miss that
MAX_GAP_MS = 300.0  # the guard stops wheels without a state for 350 ms
MAX_STOP_MS = 500.0  # in control
MAX_LOST_MS = 700.0  # without control, or with the program killed or frozen
LOST_S = 0.2  # after the release: three ticks, so that nobody has control when the stop comes
CLOSED_S = 0.5  # after a second connection's end, which ends control once more
READY_S, TURN_S, OVER_S = 12.0, 1.0, 1.5
ENDED_S = WATCH_ON_S + 0.5  # so long after a stop the watchdog of a killed program still looks on
HAND = "keep a hand at the robot in all that follows, and send in this report"
AT_HAND = f"do not let a program drive this robot without a hand at it: {HAND}"


def wheel_checks(rig: Rig) -> Iterator[Check]:
    """Run all; the first doubt stops the wheels and ends them.

    Args:
        rig: entered by the caller, so that wheels stand whatever happens.
    """
    forward = SPEED_MMPS
    steps: list[Callable[[], Iterator[Check]]] = [
        lambda: _ready(rig),
        lambda: _control(rig),
        lambda: _state_rate(rig),
        lambda: _stops(rig, forward),
        lambda: _loses_control(rig, forward),
        lambda: _watchdog(rig, signal.SIGKILL, "killed", forward),
        lambda: _watchdog(rig, signal.SIGSTOP, "frozen", -forward),
    ]
    try:
        for step in steps:
            yield from step()
        yield _room(rig)
    except UserError as doubt:
        yield Check("wheels", False, f"{_how_it_ends(rig)}: {doubt}", _remedy(rig))


def _how_it_ends(rig: Rig) -> str:
    """Stop the wheels at a doubt, whoever turns them; how that went."""
    if rig.begin is None:
        return "not turned"
    result = rig.confirm_stop(whoever_drives=True)
    if not result.stopped:
        return f"NOT SEEN TO STAND ({result.how})"
    return f"they stand {_after(result)} and are not driven any more"


def _remedy(rig: Rig) -> str:
    if rig.wheels_up:
        return "put it so that its treads hang free, off its charger, with a full battery, and begin anew"
    return f"put it on a table, {ROOM_MM:.0f} mm and more from every edge, and begin anew; or {RESTART}"


def _ready(rig: Rig) -> Iterator[Check]:
    state = rig.begin_to_watch()
    flags = {
        "picked up": state.picked_up,
        "held": state.being_held,
        "an edge below it": state.cliff,
    }
    said = ", ".join(name for name, holds in flags.items() if holds) or "standing on its treads"
    where = "its wheels up" if rig.wheels_up else "it on a table"
    detail = f"software {rig.robot.version()}; with {where} it reports: {said}; the watchdog process is ready"
    yield Check("before the wheels turn", True, detail)


def _state_rate(rig: Rig) -> Iterator[Check]:
    begun_s = time.monotonic()
    rig.watch(LOOK_S)
    hz, gap_ms = rate([s.received_s for s in rig.robot.states if s.received_s >= begun_s])
    ok = abs(hz - STATES_HZ) <= RATE_SHARE * STATES_HZ and gap_ms <= MAX_GAP_MS
    detail = f"{hz:.1f} a second, {STATES_HZ:.1f} expected; the longest time between two is {gap_ms:.0f} ms"
    yield Check("state rate", ok, detail, SHORT_OF_FRAMES)


def _control(rig: Rig) -> Iterator[Check]:
    """Take control early: without it the robot does what it likes."""
    yield Check("control", True, f"granted {rig.take_control():.0f} ms after it was asked for")


def _stops(rig: Rig, mmps: float) -> Iterator[Check]:
    """Drive there and back in control, and stop each time."""
    results = []
    for direction, word in ((1, "forward"), (-1, "back")):
        with rig.episode(f"Stop in control, {word}"):
            rig.drive(direction * mmps, DRIVE_S)
            results.append(rig.confirm_stop())
            rig.watch(0.3)
    took = " and ".join(f"{result.confirmed_ms or math.nan:.0f} ms" for result in results)
    ok = all(result.stopped and (result.confirmed_ms or 0) <= MAX_STOP_MS for result in results)
    detail = f"forward and back after {took}, {results[0].how}; {MAX_STOP_MS:.0f} ms are the limit"
    yield Check("stop confirmed", ok, detail if ok else f"{detail}; {results[-1].how}", AT_HAND)
    if not all(result.stopped for result in results):
        raise Doubt("a stop in control was not confirmed")


def _loses_control(rig: Rig, mmps: float) -> Iterator[Check]:
    """A second connection ends our control while the wheels turn: the rule stops them all the same."""
    other = BareRobot(rig.serial, rig.home)
    try:
        other.version()  # it is connected then
        heard = len(rig.robot.lost_s)
        with rig.episode("Control taken and given up by a second connection"):
            rig.drive(mmps, DRIVE_S)
            rig.mark("other asks")
            other.ask_default()
            granted = rig.watch(TURN_S, lambda: bool(other.granted_s))
            rig.mark("other releases")
            released = other.release()
            rig.watch(TURN_S, released.done)
            rig.watch(LOST_S)
            result = rig.confirm_stop()
            rig.watch(0.3)
        heard_it = "heard of it" if len(rig.robot.lost_s) > heard else "heard nothing"
        stopped, detail = _how_it_stopped(rig, result)
        if not granted:
            detail = f"the second connection was given no control in {TURN_S:.0f} s; {detail}"
        yield Check(
            "control lost", stopped and granted, f"the first connection {heard_it}; {detail}", AT_HAND
        )
    finally:
        other.close()
    if not stopped:
        raise Doubt("the wheels were not seen to stand after control was lost")
    rig.watch(CLOSED_S)
    granted_ms = rig.take_control()
    with rig.episode("Control regained, back"):
        rig.drive(-mmps, 2 * DRIVE_S)
        again = rig.confirm_stop()
        rig.watch(0.3)
    detail = f"granted again after {granted_ms:.0f} ms, driven back, stopped {_after(again)}"
    yield Check("control regained", again.stopped, detail, AT_HAND)
    if not again.stopped:
        raise Doubt("a stop was not confirmed")


def _how_it_stopped(rig: Rig, result: StopResult) -> tuple[bool, str]:
    """Whether the wheels stand after control was lost, and by what."""
    if result.foreign:  # the robot's own behaviours woke up; in control it obeys
        rig.take_control()
        result = rig.confirm_stop(whoever_drives=True)
        return result.stopped, f"then the robot drove by itself; back in control, stopped {_after(result)}"
    in_time = result.stopped and (result.confirmed_ms or 0) <= MAX_LOST_MS
    at_level = result.how.startswith(AT_LEVEL_HELD)
    without = "; it obeyed without control, or its own behaviours stopped it" if at_level else ""
    return in_time, f"the wheels were stopped {_after(result)}{without}; {MAX_LOST_MS:.0f} ms are the limit"


def _after(result: StopResult) -> str:
    return f"after {result.confirmed_ms:.0f} ms ({result.how})" if result.confirmed_ms else f"({result.how})"


def _watchdog(rig: Rig, number: signal.Signals, word: str, mmps: float) -> Iterator[Check]:
    """A child drives, and is killed or frozen: its watchdog stops the wheels."""
    with rig.episode(f"A driving program is {word} ({number.name})"), _Child(rig, mmps) as child:
        child.wait_until_it_drives()
        rig.watch(DRIVE_S)
        if not turns(rig.robot.states, mmps):
            raise Doubt("the wheels stood before the program that drove was ended")
        fault_s = rig.mark(number.name)
        child.process.send_signal(number)
        rig.watch(OVER_S, lambda: still_after_ms(rig.robot.states, fault_s) is not None)
        stood = still_after_ms(rig.robot.states, fault_s) is not None
        if stood:
            rig.rest()
        else:
            rig.mark("the doctor stops it")
            rig.confirm_stop()
        child.process.kill()
        rig.watch(CLOSED_S)
        rig.take_control()  # without anybody in control, the robot would do what it likes
        rig.watch(ENDED_S)
        still_ms = still_after_ms(rig.robot.states, fault_s)
    ok = stood and still_ms is not None and still_ms <= MAX_LOST_MS
    took = (
        "not seen to stand by themselves"
        if not stood or still_ms is None
        else f"at 0 after {still_ms:.0f} ms"
    )
    detail = (
        f"wheels {took}, {MAX_LOST_MS:.0f} ms are the limit; {child.said() or 'the watchdog said nothing'}"
    )
    yield Check(f"watchdog, {word}", ok, detail, AT_HAND)
    if not stood:
        raise Doubt("the watchdog of a program that was ended did not stop the wheels")


def _room(rig: Rig) -> Check:
    behind_mm, before_mm = rig.reach_mm()
    detail = (
        f"by its odometry it went {before_mm:.0f} mm forward and {-behind_mm:.0f} mm back of its first place"
    )
    return Check("room", max(before_mm, -behind_mm) <= ROOM_MM, detail, f"leave more room; {HAND}")


class _Child:
    """The child that drives; at the end of the block it has ended."""

    def __init__(self, rig: Rig, mmps: float):
        self._rig, self._mmps, self._lines = rig, mmps, list[str]()
        paths = [str(Path(vector_tl.__file__).parents[1]), os.environ.get("PYTHONPATH")]
        module = "vector_tl.doctor.wheels.child"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, rig.serial, str(rig.home), str(mmps)],
            stdin=subprocess.PIPE,  # its end ends the child
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._driving = threading.Event()
        for listen in (self._wait_for_word, self._pass_on):
            threading.Thread(target=listen, name="doctor's child", daemon=True).start()

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(OVER_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_until_it_drives(self) -> None:
        """Wait for the wheels to turn. Raises `Doubt` when they do not."""
        rig, states = self._rig, self._rig.robot.states
        if not rig.watch(READY_S, lambda: self._driving.is_set() or self.process.poll() is not None):
            raise Doubt("the program that is to be killed did not come to drive")
        rig.expect(self._mmps)
        rig.mark(f"{self._mmps:+.0f} mm/s")
        if not rig.watch(TURN_S, lambda: turns(states, self._mmps)):
            raise Doubt(f"the program that is to be killed did not turn the wheels; {self.said()}")

    def said(self) -> str:
        """The last line that the child or its watchdog wrote."""
        return self._lines[-1] if self._lines else ""

    def _wait_for_word(self) -> None:
        if self.process.stdout and self.process.stdout.readline():
            self._driving.set()

    def _pass_on(self) -> None:
        """Pass on what child and watchdog write: a shout must be seen."""
        for line in self.process.stderr or ():
            print(line, end="", file=sys.stderr, flush=True)
            if line.strip():
                self._lines.append(line.strip())
