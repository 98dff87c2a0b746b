"""Measures how soon the wheels stand still after each kind of fault while `find` drives.

    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl [--repeats 20] [--only "no frames"]
    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl --table
    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl --random-minutes 30

The finder runs as it does with a robot (real time, its own guard and link), with a detector that sees
nothing, so that it searches without end: the fault begins while the wheels turn. Each row has, by the
simulator's own log, the time from the fault to the stop after which no other command came while the fault
lasted (to the first stop where the fault is over at once), whether the search drove again within 5 s of the
fault's end, the reasons that the guard gave, and the threads and streams that remain once everything is
closed. Where no command can reach the robot, there is no stop in the log.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from vector_tl.detect.interface import Detections
from vector_tl.errors import UserError
from vector_tl.find.loop import find
from vector_tl.find.settings import FindSettings
from vector_tl.robot.open import open_robot
from vector_tl.robot.simulator_client import SimulatorProcess

# name -> (the simulator's fault, or what happens in the app; its arguments; how long it lasts, ms)
FAULTS: dict[str, tuple[str, dict, float]] = {
    "no frames": ("camera_stall", {}, 1000),
    "the same frame again and again": ("camera_repeat", {}, 1000),
    "frames of noise": ("camera_corrupt", {}, 1000),
    "frames 2.5 s late": ("camera_latency", {"latency_ms": 2500}, 3500),
    "no states": ("event_stall", {}, 900),
    "no answers": ("rpc_stall", {}, 800),
    "answers 0.4 s late": ("rpc_latency", {"latency_ms": 400}, 1500),
    "control taken away": ("control_lost", {}, 1000),
    "camera stream breaks off": ("abort_camera", {}, 0),
    "event stream breaks off": ("abort_events", {}, 0),
    "control stream breaks off": ("abort_control", {}, 0),
    "all streams break off": ("abort_streams", {}, 0),
    "an edge": ("cliff", {}, 800),
    "picked up": ("picked_up", {}, 1000),
    "robot's server restarts": ("restart", {"ms": 600}, 600),
    "robot frozen for 0.7 s": ("freeze", {"ms": 700}, 700),
    "robot frozen for 2.5 s": ("freeze", {"ms": 2500}, 2500),
    "detector takes 1.5 s": ("app: slow", {}, 1500),
    "detector raises": ("app: raise", {}, 0),
    "Ctrl-C": ("signal", {"number": signal.SIGINT}, 0),
    "SIGTERM": ("signal", {"number": signal.SIGTERM}, 0),
    "terminal closed": ("signal", {"number": signal.SIGHUP}, 0),
    "app frozen for 1.5 s": ("signal", {"number": signal.SIGSTOP}, 1500),
    "app killed": ("signal", {"number": signal.SIGKILL}, 0),
}
NOT_RANDOM = ("frames 2.5 s late", "detector raises")  # nor signals: these end the run, or last too long
RANDOM = [name for name, (fault, *_) in FAULTS.items() if fault != "signal" and name not in NOT_RANDOM]
NOTHING_FRESH = (  # faults during which the newest frame or state is too old to drive by
    "no frames",
    "the same frame again and again",
    "frames of noise",
    "no states",
    "detector takes 1.5 s",
)
RESUME_S = 5.0
ROOM_S = 480.0  # of random faults in one room: a battery lasts three times as long


@dataclass(frozen=True)
class FaultTrials:
    """Run fault trials, or (--table) show those that were run."""

    results: tyro.conf.Positional[Path]
    """File of the results, one JSON object per line."""
    repeats: int = 20
    """Trials of each fault."""
    only: str | None = None
    """Run only this fault, named as in the table."""
    table: bool = False
    """Only print the table."""
    random_minutes: float = 0.0
    """Instead: one run of so many minutes, with faults drawn at random."""


class Blind:
    """A detector that sees nothing, and can be made slow or broken."""

    def __init__(self):
        self.name, self.sleep_s = "blind", 0.0
        self.error: Exception | None = None

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """See `ImageDetector`."""
        if self.error:
            raise self.error
        if self.sleep_s:
            seconds, self.sleep_s = self.sleep_s, 0.0
            time.sleep(seconds)
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


class Wheels:
    """The simulator's own log of wheel commands."""

    def __init__(self, simulator: SimulatorProcess):
        self._truth = simulator.truth

    def now_ms(self) -> float:
        """The world's time."""
        return self._truth.log(1e15)["t_ms"]

    def since(self, t_ms: float) -> list[tuple[float, bool]]:
        """(time, turning?) of each command."""
        entries = self._truth.log(t_ms)["entries"]
        return [
            (entry["t_ms"], bool(entry["left_mmps"] or entry["right_mmps"]))
            for entry in entries
            if entry["kind"] == "wheels"
        ]

    def wait_until_turning(self, timeout_s: float) -> bool:
        """Whether the wheels turn within that time, by a command that was just sent."""
        until_s, since_ms = time.monotonic() + timeout_s, self.now_ms()
        while time.monotonic() < until_s:
            commands = self.since(since_ms)
            if (
                len(commands) >= 3
                and all(turning for _, turning in commands[-3:])
                and self.now_ms() - commands[-1][0] < 60
            ):
                return True
            time.sleep(0.01)
        return False

    def stopped_after_ms(self, begin_ms: float, end_ms: float) -> float | None:
        """Time from `begin_ms` to the stop that nothing but stops followed until `end_ms`; None without one.

        Where `end_ms` is not later than `begin_ms`, the time to the first stop.
        """
        commands = [(t, turning) for t, turning in self.since(begin_ms) if t <= max(end_ms, begin_ms + 700)]
        if end_ms <= begin_ms:
            return next((round(t - begin_ms, 1) for t, turning in commands if not turning), None)
        turning = [t for t, turns in commands if turns]
        stops = [t for t, turns in commands if not turns and t >= max(turning, default=begin_ms)]
        return round(min(stops) - begin_ms, 1) if stops else None


