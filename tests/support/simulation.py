"""A simulator in its own process, and plain ways to talk to it."""

import configparser
import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import anki_vector
import grpc
import pytest
from anki_vector.messaging import protocol

from vector_tl.sim.gateway.full_protocol import FullStub

OVERRIDE, DEFAULT, RESERVE = (
    protocol.ControlRequest.Priority.Value(name)
    for name in ("OVERRIDE_BEHAVIORS", "DEFAULT", "RESERVE_CONTROL")
)

TABLE = 44  # a world with room before the robot, and an edge

RUN = """
import json, sys
from pathlib import Path
from vector_tl.errors import UserError
from vector_tl.sim.server.server import run
from vector_tl.sim.settings import SimSettings
settings = json.loads(sys.argv[1])
try:
    run(SimSettings(**settings | {"home": Path(settings["home"])}))
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


class Simulation:
    """A running simulator: its process, its ground-truth channel, its robots' stubs."""

    def __init__(self, home: Path, process: subprocess.Popen, ready: list[tuple[str, int]]):
        self.home, self.process, self.ready = home, process, ready
        self.serial = ready[0][0]
        self.door = json.loads((home / "truth.json").read_text())

    def http(self, path: str, body: dict | None = None, token: str | None = None) -> tuple[int, dict]:
        request = urllib.request.Request(
            self.door["url"] + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token or self.door['token']}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def get(self, path: str) -> dict:
        status, answer = self.http(path)
        assert status == 200, answer
        return answer

    def post(self, path: str, **body) -> dict:
        status, answer = self.http(path, body)
        assert status == 200, answer
        return answer

    def log(self, kind: str | None = None) -> list[dict]:
        return [entry for entry in self.get("/log")["entries"] if kind in (None, entry["kind"])]

    def me(self) -> dict:
        truth = self.get("/truth")
        return truth["vectors"][truth["viewer"]]

    @contextlib.contextmanager
    def stub(self, index: int = 0, guid: str | None = None):
        """A bare stub on a channel of its own, as the SDK opens it."""
        serial = self.ready[index][0]
        ini = configparser.ConfigParser()
        ini.read(self.home / ".anki_vector" / "sdk_config.ini")
        robot = ini[serial]
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(Path(robot["cert"]).read_bytes()),
            grpc.access_token_call_credentials(guid or robot["guid"]),
        )
        channel = grpc.secure_channel(
            f"{robot['ip']}:{robot['port']}",
            credentials,
            options=(("grpc.ssl_target_name_override", robot["name"]),),
        )
        with channel:
            yield FullStub(channel)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=5)


def launch(home: Path, **settings) -> subprocess.Popen:
    settings = {"home": str(home), "camera": "plain"} | settings
    return subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def simulate(tmp_path):
    """Start simulators: `simulate(lockstep=True, ...)`; all of them end with the test."""
    running = []

    def start(home: str = "sim", robots: int = 1, **settings) -> Simulation:
        process = launch(tmp_path / home, robots=robots, **settings)
        running.append(process)
        ready = []
        for _ in range(robots):
            line = process.stdout.readline().split()
            if not line:
                pytest.fail(f"the simulator did not start: {process.stderr.read()}")
            assert line[0] == "ready"
            ready.append((line[1], int(line[2])))
        return Simulation(tmp_path / home, process, ready)

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        with process.stdout, process.stderr:
            complaints = "" if process.stderr.closed else process.stderr.read()
        assert "Traceback" not in complaints, complaints


def wait_for(condition, timeout_s: float = 10.0):
    """Whatever `condition` returns, once it is true."""
    until = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return result


class ControlStream:
    """A bare control stream: send requests, look at the answers."""

    def __init__(self, stub):
        self._requests, self._more, self.answers, self.alive = [], threading.Condition(), [], 0
        self.call = stub.BehaviorControl(self._send())
        threading.Thread(target=self._listen, daemon=True).start()

    def _send(self):
        while True:
            with self._more:
                self._more.wait_for(lambda: self._requests)
                request = self._requests.pop(0)
            if request is None:
                return
            yield request

    def _listen(self):
        try:
            for answer in self.call:
                kind = answer.WhichOneof("response_type")
                if kind == "keep_alive":
                    self.alive += 1
                else:
                    self.answers.append(kind)
            self.answers.append("end")
        except grpc.RpcError as error:
            self.answers.append(error.code().name)

    def put(self, request) -> None:
        with self._more:
            self._requests.append(request)
            self._more.notify()

    def request(self, priority=DEFAULT) -> None:
        self.put(protocol.BehaviorControlRequest(control_request=protocol.ControlRequest(priority=priority)))

    def release(self) -> None:
        self.put(protocol.BehaviorControlRequest(control_release=protocol.ControlRelease()))

    def wait(self, *answers) -> None:
        wait_for(lambda: self.answers == list(answers))

    def close(self) -> None:
        self.call.cancel()


def in_control(stub, priority=DEFAULT) -> ControlStream:
    control = ControlStream(stub)
    control.request(priority)
    control.wait("control_granted_response")
    return control


def drive(stub, left, right):
    return stub.DriveWheels(
        protocol.DriveWheelsRequest(left_wheel_mmps=left, right_wheel_mmps=right), timeout=2
    )


@pytest.fixture
def meet(simulate, monkeypatch):
    """A simulator, and robots of the SDK that are connected to it."""
    robots = []
    sim = simulate(world=TABLE, camera_fps=30)
    monkeypatch.setenv("HOME", str(sim.home))

    def connect(kind=anki_vector.Robot, **details):
        robot = kind(default_logging=False, **details)
        robot.connect(timeout=5)
        robots.append(robot)
        return robot

    connect.sim = sim
    yield connect
    for robot in robots:
        robot.disconnect()
