"""JSON over HTTP/1.1 and HTTP/2 beside gRPC, at the robot's one port."""

import asyncio
import base64
import configparser
import contextlib
import io
import json
import random
import socket
import ssl
import time

import grpc
import h2.config
import h2.connection
import httpx
import pytest
from anki_vector.messaging import protocol
from PIL import Image

from support.simulation import drive, wait_for
from vector_tl.sim.gateway import json_gateway
from vector_tl.sim.gateway.first_request import PREFACE
from vector_tl.sim.gateway.full_protocol import SERVICE


class Web:
    """A client over HTTP of a simulated robot, with its certificate and token."""

    def __init__(self, sim, http2: bool = False, guid: str | None = None):
        ini = configparser.ConfigParser()
        ini.read(sim.home / ".anki_vector" / "sdk_config.ini")
        robot = ini[sim.serial]
        self.address, self.name = (robot["ip"], int(robot["port"])), robot["name"]
        self.token = ("authorization", f"Bearer {guid or robot['guid']}")
        self.client = httpx.Client(
            base_url=f"https://{robot['ip']}:{robot['port']}",
            verify=ssl.create_default_context(cafile=robot["cert"]),
            http2=http2,
            headers=[self.token],
            timeout=5,
        )

    def named(self) -> dict:
        """The certificate is for the robot's name, not for its address."""
        return {"extensions": {"sni_hostname": self.name}}

    def post(self, path: str, body: dict | bytes = b"{}"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=data, **self.named())

    @contextlib.contextmanager
    def stream(self, verb: str, path: str, **details):
        """The results of a stream as they come."""
        with self.client.stream(verb, path, **details, **self.named()) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
            yield (json.loads(line) for line in answer.iter_lines())

    def raw(self, protocols: tuple[str, ...] = ()) -> ssl.SSLSocket:
        """A bare connection."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context.wrap_socket(socket.create_connection(self.address, timeout=5))


@pytest.mark.parametrize("http2", [False, True])
def test_calls_streams_and_errors_in_json(simulate, http2):
    sim = simulate()
    web = Web(sim, http2)
    answer = web.post("/v1/battery_state")
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1") and answer.status_code == 200
    assert answer.json()["battery_level"] == 2 and answer.json()["status"] == {"code": 1}
    assert answer.json()["cube_battery"] is None and answer.json()["is_charging"] is False
    with web.stream("POST", "/v1/camera_feed", content=b"{}") as lines:
        frames = [next(lines)["result"] for _ in range(2)]
    assert [Image.open(io.BytesIO(base64.b64decode(frame["data"]))).size for frame in frames] == [
        (640, 360)
    ] * 2
    assert frames[1]["image_id"] == frames[0]["image_id"] + 1
    with web.stream("GET", "/v1/event_stream?white_list.list=robot_state&connection_id=x") as lines:
        wait_for(lambda: "robot_state" in next(lines)["result"]["event"])
        assert sim.get("/log")["streams"]["events"] == 1
        sim.post("/fault", fault="abort_events")
        error = wait_for(lambda: next(lines).get("error"))
        assert (error["grpc_code"], error["http_code"], error["http_status"]) == (
            14,
            503,
            "Service Unavailable",
        )
    assert web.post("/v1/battery_state", b'{"').status_code == 400
    assert web.post("/v1/no_such_call").status_code == web.post("/v1/drive_wheels").status_code == 404
    assert web.client.get("/v1/battery_state", **web.named()).status_code == 405
    refused = Web(sim, http2, guid="wrong").post("/v1/battery_state")
    assert refused.status_code == 401 and refused.json()["code"] == 16
    web.client.close()  # httpx does not reset an HTTP/2 stream that it has no use for any more
    wait_for(lambda: sim.get("/log")["streams"] == {"camera": 0, "events": 0, "control": 0})
    assert [entry["rpc"] for entry in sim.log("call")] == ["BatteryState", "CameraFeed", "EventStream"]
    assert [entry["rpc"] for entry in sim.log("refused")] == ["BatteryState"]


def test_control_that_json_took_lets_any_client_drive(simulate):
    sim = simulate()
    request = b'{"control_request": {"priority": "DEFAULT"}}'
    with Web(sim).stream("POST", "/v1/assume_behavior_control", content=request) as lines, sim.stub() as stub:
        wait_for(lambda: "control_granted_response" in next(lines)["result"])
        drive(stub, 30, 30)
        wait_for(lambda: sim.log("wheels"))
    assert [entry["applied"] for entry in sim.log("wheels")] == [True]
    wait_for(lambda: sim.get("/log")["streams"]["control"] == 0)


def test_whoever_disconnects_before_the_first_line_ends_the_call(simulate):
    sim = simulate()
    web = Web(sim)
    sim.post("/fault", fault="camera_stall")
    with pytest.raises(httpx.ReadTimeout):
        web.client.post("/v1/camera_feed", content=b"{}", timeout=0.5, **web.named())
    assert sim.log("stream")[0]["state"] == "open"
    wait_for(lambda: sim.get("/log")["streams"]["camera"] == 0, 2.0)


def test_an_http2_stream_that_is_reset_ends_the_call_alone(simulate):
    sim = simulate()
    web = Web(sim)
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    headers = [(":method", "POST"), (":scheme", "https"), (":authority", web.name)]
    with web.raw(("h2",)) as raw:
        client.initiate_connection()
        for number, path in ((1, "/v1/camera_feed"), (3, "/v1/event_stream")):
            client.send_headers(number, [*headers, (":path", path), web.token], end_stream=True)
        raw.sendall(client.data_to_send())
        wait_for(lambda: sim.get("/log")["streams"] == {"camera": 1, "events": 1, "control": 0})
        client.receive_data(raw.recv(1000))
        client.reset_stream(1)
        raw.sendall(client.data_to_send())
        wait_for(lambda: sim.get("/log")["streams"] == {"camera": 0, "events": 1, "control": 0})
    wait_for(lambda: sim.get("/log")["streams"]["events"] == 0)


def test_json_survives_a_restart_and_faults_delay_it(simulate):
    sim = simulate()
    web = Web(sim)
    sim.post("/fault", fault="rpc_latency", latency_ms=300)
    start = time.monotonic()
    assert web.post("/v1/version_state").status_code == 200 and time.monotonic() - start > 0.3
    with web.stream("POST", "/v1/event_stream", content=b"{}") as lines:
        next(lines)
        sim.post("/fault", fault="restart", ms=100)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            wait_for(lambda: next(lines) is None)
    wait_for(lambda: [entry for entry in sim.log("fault") if entry["state"] == "end"])
    sim.post("/fault", fault="clear")
    assert web.post("/v1/version_state").status_code == 200


def test_hostile_bytes_end_neither_the_simulator_nor_others_streams(simulate):
    sim = simulate()
    web, dice = Web(sim), random.Random(7)
    silent = [web.raw() for _ in range(5)]
    with sim.stub() as stub:
        states = stub.EventStream(protocol.EventRequest(), timeout=30)
        for number in range(60):
            noise = dice.randbytes(dice.randrange(1, 2000))
            beginning = dice.choice(
                [b"", PREFACE, b"POST /v1/say_text HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01"]
            )
            offered = dice.choice([(), ("h2",), ("http/1.1",), ("spdy/9",)])
            with contextlib.suppress(OSError), web.raw(offered) as raw:
                raw.sendall(beginning + noise)
                if number % 3:
                    raw.settimeout(0.05)
                    raw.recv(1000)
            with contextlib.suppress(OSError), socket.create_connection(web.address) as plain:
                plain.sendall(noise)  # no TLS
        assert next(states).event
        assert stub.BatteryState(protocol.BatteryStateRequest(), timeout=2).battery_volts
    big = web.client.post("/v1/say_text", content=b"x" * (5 << 20), **web.named())
    assert big.status_code == 400
    assert web.post("/v1/version_state").status_code == 200 and sim.process.poll() is None
    for raw in silent:
        raw.close()


def test_a_client_that_does_not_read_holds_little_memory_and_nobody_up(simulate):
    sim = simulate(camera_fps=30)
    web = Web(sim)
    ini = configparser.ConfigParser()
    ini.read(sim.home / ".anki_vector" / "sdk_config.ini")
    with web.raw(("http/1.1",)) as raw, sim.stub() as stub:
        head = (
            f"POST /v1/camera_feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ini[sim.serial]['guid']}\r\n"
        )
        raw.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())
        feed = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=20)
        next(feed)
        before = memory_mib(sim.process.pid)
        for _ in range(100):
            next(feed)
        assert memory_mib(sim.process.pid) - before < 10
        assert sim.get("/log")["streams"]["camera"] == 2
    wait_for(lambda: sim.get("/log")["streams"]["camera"] == 0)


def memory_mib(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / (1 << 20)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("origin", "body", "status"),
    [
        ("https://evil.example", b"{}", 403),
        ("null", b"{}", 403),
        ("http://robot", b"{}", 403),
        ("https://robot", b"{", 400),
        (None, b"{", 400),
        (None, b"x" * (json_gateway.MAX_BODY_BYTES + 1), 400),
    ],
)
def test_other_pages_and_bodies_that_are_too_large_are_refused(origin, body, status):
    answer = asyncio.run(_asked(body, {"Origin": origin} if origin else {}))
    assert answer.status_code == status and answer.json()["message"]


@pytest.mark.fast
def test_a_body_without_end_is_not_read_for_ever(monkeypatch):
    monkeypatch.setattr(json_gateway, "MAX_READ_BYTES", json_gateway.MAX_BODY_BYTES)
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * (1 << 20)

    assert asyncio.run(_asked(endless(), {})).status_code == 400 and sent < 10


async def _asked(body, headers):
    """The answer of the app, before it has asked the robot."""
    async with grpc.aio.insecure_channel("unix-abstract:nobody") as channel:
        transport = httpx.ASGITransport(json_gateway.json_app(SERVICE, channel))
        async with httpx.AsyncClient(transport=transport, base_url="https://robot") as client:
            return await client.post("/v1/battery_state", content=body, headers=headers)
