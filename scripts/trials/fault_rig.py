"""What a fault trial stands on: a simulator, the app as a process, another client, the network between."""

import fcntl
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from fault_kinds import Fault

from vector_tl.errors import UserError
from vector_tl.robot.simulator_client import SimulatorProcess, TruthClient

TURNING_S = 30.0
RUN_S = 36_000.0
END_S = 20.0
EFFECT_MS = 130.0  # within two ticks a command shows in the wheels' speeds, or was replaced before
THEIRS_MMPS = 37.0  # at which another client drives, so that the log shows whose command it is
SHOUT = "MAY BE DRIVING"
DRIVER = Path(__file__).with_name("fault_driver.py")


class Rig:
    """A room with a robot that `find` drives. Use it in a `with` block.

    Args:
        world: the room.
        delay_ms: of the network, one way; 0 goes past it unless `networked`.
        networked: whether there is a network that can be slow or break.
        has_terminal: whether the app has a terminal of its own, which can close.
    """

    def __init__(
        self, world: int, delay_ms: float = 0.0, networked: bool = False, has_terminal: bool = False
    ):
        self._stack, self._has_terminal = ExitStack(), has_terminal
        self._simulator = self._stack.enter_context(SimulatorProcess(world=world, camera="plain"))
        self.truth: TruthClient = self._simulator.truth
        self.serial = self._simulator.serials[0]
        home = self._simulator.home
        self._network: Any = None
        if networked:
            from slow_proxy import SlowProxy

            home = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self._network = self._stack.enter_context(SlowProxy(self._simulator.home, home, delay_ms))
        self._other: Any = None
        self._home = home

    def __enter__(self) -> Self:
        self._errors = self._stack.enter_context(tempfile.TemporaryFile("w+"))
        self._terminal, terminal = os.openpty()

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        # A group of its own in this session, as a shell makes it: one without a shell is never suspended.
        group = {"preexec_fn": take_terminal} if self._has_terminal else {"process_group": 0}

        self._app = subprocess.Popen(
            [sys.executable, str(DRIVER), self.serial, str(RUN_S)],
            env=os.environ | {"HOME": str(self._home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            **group,
        )
        os.close(terminal)
        return self

    def __exit__(self, *_exc: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._app.pid, signal.SIGKILL)
        self._app.wait()
        for pipe in (self._app.stdin, self._app.stdout):
            with suppress(OSError):
                pipe.close()
        self._close_terminal()
        if self._other is not None:
            self._other.close()
        self._stack.close()

    @property
    def alive(self) -> bool:
        """Whether the app's process has not ended."""
        return self._app.poll() is None

    # -- the wheels ------------------------------------------------------------------------------------------

    def now_ms(self) -> float:
        """The world's time."""
        return self.truth.log(1e15)["t_ms"]

    def wait_until_turning(self) -> None:
        """Return once the app drives.

        Raises:
            UserError: it never does.
        """
        if not self.turns_within(TURNING_S):
            self._errors.seek(0)
            raise UserError(f"the finder never turned its wheels: {self._errors.read()[-500:]}")

    def turns_within(self, timeout_s: float) -> bool:
        """Whether the app's own speeds turn the wheels within that time, by commands that were just sent."""
        until_s, since_ms = time.monotonic() + timeout_s, self.now_ms()
        while time.monotonic() < until_s and self.alive:
            log = self.truth.log(since_ms)
            sent = [entry for entry in log["entries"] if _is_drive(entry)]
            if len(sent) >= 3 and log["t_ms"] - sent[-1]["t_ms"] < 100 and self._turning():
                return True
            time.sleep(0.02)
        return False

    def _turning(self) -> bool:
        speeds = [entry for entry in self.truth.log()["entries"] if entry["kind"] == "speeds"]
        return bool(speeds) and not _stands(speeds[-1])

    def stopped_after_ms(self, fault: Fault, begin_ms: float) -> float | None:
        """Time (ms) from the fault to the moment from which on the wheels stood; None if they did not.

        For a fault that is over at once that is the first moment at which they stood, and for one that keeps
        all commands from the robot the first one after it. Where somebody else may drive, it is the time
        until the last of the app's own speeds was replaced; with another program, from the moment at which
        the wheels turned by its speeds, as some of its commands are overwritten before they take effect.
        """
        entries = self.truth.log(begin_ms)["entries"]
        if fault.judged == "ours":
            return _ours_end_ms(entries, _theirs_begin_ms(entries, begin_ms))
        earlier = [entry for entry in self.truth.log()["entries"] if entry["kind"] == "speeds"]
        at_first = [entry for entry in earlier if entry["t_ms"] <= begin_ms][-1:]
        speeds = [entry | {"t_ms": begin_ms} for entry in at_first]  # they may have stood already
        speeds += [entry for entry in entries if entry["kind"] == "speeds" and entry["t_ms"] > begin_ms]
        if fault.lasts_ms and not fault.out_of_reach_ms:
            speeds = [entry for entry in speeds if entry["t_ms"] <= begin_ms + fault.lasts_ms]
            return round(speeds[-1]["t_ms"] - begin_ms, 1) if speeds and _stands(speeds[-1]) else None
        since_ms = begin_ms + fault.out_of_reach_ms
        before = [entry for entry in speeds if entry["t_ms"] <= since_ms]
        if before and _stands(before[-1]):
            return 0.0
        later = (entry["t_ms"] for entry in speeds if entry["t_ms"] > since_ms and _stands(entry))
        return next((round(t_ms - since_ms, 1) for t_ms in later), None)

    # -- faults ----------------------------------------------------------------------------------------------

    def strike(self, fault: Fault) -> float:
        """Let it happen; returns the world's time (ms) at which it began."""
        if fault.how == "sim":
            return self._strike_simulator(fault)
        begin_ms = self.now_ms()
        if fault.how == "app":
            self._order(fault.what)
        elif fault.how == "signal":
            self._app.send_signal(getattr(signal, fault.what))
        elif fault.how == "terminal":
            self._close_terminal()
        elif fault.how == "watchdog":
            os.kill(self._watchdog_pid(), signal.SIGKILL)
        elif fault.how == "client":
            begin_ms = self._other_client(fault, begin_ms)
        elif fault.how == "proxy":
            self._break_network(fault)
        return begin_ms

    def _break_network(self, fault: Fault) -> None:
        if fault.what == "cut":
            self._network.cut(fault.lasts_ms / 1000)
            return
        self._network.stall()
        if fault.judged != "shout":
            threading.Timer(fault.lasts_ms / 1000, self._network.resume).start()

    def _strike_simulator(self, fault: Fault) -> float:
        ms = {"ms": fault.lasts_ms} if fault.lasts_ms else {}
        answers = [self.truth.fault(name, **(ms | dict(fault.numbers))) for name in fault.what.split("+")]
        return answers[0]["t_ms"]

    def end_fault(self, fault: Fault) -> None:
        """What lasts until it is ended."""
        if fault.how == "signal" and fault.what in ("SIGSTOP", "SIGTSTP"):
            with suppress(ProcessLookupError):
                os.killpg(self._app.pid, signal.SIGCONT)
        elif fault.how == "proxy" and self._network is not None:
            self._network.resume()
        elif fault.how == "client" and self._other is not None:
            self._other.close()
            self._other = None

    def _order(self, what: str) -> None:
        with suppress(BrokenPipeError):
            self._app.stdin.write(what + "\n")
            self._app.stdin.flush()

    def _close_terminal(self) -> None:
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def _watchdog_pid(self) -> int:
        for line in subprocess.run(
            ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
        ).stdout.splitlines():
            pid, ppid, *words = line.split()
            if "vector_tl.robot.watchdog" in words and int(ppid) == self._app.pid:
                return int(pid)
        raise UserError("the app has no watchdog")

    def _other_client(self, fault: Fault, begin_ms: float) -> float:
        """Let another program do something; returns when it did, once connected and in control."""
        from other_client import OtherClient

        acted_ms: list[float] = []
        self._other = OtherClient(
            self._simulator.home, self.serial, THEIRS_MMPS, lambda: acted_ms.append(self.now_ms())
        )
        if fault.out_of_reach_ms:
            threading.Timer(fault.out_of_reach_ms / 1000, self._other.close).start()
        getattr(self._other, fault.what)()
        return acted_ms[0] if acted_ms else begin_ms

    # -- the end ---------------------------------------------------------------------------------------------

    def end(self) -> dict[str, Any]:
        """End the app.

        Returns:
            {"stops", "shouted", "said", "exit", "still_at_the_end"}
        """
        self._order("end")
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: said.put(self._app.stdout.read()), daemon=True).start()
        try:
            self._app.wait(END_S if self._app.poll() is None else 0.1)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._app.pid, signal.SIGKILL)
        with suppress(queue.Empty):
            lines = said.get(timeout=2.0).splitlines()
        time.sleep(1.0)
        self._errors.seek(0)
        errors = self._errors.read()
        stops: list[dict[str, Any]] = []
        for line in itertools.chain(lines[-1:] if lines else []):
            with suppress(ValueError):
                stops = json.loads(line)["stops"]
        return {
            "stops": stops,
            "shouted": SHOUT in errors.upper() and SHOUT in errors,
            "said": errors.splitlines()[-3:],
            "exit": self._app.poll(),
            "stands_at_the_end": not self._turning(),
        }