def strike(
    simulator: SimulatorProcess, detector: Blind, fault: str, arguments: dict, lasts_ms: float
) -> float:
    """Begin the fault; returns the world's time at which it began."""
    begin_ms = simulator.truth.log(1e15)["t_ms"]
    if fault == "app: slow":
        detector.sleep_s = lasts_ms / 1000
    elif fault == "app: raise":
        detector.error = RuntimeError("a bug")
    else:
        ms = {} if not lasts_ms or "ms" in arguments else {"ms": lasts_ms}
        return simulator.truth.fault(fault, **arguments, **ms)["t_ms"]
    return begin_ms


def in_this_process(simulator: SimulatorProcess, name: str) -> dict:
    """Run the finder in a thread of this process; the fault is one of the simulator or of the detector."""
    fault, arguments, lasts_ms = FAULTS[name]
    before, wheels, detector = set(threading.enumerate()), Wheels(simulator), Blind()
    with open_robot(simulator.serials[0], home=simulator.home, reconnect_s=10.0) as robot:

        def run() -> None:
            with suppress(Exception):  # the trial ends it by an error
                find(FindSettings(seconds=60.0), robot, detector)

        thread = threading.Thread(target=run)
        thread.start()
        if not wheels.wait_until_turning(15.0):
            raise UserError("the finder never turned its wheels")
        stops_before = len(robot.stops)
        begin_ms = strike(simulator, detector, fault, arguments, lasts_ms)
        time.sleep(max(lasts_ms / 1000, 0.7) + 0.05)
        stopped_ms = wheels.stopped_after_ms(
            begin_ms, begin_ms + (0 if fault.startswith("abort_") else max(lasts_ms, 700))
        )
        resumed = fault != "app: raise" and wheels.wait_until_turning(RESUME_S)
        reasons = [stop.reason for stop in robot.stops[stops_before:]]
        detector.error = RuntimeError("the trial is over")
        thread.join(10.0)
    time.sleep(0.3)
    left = [thread.name for thread in set(threading.enumerate()) - before]
    return {
        "stopped_ms": stopped_ms,
        "resumed": resumed,
        "reasons": sorted(set(reasons)),
        "threads": left,
        "streams": simulator.truth.log(1e15)["streams"],
    }


