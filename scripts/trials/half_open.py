"""How soon a page answers while a client holds 1,100 half-open sockets at it, and its STOP stands the wheels.

    nice -n -5 .venv/bin/python scripts/trials/half_open.py [--stops 10] [--pauses 30] [--json]

The client opens sockets that ask nothing, or half a request, and opens those anew that were closed. In the
simulator, in real time, `find` searches a room without another robot; STOP (it ends a run) or pause is
pressed over HTTP on a connection of its own, and the time is taken from before that connection to the moment
from which the wheels' true speeds are 0 for good. The robot takes commands once in 60 ms. The poll and the
review page are asked for their first page. All servers have the usual limit of 1,024 open files.
"""

import contextlib
import http.client
import json
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from attacks.material import make_dataset
from attacks.serving import make_poll, page_of, vector_tl

from vector_tl.files import finite
from vector_tl.robot.simulator_client import SimulatorProcess, TruthClient
from vector_tl.system import allow_files

SOCKETS = 1100  # more than the usual limit of 1,024 open files
USUAL_FILES = 1024  # of a shell
HEAD = b"POST /stop HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n"
HALVES = (b"", HEAD[:1], HEAD[:30], HEAD)  # nothing, and a head without its end
ANSWER_S = 10.0
READY_S = 60.0
TURNING_S = 30.0
LOOK_S, MAX_EVENTS = 0.02, 4096  # between two looks at which were closed
HELD_S = 1.0  # for which the sockets are open before anything is asked
STILL_S = 0.5  # after which wheels that stood are not expected to turn again


@dataclass(frozen=True)
class Options:
    """Measure how soon pages answer, and STOP acts, under 1,100 half-open sockets."""

    sockets: int = SOCKETS
    """Half-open sockets."""
    rate: float = 500.0
    """How many of those that were closed are opened anew in a second, at most; 0: none."""
    stops: int = 10
    """Runs of `find` that are ended by STOP."""
    pauses: int = 30
    """Pauses in a further run."""
    asks: int = 20
    """Requests to the poll and to the review page."""
    world: int = 3
    """Seed of the room, in which there is no other robot."""
    model: str | None = None
    """A model that looks for one, as in `vector-tl find`; without it a detector that sees nothing."""
    json: bool = False
    """Print the figures as one JSON object on standard output."""


class HalfOpen:
    """Another client, a process of its own, that holds sockets half-open at a port until the block's end.

    Args:
        port: of this machine.
        count: how many.
        rate: how many of those that were closed are opened anew in a second, at most.
    """

    def __init__(self, port: int, count: int = SOCKETS, rate: float = 0.0):
        self._command = [sys.executable, str(Path(__file__)), "hold", str(port), str(count), str(rate)]

    def __enter__(self) -> "HalfOpen":
        self._client = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._client.stdout
        self._client.stdout.readline()  # they are open
        time.sleep(HELD_S)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.communicate()  # the end of its standard input ends it


def hold(port: int, count: int, rate: float) -> None:
    """Hold sockets half-open until standard input ends."""
    allow_files(2 * count + 256)
    look, held = select.epoll(), dict[int, socket.socket]()
    look.register(sys.stdin.fileno(), select.EPOLLIN)
    _open_half(port, count, look, held)
    print("open", flush=True)
    began_s, again = time.monotonic(), 0
    while True:
        for number, event in look.poll(LOOK_S, MAX_EVENTS):
            if number == sys.stdin.fileno():
                return
            if event & (select.EPOLLHUP | select.EPOLLRDHUP | select.EPOLLERR):
                held.pop(number).close()
        allowed = int((time.monotonic() - began_s) * rate) - again
        missing = max(0, min(allowed, count - len(held)))
        _open_half(port, missing, look, held)
        again += missing
        time.sleep(LOOK_S)


def _open_half(port: int, count: int, look: select.epoll, held: dict[int, socket.socket]) -> None:
    for number in range(count):
        made = socket.socket()
        made.setblocking(False)
        made.connect_ex(("127.0.0.1", port))
        with contextlib.suppress(OSError):  # not connected yet, or refused
            made.send(HALVES[number % len(HALVES)])
        held[made.fileno()] = made
        look.register(made, select.EPOLLRDHUP)


def ask(port: int, path: str, method: str = "GET", timeout_s: float = ANSWER_S) -> tuple[int, float]:
    """Status and seconds of one request on a connection of its own; status 0 where there is no answer."""
    began_s = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began_s
    except (OSError, http.client.HTTPException):
        return 0, time.monotonic() - began_s
    finally:
        connection.close()


def answers_s(page: tuple[int, str], asks: int) -> list[float]:
    """How long each of some requests for a page took; infinite without an answer."""
    asked = [ask(*page) for _ in range(asks)]
    return [seconds if status == 200 else float("inf") for status, seconds in asked]


