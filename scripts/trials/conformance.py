"""Checks each of the robot's 90 calls against a table of what a robot answers, over gRPC and as JSON.

    .venv/bin/python scripts/trials/conformance.py docs/trials/conformance.jsonl [--only PullJdocs Photo]

The table is `scripts/trials/conformance_table.py`: each row has a precondition, the answer, its status and
the source. Every group of rows runs against a fresh simulator. Prints what is wrong, or all rows with
`--verbose`, appends one JSON object per row to the file, and ends with 1 when a row is wrong. A call without
a path over HTTP is checked over gRPC alone. Over JSON control is held by AssumeBehaviorControl.
"""

import base64
import configparser
import contextlib
import itertools
import json
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import grpc
import httpx
import tyro
from conformance_table import NONE, TABLE, Row
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from vector_tl.robot.simulator_client import SimulatorProcess, TruthClient
from vector_tl.sim.gateway.full_protocol import SERVICE, FullStub

WORLD = 44  # a table with room before the robot
ANSWER_S, STREAM_S, SETTLE_S, POLL_S = 30.0, 20.0, 0.5, 0.05
TAKES_CONTROL = ("BehaviorControl", "AssumeBehaviorControl")
HELD = {"control_request": {"priority": 20}}
# gRPC's code of an error's number, as the JSON gateway's errors have it.
CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class Failed(Exception):
    """The call ended with an error: its gRPC name."""


class Client(Protocol):
    """One way to call the robot."""

    def reaches(self, method: MethodDescriptor) -> bool:
        """Whether a call can be made this way."""

    def call(self, method: MethodDescriptor, request: Any) -> Iterator[dict[str, Any]]:
        """The answers, as JSON's dictionaries. Raises `Failed`."""

    def control(self) -> contextlib.AbstractContextManager[None]:
        """Have behaviour control meanwhile."""


class Robot:
    """Where a simulated robot is, and what opens its door."""

    def __init__(self, home: Path):
        ini = configparser.ConfigParser()
        ini.read(home / ".anki_vector" / "sdk_config.ini")
        entry = ini[ini.sections()[0]]
        self.address, self.name, self.guid = f"{entry['ip']}:{entry['port']}", entry["name"], entry["guid"]
        self.certificate = Path(entry["cert"])
        self._truth = TruthClient(home)

    def wait_until_free(self) -> None:
        """Wait until nobody has control: a release that comes late would clear the next client's control.

        Raises:
            TimeoutError: somebody keeps it.
        """
        until_s = time.monotonic() + ANSWER_S
        while time.monotonic() < until_s:
            log = self._truth.log()
            events = [entry["event"] for entry in log["entries"] if entry["kind"] == "control"]
            if not log["streams"]["control"] and events[-1:] in ([], ["ended"]):
                return
            time.sleep(POLL_S)
        raise TimeoutError(f"Control was not released within {ANSWER_S:.0f} s.")


class GrpcClient:
    """Calls over gRPC."""

    def __init__(self, robot: Robot):
        self._robot = robot
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(robot.certificate.read_bytes()),
            grpc.access_token_call_credentials(robot.guid),
        )
        options = [("grpc.ssl_target_name_override", robot.name)]
        self._stub = FullStub(grpc.secure_channel(robot.address, credentials, options))

    def reaches(self, method: MethodDescriptor) -> bool:
        """Every call."""
        return True

    def call(self, method: MethodDescriptor, request: Any) -> Iterator[dict[str, Any]]:
        """See `Client.call`."""
        kind = GetMessageClass(method.input_type)
        asked = [json_format.ParseDict(_json(one), kind()) for one in _listed(request)]
        over = threading.Event()
        outgoing = _open_ended(asked, over) if method.client_streaming else asked[0]
        limit_s = STREAM_S if method.server_streaming else ANSWER_S
        try:
            answer = getattr(self._stub, method.name)(outgoing, timeout=limit_s)
            for one in answer if method.server_streaming else [answer]:
                yield json_format.MessageToDict(
                    one,
                    preserving_proto_field_name=True,
                    use_integers_for_enums=True,
                    always_print_fields_with_no_presence=True,
                )
        except grpc.RpcError as error:
            raise Failed(error.code().name) from error
        finally:
            over.set()

    @contextlib.contextmanager
    def control(self) -> Iterator[None]:
        """See `Client.control`."""
        over = threading.Event()
        kind = GetMessageClass(SERVICE.methods_by_name["BehaviorControl"].input_type)
        stream = self._stub.BehaviorControl(_open_ended([json_format.ParseDict(HELD, kind())], over))
        next(stream)
        yield
        over.set()
        stream.cancel()
        self._robot.wait_until_free()