def in_another_process(simulator: SimulatorProcess, name: str) -> dict:
    """Run the command `find` as a process of its own; the fault is a signal to it."""
    _, arguments, lasts_ms = FAULTS[name]
    wheels = Wheels(simulator)
    command = [
        sys.executable,
        "-m",
        "vector_tl",
        "find",
        "--robot",
        simulator.serials[0],
        "--model",
        "scratch",
        "--threshold",
        "0.99",
        "--seconds",
        "60",
    ]
    process = subprocess.Popen(
        command,
        env=os.environ | {"HOME": str(simulator.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if not wheels.wait_until_turning(30.0):
            raise UserError("the finder never turned its wheels")
        begin_ms = wheels.now_ms()
        process.send_signal(arguments["number"])
        time.sleep(max(lasts_ms / 1000, 0.7) + 0.05)
        stopped_ms = wheels.stopped_after_ms(begin_ms, begin_ms + max(lasts_ms, 700))
        resumed = False
        if arguments["number"] == signal.SIGSTOP:
            process.send_signal(signal.SIGCONT)
            resumed = wheels.wait_until_turning(RESUME_S)
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    time.sleep(0.5)
    reasons = [line for line in err.splitlines() if line.startswith("vector-tl find:")][-1:]
    return {
        "stopped_ms": stopped_ms,
        "resumed": resumed,
        "reasons": reasons,
        "threads": [],
        "streams": simulator.truth.log(1e15)["streams"],
    }


def trial(simulator: SimulatorProcess, name: str, world: int) -> dict:
    """One fault in a world of its own."""
    simulator.truth.fault("clear")
    simulator.truth.world(world)
    run = in_another_process if FAULTS[name][0] == "signal" else in_this_process
    return {"fault": name} | run(simulator, name)


def random_faults(minutes: float) -> dict:
    """Faults one after another in one long run: did it ever drive by a frame or a state that was too old?"""
    rng, detector, late, counts = random.Random(0), Blind(), 0, defaultdict(int)
    before = set(threading.enumerate())
    with (
        SimulatorProcess(world=300, camera="plain") as simulator,
        open_robot(simulator.serials[0], home=simulator.home, reconnect_s=20.0) as robot,
    ):
        errors, wheels = [], Wheels(simulator)

        def run() -> None:
            try:
                find(FindSettings(seconds=minutes * 60 + 60), robot, detector)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")

        thread = threading.Thread(target=run)
        thread.start()
        begin_s, memory, rooms = time.monotonic(), [], 1
        while time.monotonic() < begin_s + minutes * 60 and thread.is_alive():
            if time.monotonic() > begin_s + rooms * ROOM_S:  # another room, with a charged battery
                simulator.truth.world(300 + rooms)
                rooms += 1
            wheels.wait_until_turning(8.0)
            name = rng.choice(RANDOM)
            fault, arguments, lasts_ms = FAULTS[name]
            begin_ms = strike(simulator, detector, fault, arguments, lasts_ms)
            counts[name] += 1
            time.sleep(max(lasts_ms / 1000, 0.7) + 0.05)
            if name in NOTHING_FRESH:
                commands = wheels.since(begin_ms + 500)
                late += sum(turning and t_ms < begin_ms + lasts_ms for t_ms, turning in commands)
            simulator.truth.fault("clear")
            time.sleep(rng.uniform(0.0, 1.0))
            memory.append(_memory_mib())
        lasted_s = time.monotonic() - begin_s
        alive = thread.is_alive() and wheels.wait_until_turning(15.0)
        detector.error = RuntimeError("the trial is over")
        thread.join(15.0)
        hung = thread.is_alive()
    time.sleep(0.5)
    return {
        "random_minutes": round(lasted_s / 60, 1),
        "rooms": rooms,
        "faults": dict(counts),
        "commands_without_fresh_data": late,
        "still_searching_at_the_end": alive,
        "hung": hung,
        "error": errors[0] if errors else None,
        "threads": [t.name for t in set(threading.enumerate()) - before],
        "memory_mib": [round(memory[len(memory) * tenth // 10], 1) for tenth in range(1, 10)]
        + [round(memory[-1], 1)],
    }


def _memory_mib() -> float:
    """The memory that this process occupies."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line]
    return int(line.split()[1]) / 1024


def table(rows: list[dict]) -> str:
    """The results as a table in Markdown."""
    groups = defaultdict(list)
    for row in rows:
        if "fault" in row:
            groups[row["fault"]].append(row)
    heads = (
        "fault",
        "trials",
        "wheels stand after, ms: median, maximum",
        "not stopped",
        "searched again",
        "reasons given",
        "left behind",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in FAULTS:
        some = groups.get(name)
        if not some:
            continue
        times = [row["stopped_ms"] for row in some if row["stopped_ms"] is not None]
        took = f"{np.median(times):.0f}, {max(times):.0f}" if times else "-"
        reasons = sorted({reason for row in some for reason in row["reasons"]})
        left = sum(bool(row["threads"]) + any(row["streams"].values()) for row in some)
        resumed = sum(row["resumed"] for row in some)
        cells = (name, len(some), took, len(some) - len(times), resumed, "; ".join(reasons), left)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(settings: FaultTrials) -> None:
    """Run the trials that are missing, or print the table."""
    rows = (
        [json.loads(line) for line in settings.results.read_text().splitlines()]
        if settings.results.exists()
        else []
    )
    if settings.table:
        print(table(rows))
        print(*(json.dumps(row) for row in rows if "random_minutes" in row), sep="\n")
        return

    def keep_row(row: dict) -> None:
        settings.results.parent.mkdir(parents=True, exist_ok=True)
        with settings.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr, flush=True)

    if settings.random_minutes:
        keep_row(random_faults(settings.random_minutes))
        return
    with SimulatorProcess(camera="plain") as simulator:
        for number in range(settings.repeats):
            for name in FAULTS if settings.only is None else [settings.only]:
                if sum(row.get("fault") == name for row in rows) > number:
                    continue
                try:
                    rows.append(trial(simulator, name, 100 + number))
                except UserError as error:  # the next run repeats this one
                    print(f"{name}: {error}", file=sys.stderr, flush=True)
                    continue
                keep_row(rows[-1])


if __name__ == "__main__":
    try:
        main(tyro.cli(FaultTrials))
    except UserError as error:
        sys.exit(f"fault_trials: {error}")
