"""Runs clients in other languages against the simulator: Node.js and Go over gRPC, curl over JSON.

    .venv/bin/python scripts/trials/client_trials.py RESULTS.jsonl [--only node go curl]

Each client (`scripts/trials/clients`) drives, streams the camera and reads events, against a simulator of its
own. It passes when what it reports is right and the simulator's log has the wheels that turned and stood
again, and no stream that stayed open. Results are appended, one JSON object per line.

Needed are: for node `npm`, which fetches @grpc/grpc-js; for go Debian's packages golang,
golang-google-grpc-dev, golang-goprotobuf-dev, protoc-gen-go-1-3 and protobuf-compiler; for curl `curl` with
HTTP/2. What is built goes to `--build`. The protocol file is made from the SDK's descriptors.
"""

import configparser
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro
from anki_vector.messaging import external_interface_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from vector_tl.errors import UserError
from vector_tl.robot.simulator_client import SimulatorProcess, TruthClient

CLIENTS = Path(__file__).parent / "clients"
WORLD = 44  # a table with room before the robot
GO_PACKAGE = "vector/messaging"
GO_DESCRIPTOR = "github.com/golang/protobuf/protoc-gen-go/descriptor"
DEBIAN_GO = Path("/usr/share/gocode")
REFUSALS = {"node": "UNAUTHENTICATED", "go": "Unauthenticated", "curl": "401"}
MIN_SEEN, MIN_DRIVEN_MM = 5, 30.0
LIMIT_S, BUILD_S, STREAMS_END_S = 60.0, 600.0, 3.0


@dataclass(frozen=True)
class ClientTrials:
    """Run clients in other languages against the simulator."""

    results: tyro.conf.Positional[Path]
    """File of the results, one JSON object per line."""
    only: tuple[str, ...] = ("node", "go", "curl")
    """Which clients."""
    build: Path = Path("runs/clients")
    """Folder for what is fetched and built."""


def protocol_file() -> FileDescriptorSet:
    """The protocol as the SDK describes it, with all that it imports."""
    files: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            add(imported)
        files.setdefault(file.name, file)

    add(external_interface_pb2.DESCRIPTOR)
    described = FileDescriptorSet()
    for file in files.values():
        copy = described.file.add()
        file.CopyToProto(copy)
        if file.name.startswith("anki_vector/"):
            copy.options.go_package = GO_PACKAGE
    return described


def build_node(build: Path, protocol: Path) -> list[str]:
    """The command of the Node client."""
    shutil.copytree(CLIENTS / "node", build, dirs_exist_ok=True)
    _make(["npm", "install", "--silent", "--no-audit", "--no-fund"], build)
    return ["node", str(build / "client.js")]


def build_go(build: Path, protocol: Path) -> list[str]:
    """The command of the Go client, compiled with stubs made from the protocol file."""
    source = build / "src"
    stubs = source / GO_PACKAGE
    stubs.mkdir(parents=True, exist_ok=True)
    ours = [file.name for file in protocol_file().file if file.name.startswith("anki_vector/")]
    go_out = f"--go_out=plugins=grpc,Mgoogle/protobuf/descriptor.proto={GO_DESCRIPTOR}:{source}"
    _make(["protoc", f"--descriptor_set_in={protocol}", go_out, *ours], build)
    shutil.copytree(CLIENTS / "go", source / "client", dirs_exist_ok=True)
    way = {"GO111MODULE": "off", "GOPATH": f"{build}:{DEBIAN_GO}", "GOCACHE": str(build / "cache")}
    _make(["go", "build", "-o", str(build / "client"), "client"], build, way)
    return [str(build / "client")]


def find_curl(build: Path, protocol: Path) -> list[str]:
    """The command of the curl client; there is nothing to build."""
    return [str(CLIENTS / "curl" / "client.sh")]


BUILDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "node": build_node,
    "go": build_go,
    "curl": find_curl,
}


def _make(command: list[str], folder: Path, more: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, cwd=folder, env=os.environ | (more or {}), check=True, timeout=BUILD_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            f"{command[0]} failed ({error}); the file's first lines name what is needed."
        ) from None


def environment(home: Path, protocol: Path) -> dict[str, str]:
    """Where a client finds the robot."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(home / ".anki_vector" / "sdk_config.ini")
    robot = ini[ini.sections()[0]]
    return os.environ | {
        "VECTOR_ADDRESS": f"{robot['ip']}:{robot['port']}",
        "VECTOR_NAME": robot["name"],
        "VECTOR_CERT": robot["cert"],
        "VECTOR_GUID": robot["guid"],
        "VECTOR_PROTOCOL": str(protocol),
    }


def run(client: str, command: list[str], protocol: Path) -> dict:
    """One client against a simulator of its own: its report, and what is wrong with it or in the world."""
    with SimulatorProcess(world=WORLD, camera="plain") as simulator:
        truth = simulator.truth
        before, began_s = _me(truth), time.monotonic()
        given = environment(simulator.home, protocol)
        ran = subprocess.run(command, env=given, capture_output=True, text=True, timeout=LIMIT_S)
        seconds = round(time.monotonic() - began_s, 1)
        report = {"error": ran.stderr[-500:]} if ran.returncode else json.loads(ran.stdout)
        wrong = ["it failed"] if ran.returncode else faults_of(client, report)
        wrong += faults_in_the_world(truth, before)
    return {"client": client, "passed": not wrong, "wrong": wrong, "seconds": seconds, **report}


def faults_of(client: str, report: dict) -> list[str]:
    """What a client reports that a robot would not have told it."""
    wrong = [f"{what}: {report[what]}" for what in ("events", "frames") if report[what] < MIN_SEEN]
    wrong += [] if report["granted"] else ["control was not granted"]
    wrong += [] if 3.5 < report["battery_volts"] < 4.5 else [f"battery: {report['battery_volts']} V"]
    if report["refused"] != REFUSALS[client]:
        wrong.append(f"a wrong token: {report['refused']}")
    return wrong


def faults_in_the_world(truth: TruthClient, before: dict) -> list[str]:
    """What the simulator knows: wheels that did not turn or still turn, streams that are still open."""
    wrong = []
    until_s = time.monotonic() + STREAMS_END_S
    while any((log := truth.log())["streams"].values()) and time.monotonic() < until_s:
        time.sleep(0.05)
    if any(log["streams"].values()):
        wrong.append(f"streams stay open: {log['streams']}")
    after = _me(truth)
    driven_mm = after["x_mm"] - before["x_mm"], after["y_mm"] - before["y_mm"]
    if sum(mm * mm for mm in driven_mm) < MIN_DRIVEN_MM**2:
        wrong.append(f"it drove {driven_mm} mm")
    if after["left_mmps"] or after["right_mmps"]:
        wrong.append("its wheels turn")
    return wrong


def _me(truth: TruthClient) -> dict:
    now = truth.truth()
    return now["vectors"][now["viewer"]]


def main(settings: ClientTrials) -> int:
    """Run the clients and append their results; 1 when one did not pass."""
    build = settings.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    protocol = build / "protocol.bin"
    protocol.write_bytes(protocol_file().SerializeToString())
    passed = True
    for client in settings.only:
        (build / client).mkdir(exist_ok=True)
        result = run(client, BUILDS[client](build / client, protocol), protocol)
        line = json.dumps(result)
        print(line)
        with settings.results.open("a") as file:
            file.write(line + "\n")
        passed = passed and result["passed"]
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(ClientTrials)))