def _is_drive(entry: dict[str, Any]) -> bool:
    """Whether it is a command of the app's that makes wheels turn."""
    return (
        entry["kind"] == "wheels"
        and entry.get("applied", True)
        and bool(entry["left_mmps"] or entry["right_mmps"])
        and entry["left_mmps"] != THEIRS_MMPS
    )


def _stands(entry: dict[str, Any]) -> bool:
    return entry["left_mmps"] == entry["right_mmps"] == 0


def _theirs_begin_ms(entries: list[dict[str, Any]], begin_ms: float) -> float:
    """When the wheels first turned by another client's speeds; `begin_ms` where none drives."""
    return next((e["t_ms"] for e in entries if e["kind"] == "speeds" and _is_theirs(e)), begin_ms)


def _is_theirs(entry: dict[str, Any]) -> bool:
    return bool(entry["left_mmps"] == entry["right_mmps"] == THEIRS_MMPS)


def _ours_end_ms(entries: list[dict[str, Any]], begin_ms: float) -> float | None:
    """Time until the wheels no longer turned by the app's speeds: they stood, or somebody else drove them.

    A command that was replaced before it took effect changed no speeds: it was over when it came.
    """
    last_ms = max((e["t_ms"] for e in entries if _is_drive(e)), default=begin_ms)
    speeds = [e for e in entries if e["kind"] == "speeds"]
    before = [e for e in speeds if e["t_ms"] <= last_ms][-1:]
    after = [e for e in speeds if e["t_ms"] > last_ms]
    effective = [e for e in after if e["t_ms"] <= last_ms + EFFECT_MS]
    if before and _is_not_ours(before[0]) and all(map(_is_not_ours, effective)):
        return round(last_ms - begin_ms, 1)
    ends_ms = (e["t_ms"] for e in after if _is_not_ours(e))
    return next((round(t_ms - begin_ms, 1) for t_ms in ends_ms), None)


def _is_not_ours(entry: dict[str, Any]) -> bool:
    return _stands(entry) or _is_theirs(entry)