class Finder:
    """`find` with a live view, whose detector sees nothing, with a robot in the simulator.

    Attributes:
        port: of the live view.
    """

    def __init__(self, simulator: SimulatorProcess, model: str | None = None):
        self._truth: TruthClient = simulator.truth
        self._home, self._serial, self._model = simulator.home, simulator.serials[0], model

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """A run within the block, from the moment at which the wheels turn."""
        command = [sys.executable, __file__, "drive", self._serial]
        if self._model:
            words = ("--page", "--page-start", "now", "--seconds", "600", "--no-report")
            find = ("find", "--robot", self._serial, "--model", self._model, *words)
            command = [sys.executable, "-m", "vector_tl", *find]
        start = partial(subprocess.Popen, command, env=os.environ | {"HOME": str(self._home)})
        with page_of(start) as (self.port, self._path):
            self.wait_until_turning()
            yield

    def press(self, action: str) -> float:
        """Press `stop` or `pause`; ms until the wheels stood for good, infinite where they never did."""
        time.sleep(random.uniform(0, 0.12))  # at any moment of the robot's tick
        begin_ms = self._turning_at_ms()
        status, _ = ask(self.port, f"{self._path}{action}", "POST")
        time.sleep(STILL_S)
        speeds = [entry for entry in self._truth.log()["entries"] if entry["kind"] == "speeds"]
        last = speeds[-1]
        stands = last["left_mmps"] == last["right_mmps"] == 0 and status == 200
        return last["t_ms"] - begin_ms if stands else float("inf")

    def _turning_at_ms(self) -> float:
        """A moment, just now, at which the wheels turn: a search also waits for frames."""
        end_s = time.monotonic() + TURNING_S
        while time.monotonic() < end_s:
            log = self._truth.log()
            speeds = [entry for entry in log["entries"] if entry["kind"] == "speeds"]
            if speeds and (speeds[-1]["left_mmps"] or speeds[-1]["right_mmps"]):
                return float(log["t_ms"])
            time.sleep(0.02)
        raise RuntimeError("the wheels never turned")

    def go_on(self) -> None:
        """Press `start`, and wait until the wheels turn."""
        ask(self.port, f"{self._path}start", "POST")
        self.wait_until_turning()

    def wait_until_turning(self) -> None:
        """Return once the wheels turn.

        Raises:
            RuntimeError: they never do.
        """
        self._turning_at_ms()


def drive(serial: str) -> None:
    """The program that is stopped: `find` with the detector of the fault trials."""
    from fault_driver import Blind

    from vector_tl.find.loop import find
    from vector_tl.find.settings import FindSettings
    from vector_tl.robot.open import open_robot

    with open_robot(serial, home=Path(os.environ["HOME"])) as robot:
        find(FindSettings(serial, page=True, page_start="now", seconds=600), robot, Blind())


def stops_ms(options: Options, simulator: SimulatorProcess) -> tuple[list[float], list[float]]:
    """Times of the STOPs, one run each, and of the pauses of one run, each under half-open sockets."""
    finder, stops, pauses = Finder(simulator, options.model), [], []
    for _ in range(options.stops):
        with finder.run(), HalfOpen(finder.port, options.sockets, options.rate):
            stops.append(finder.press("stop"))
    if options.pauses:
        with finder.run(), HalfOpen(finder.port, options.sockets, options.rate):
            for _ in range(options.pauses):
                pauses.append(finder.press("pause"))
                finder.go_on()
    return stops, pauses


def summed_up(values: Sequence[float]) -> dict[str, Any]:
    """Number, median, 95th percentile and worst of some times."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {"n": len(ordered), "p50": at(0.5), "p95": at(0.95), "worst": at(1.0)} if ordered else {"n": 0}


def measure(options: Options) -> dict[str, Any]:
    """All figures: {"stop_ms", "pause_ms", "poll_s", "review_s"}, each as `summed_up` gives them."""
    figures: dict[str, Any] = {}
    if options.stops or options.pauses:
        with SimulatorProcess(world=options.world, camera="plain", targets=0) as simulator:
            stops, pauses = stops_ms(options, simulator)
        figures |= {"stop_ms": summed_up(stops), "pause_ms": summed_up(pauses)}
    with tempfile.TemporaryDirectory() as folder:
        poll, data = make_poll(Path(folder) / "poll"), make_dataset(Path(folder) / "data")
        pages = {"poll_s": ("poll", str(poll)), "review_s": ("label", "review", "--data", str(data))}
        for name, words in pages.items() if options.asks else ():
            with page_of(vector_tl(*words)) as page, HalfOpen(page[0], options.sockets, options.rate):
                figures[name] = summed_up(answers_s(page, options.asks))
    return figures


def main(options: Annotated[Options, tyro.conf.arg(name="")]) -> None:
    """Measure and print."""
    figures = measure(options)
    if options.json:
        print(json.dumps(finite(figures)))
        return
    for name, figure in figures.items():
        print(f"{name:<10}" + "  ".join(f"{word} {value}" for word, value in figure.items()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["drive"]:
        drive(sys.argv[2])
    elif sys.argv[1:2] == ["hold"]:
        hold(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    else:
        main(tyro.cli(Options, description=__doc__))
