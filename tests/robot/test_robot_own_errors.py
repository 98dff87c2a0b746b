"""What goes wrong in this program itself where it drives: errors, no memory, an output nobody reads.

A stop counts only when the simulated wheels stand, by their true speeds.
"""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from support.stops import still_since_ms
from support.strict_robot import Cable, StrictRobot
from vector_tl.robot import link, wheels
from vector_tl.robot.base import NO_WATCHDOG, OWN_ERROR, RobotState
from vector_tl.robot.evidence import explained_by
from vector_tl.robot.open import open_robot
from vector_tl.robot.simulator_client import SimulatorProcess
from vector_tl.robot.stopping import GIVEN_UP, WRITE_S, Stopping, StopResult, do_aside, shout
from vector_tl.robot.watched import NOT_READY, Watched

OURS = (120.0, 80.0)
STATE = RobotState(0.0, 0.0, 0.0, 0.0, 0.0, 32.0, 0.0, 0.0, None)


@pytest.fixture(scope="module")
def sim():
    with SimulatorProcess(camera="plain", targets=0) as simulator:
        yield simulator


@contextlib.contextmanager
def driven(sim):
    """A robot that turns at (30, -30), as long as commands are repeated; a fault ends with it."""
    with open_robot(sim.serials[0], home=sim.home) as robot:
        robot.next_frame()
        drive_until(robot, lambda: speeds(sim) == (30, -30))
        try:
            yield robot
        finally:
            sim.truth.fault("clear")


def drive_until(robot, condition, timeout_s: float = 5.0) -> None:
    """Repeat the command every 30 ms until `condition` holds."""
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, "waited in vain"
        robot.drive(30, -30)
        time.sleep(0.03)


def speeds(sim) -> tuple[float, float]:
    """The wheels' true speeds, as they were set last."""
    log = [entry for entry in sim.truth.log()["entries"] if entry["kind"] == "speeds"]
    return (log[-1]["left_mmps"], log[-1]["right_mmps"]) if log else (0.0, 0.0)


def stands_after_ms(sim, since_ms: float) -> float:
    still_ms = still_since_ms(sim.truth.log()["entries"], since_ms)
    assert still_ms is not None, "the wheels turn"
    return still_ms - since_ms


def now_ms(sim) -> float:
    return sim.truth.log(1e15)["t_ms"]


def raising(error: Exception):
    def fail(*_args):
        raise error

    return fail


@pytest.mark.parametrize("part", ["watchdog", "link", "state"])
def test_an_error_where_it_drives_stops_the_wheels_and_ends_driving(sim, part, monkeypatch, caplog):
    with driven(sim) as robot:
        since_ms = now_ms(sim)
        if part == "watchdog":
            monkeypatch.setattr(robot._watched, "objection", raising(RuntimeError("no memory")))
        elif part == "link":
            monkeypatch.setattr(robot, "_mind_control", raising(RuntimeError("no memory")))
        else:
            monkeypatch.setattr(robot._guard.reading, "saw", raising(ValueError("math domain error")))
        drive_until(robot, lambda: robot.stops)
        drive_until(robot, lambda: speeds(sim) == (0, 0))
        assert stands_after_ms(sim, since_ms) < 500
        assert [stop.reason for stop in robot.stops] == [OWN_ERROR]
        assert not robot.drive(30, -30)
        assert caplog.text.count("an error in this program") == 1


def test_an_error_in_what_sends_stops_is_the_watchdogs_business(sim, monkeypatch):
    with driven(sim) as robot:
        since_ms = now_ms(sim)
        monkeypatch.setattr(robot._wheels, "turn", raising(RuntimeError("no memory")))
        drive_until(robot, lambda: speeds(sim) == (0, 0))
        assert stands_after_ms(sim, since_ms) < 700
        monkeypatch.undo()


def test_a_stop_in_which_something_fails_begins_anew(sim, monkeypatch):
    failed = []

    class FailsOnce(Stopping):
        def run(self, wanted=lambda: True):
            if not failed:
                failed.append(True)
                self.end()
                raise RuntimeError("can't start new thread")
            return super().run(wanted)

    with driven(sim) as robot:
        monkeypatch.setattr(wheels, "Stopping", FailsOnce)
        sim.truth.fault("control_lost", ms=20_000)  # a plain stop is ignored
        drive_until(robot, lambda: failed)
        robot.stop()
        assert speeds(sim) == (0, 0)