class JsonClient:
    """Calls as JSON over HTTP/2."""

    def __init__(self, robot: Robot):
        self._name = {"sni_hostname": robot.name}
        self._client = httpx.Client(
            base_url=f"https://{robot.address}",
            verify=ssl.create_default_context(cafile=str(robot.certificate)),
            http2=True,
            headers={"authorization": f"Bearer {robot.guid}"},
            timeout=ANSWER_S,
        )

    def reaches(self, method: MethodDescriptor) -> bool:
        """Calls with a path."""
        return bool(_path(method))

    def call(self, method: MethodDescriptor, request: Any) -> Iterator[dict[str, Any]]:
        """See `Client.call`."""
        begun_s = time.monotonic()
        asked = {"json": _json(request), "extensions": self._name}
        with self._client.stream("POST", _path(method), **asked) as answer:
            if answer.status_code != 200:
                raise Failed(CODES.get(json.loads(answer.read())["code"], str(answer.status_code)))
            if not method.server_streaming:
                yield json.loads(answer.read())
                return
            for line in answer.iter_lines():
                yield json.loads(line)["result"]
                if time.monotonic() - begun_s > STREAM_S:
                    return

    @contextlib.contextmanager
    def control(self) -> Iterator[None]:
        """See `Client.control`."""
        assume = SERVICE.methods_by_name["AssumeBehaviorControl"]
        stream = self.call(assume, HELD)
        next(stream)
        yield
        stream.close()
        time.sleep(SETTLE_S)


def _path(method: MethodDescriptor) -> str:
    return method.GetOptions().Extensions[annotations_pb2.http].post


def _listed(request: Any) -> list[dict[str, Any]]:
    return request if isinstance(request, list) else [request]


def _json(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request with its bytes as JSON has them."""
    return {
        key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for key, value in request.items()
    }


def _open_ended(requests: list[Any], over: threading.Event) -> Iterator[Any]:
    """The requests, then nothing, but the stream stays open until all is over."""
    yield from requests
    over.wait()


def fits(wanted: Any, got: Any) -> bool:
    """Whether an answer is, or has in its fields, what is wanted."""
    if callable(wanted):
        return wanted(got)
    if isinstance(wanted, Mapping) and got is not None:
        return all(key in got and fits(value, got[key]) for key, value in wanted.items())
    return wanted == got


def check(row: Row, client: Client) -> str:
    """Make a row's call. Returns what is wrong, "" when nothing is."""
    method = SERVICE.methods_by_name[row.rpc]
    wanted = {name: value for name, value in row.answer.items() if value is not None}
    absent = [name for name, value in row.answer.items() if value is None]
    seen = 0
    try:
        with contextlib.closing(client.call(method, row.request)) as answers:
            for got in answers:
                seen += 1
                if row.error:
                    return f"an answer instead of {row.error}"
                if not method.server_streaming:
                    status = (got.get("status") or {"code": NONE})["code"]
                    if status != row.status:
                        return f"status {status} instead of {row.status}"
                    absent = [name for name in absent if got.get(name)]
                    right = fits(wanted, got) and not absent
                    return "" if right else f"the answer is {json.dumps(got)[:300]}"
                if fits(wanted, got):
                    return ""
        return f"none of {seen} messages has what is wanted"
    except Failed as failed:
        return "" if str(failed) == row.error else f"it failed with {failed}"


def run(rows: list[Row], home: Path, over: str) -> list[dict[str, Any]]:
    """Check rows against a running simulator: those without control, those with it, those that take it.

    Returns:
        a result for each row.
    """
    client: Client = GrpcClient(Robot(home)) if over == "grpc" else JsonClient(Robot(home))
    rows = [row for row in rows if client.reaches(SERVICE.methods_by_name[row.rpc])]
    takes = [row for row in rows if row.rpc in TAKES_CONTROL]
    others = [row for row in rows if row.rpc not in TAKES_CONTROL]
    results = [_result(row, client, over) for row in others if not row.control]
    with client.control():
        results += [_result(row, client, over) for row in others if row.control]
    return results + [_result(row, client, over) for row in takes]


def _result(row: Row, client: Client, over: str) -> dict[str, Any]:
    """Check a row. Returns what the file of results gets."""
    words = {"control": row.control, "cube and face": row.furnished}
    return {
        "rpc": row.rpc,
        "over": over,
        "precondition": ", ".join(word for word, on in words.items() if on),
        "wanted": row.error or row.status,
        "source": row.source,
        "wrong": check(row, client),
    }


def main(results: tyro.conf.Positional[Path], only: tuple[str, ...] = (), verbose: bool = False) -> None:
    """Check each call of the protocol.

    Args:
        results: file of the results, one JSON object per line.
        only: names of the calls to check; without it all.
        verbose: print the rows that are right, too.
    """
    found = []
    for furnished, over in itertools.product((False, True), ("grpc", "json")):
        rows = [row for row in TABLE if row.furnished == furnished and row.rpc in (only or (row.rpc,))]
        if rows:
            furniture: dict[str, Any] = {"cubes": 1, "faces": ("Ann",)} if furnished else {}
            with SimulatorProcess(world=WORLD, camera="plain", **furniture) as sim:
                found += run(rows, sim.home, over)
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        file.writelines(json.dumps(result) + "\n" for result in found)
    for result in found:
        if result["wrong"] or verbose:
            says = result["wrong"] or "right"
            print(f"{result['rpc']} ({result['over']}; {result['precondition'] or 'nothing'}): {says}")
    wrong = sum(bool(result["wrong"]) for result in found)
    print(f"{len(found) - wrong} of {len(found)} rows right, {len({r['rpc'] for r in found})} calls")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    tyro.cli(main)
