"""The watchdog process: whatever happens to the program that drives, the wheels stand soon."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.stops import still_since_ms
from vector_tl.robot.simulator_client import SimulatorProcess
from vector_tl.robot.watchdog.channel import Channel, Heartbeat, WatchdogState

TESTS = Path(__file__).parents[1]
STOPPED_MS = 700


@pytest.fixture(scope="module")
def sim():
    with SimulatorProcess(camera="plain", targets=0) as simulator:
        yield simulator


@contextlib.contextmanager
def driving(sim):
    """A program that drives; with its watchdog's process id as `watchdog`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.driving_program", sim.serials[0], str(sim.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
        process_group=0,  # as a shell does: Ctrl-Z and Ctrl-\ reach the whole group
    )
    word, pid = process.stdout.readline().split()
    assert word == "driving"
    process.watchdog = int(pid)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def program(sim):
    with driving(sim) as process:
        yield process


def stops_within_ms(sim, fault) -> float:
    """Let it happen; from then to the wheels' rest by their true speeds."""
    fault_ms = sim.truth.log()["t_ms"]
    fault()
    deadline_s = time.monotonic() + 4.0
    while time.monotonic() < deadline_s:
        time.sleep(0.1)
        still_ms = still_since_ms(sim.truth.log()["entries"], fault_ms, sim.serials[0])
        if still_ms is not None:
            return still_ms - fault_ms
    pytest.fail("the wheels turn on")


def is_alive(pid: int) -> bool:
    """Whether a process that is not ours to wait for runs; whoever took it over may be slow to bury it."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    deadline_s = time.monotonic() + 5.0
    while is_alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return not is_alive(pid)


@pytest.mark.parametrize("number", ["SIGKILL", "SIGQUIT"])
def test_a_program_that_dies_is_stopped_and_its_watchdog_ends(sim, program, number):
    stopped_ms = stops_within_ms(sim, lambda: os.killpg(program.pid, getattr(signal, number)))
    assert stopped_ms <= STOPPED_MS
    assert ends(program.watchdog)
    assert "the program is gone; stopped" in program.stderr.read()


@pytest.mark.parametrize("number", ["SIGSTOP", "SIGTSTP"])
def test_a_program_that_is_frozen_is_stopped_and_learns_of_it(sim, program, number):
    stopped_ms = stops_within_ms(sim, lambda: os.killpg(program.pid, getattr(signal, number)))
    assert stopped_ms <= STOPPED_MS
    assert "no sign of life for 300 ms; stopped at the level held" in program.stderr.readline()
    os.killpg(program.pid, signal.SIGCONT)
    assert "no sign of life for 300 ms; stopped at the level held" in program.stdout.readline()


def test_a_watchdog_ends_with_its_simulator_though_the_program_lives():
    with contextlib.ExitStack() as stack:
        with SimulatorProcess(camera="plain", targets=0) as mortal:
            frozen = stack.enter_context(driving(mortal))
            os.kill(mortal.process.pid, signal.SIGKILL)
            os.kill(frozen.pid, signal.SIGSTOP)
            time.sleep(1.0)
            assert is_alive(frozen.watchdog)  # it tries, as long as a way may come back
        assert ends(frozen.watchdog)


def test_native_code_that_holds_the_gil_is_no_sign_of_life(sim, program):
    assert stops_within_ms(sim, lambda: print("gil", file=program.stdin)) <= STOPPED_MS
    assert "stepped in" in program.stdout.readline()


def test_the_program_stops_the_robot_when_its_watchdog_is_killed(sim, program):
    assert stops_within_ms(sim, lambda: os.kill(program.watchdog, signal.SIGKILL)) <= STOPPED_MS
    assert program.stdout.readline().startswith("the watchdog is gone")


def test_without_control_the_watchdog_takes_it_and_gives_it_back(sim, program):
    print("release", file=program.stdin)
    time.sleep(0.2)  # nobody is in control now, the program drives on, and the wheels turn
    stopped_ms = stops_within_ms(sim, program.kill)
    assert stopped_ms <= STOPPED_MS
    assert ends(program.watchdog)
    assert "stopped control taken at OVERRIDE" in program.stderr.read()
    control = [e["event"] for e in sim.truth.log()["entries"] if e["kind"] == "control"]
    assert control[-1] in ("ended", "release", "client gone")


def test_an_orderly_end_is_quiet_and_the_watchdog_is_small(sim, program):
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{program.watchdog}/status").read_text().splitlines()
    )
    assert int(status["VmRSS"].split()[0]) < 60_000  # KiB
    assert os.getsid(program.watchdog) == program.watchdog  # no signal to the program's group reaches it
    print("end", file=program.stdin)
    assert program.stdout.readline().startswith("asked to")
    assert program.stdout.readline() == "ended 0\n"
    assert not is_alive(program.watchdog)
    assert program.stderr.read() == ""


@pytest.mark.fast
def test_what_the_watchdog_imports_is_small():
    code = (
        "import sys; from vector_tl.robot.watchdog import __main__ as process;"
        "from vector_tl.robot.wire import load_messages; load_messages();"
        "big = {'numpy', 'cv2', 'torch', 'openvino', 'PIL', 'anki_vector.robot'} & set(sys.modules);"
        "import anki_vector; assert anki_vector.Robot;"  # the SDK itself can still be imported afterwards
        "print(sorted(big))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


@pytest.mark.fast
def test_both_sides_see_what_the_other_wrote_and_nothing_half_written():
    app = Channel()
    watchdog = Channel(os.dup(app.descriptor))
    assert watchdog.read_heartbeat() == Heartbeat()
    beat = Heartbeat(3, 12.5, 100.0, -80.0, 0.3, standing=False)
    app.write_heartbeat(beat)
    assert watchdog.read_heartbeat() == beat
    state = WatchdogState(13.5, 2, ready=True)
    watchdog.write_watchdog(state)
    watchdog.write_report("it stood")
    assert app.read_watchdog() == state
    assert app.read_report() == "it stood"
    app._memory[0] ^= 1  # as if it had been killed while it was writing
    assert watchdog.read_heartbeat() is None