def test_a_person_s_stop_is_sent_after_one_that_was_given_up(sim, monkeypatch):
    class GivesUp(Stopping):
        def run(self, wanted=lambda: True):
            self.end()
            return StopResult(False, None, GIVEN_UP)

    with driven(sim) as robot:
        with monkeypatch.context() as patch:
            patch.setattr(wheels, "Stopping", GivesUp)
            sim.truth.fault("control_lost", ms=20_000)
            drive_until(robot, lambda: robot._wheels._has_given_up)
            assert speeds(sim) == (30, -30)
        robot.stop()
        assert speeds(sim) == (0, 0)


def test_a_stop_that_was_given_up_is_tried_again_as_long_as_there_is_a_link(sim, monkeypatch):
    tries = []

    class GivesUpFirst(Stopping):
        def run(self, wanted=lambda: True):
            tries.append(time.monotonic())
            if len(tries) > 1:
                return super().run(wanted)
            self.end()
            return StopResult(False, None, GIVEN_UP)

    with driven(sim) as robot:
        monkeypatch.setattr(wheels, "Stopping", GivesUpFirst)
        monkeypatch.setattr(wheels, "AGAIN_S", 0.5)
        sim.truth.fault("control_lost", ms=20_000)
        drive_until(robot, lambda: speeds(sim) == (0, 0))
        assert tries[1] - tries[0] >= 0.5


def test_no_new_watchdog_can_be_started(sim, monkeypatch, caplog):
    with driven(sim) as robot:
        monkeypatch.setattr(robot._watched, "_start", raising(OSError(12, "Cannot allocate memory")))
        since_ms = now_ms(sim)
        os.kill(robot._watched.watchdog.pid, signal.SIGKILL)
        drive_until(robot, lambda: robot.stops and speeds(sim) == (0, 0))
        assert stands_after_ms(sim, since_ms) < 500
        drive_until(robot, lambda: robot.stops[-1].reason == NO_WATCHDOG)
        assert "Cannot allocate memory" in caplog.text


def test_a_computer_that_slept_stops_the_wheels_and_begins_anew(sim, monkeypatch):
    with driven(sim) as robot:
        since_ms = now_ms(sim)
        monkeypatch.setattr(link, "waking_and_sleeping_s", lambda: time.monotonic() + 60.0)
        drive_until(robot, lambda: speeds(sim) == (0, 0))
        assert stands_after_ms(sim, since_ms) < 500
        assert [stop.reason for stop in robot.stops] == [f"this program stood still for {60:.1f} s"]
        drive_until(robot, lambda: speeds(sim) == (30, -30))


class DeadWatchdog:
    ready, dead = False, True

    def end(self):
        pass


@pytest.mark.fast
def test_it_is_not_started_for_ever():
    watched = Watched(DeadWatchdog, "0dd1a5e7")
    watched._start = raising(BlockingIOError(11, "Resource temporarily unavailable"))
    assert [watched.objection() for _ in range(4)] == [NOT_READY, NOT_READY, NO_WATCHDOG, NO_WATCHDOG]


# -- the shout -----------------------------------------------------------------------------------------------


@pytest.mark.fast
@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")]
)
def test_a_shout_that_fails_does_not_end_the_stop(error):
    robot = StrictRobot(OURS, active=False)
    cables = [Cable(robot, stalled=((0.0, 4.0),)) for _ in range(100)]
    stopping = Stopping(
        lambda: cables.pop(),
        cables.pop(),
        lambda *seen: explained_by([OURS], *seen),
        shout=raising(error),
        clock=robot.clock,
        wait=robot.wait,
    )
    assert stopping.run().stopped
    assert robot.stood_s > 4.0


class Cancelled:
    """An answer that nobody waits for any more, as when its connection's loop ended."""

    def done(self):
        return True

    def exception(self):
        raise RuntimeError("cancelled")


@pytest.mark.fast
def test_a_request_that_was_cancelled_counts_as_failed():
    robot = StrictRobot(OURS, active=True)
    first = Cable(robot)
    first.send_stop = Cancelled
    stopping = Stopping(lambda: Cable(robot), first, clock=robot.clock, wait=robot.wait)
    assert stopping.run().stopped
    assert robot.speeds == (0.0, 0.0)


@pytest.mark.fast
def test_an_output_that_nobody_reads_holds_nothing_up(monkeypatch):
    halted = threading.Event()

    class Halted:
        def write(self, _text):
            halted.wait(10.0)

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stderr", Halted())
    begin_s = time.monotonic()
    shout("0dd1a5e7")
    assert time.monotonic() - begin_s < WRITE_S + 0.3
    halted.set()


@pytest.mark.fast
def test_what_cannot_be_written_is_let_go(capsys):
    do_aside(raising(ValueError("I/O operation on closed file")))
    shout("0dd1a5e7")
    assert "PICK IT UP" in capsys.readouterr().err
