"""HTTP/2 for an ASGI app: what a client gets, window by window, and what ends."""

import asyncio

import h2.config
import h2.connection
import h2.events
import pytest
from h2.settings import SettingCodes

from vector_tl.sim.gateway.http2 import Http2

pytestmark = pytest.mark.fast

HEADERS = [(":method", "POST"), (":scheme", "https"), (":authority", "robot"), (":path", "/p%20q?x=1")]


class Pipe(asyncio.Transport):
    """A transport in memory, and a client of HTTP/2 at its other end."""

    def __init__(self, app, window: int = 65_535):
        super().__init__()
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.client.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.client.local_settings.acknowledge()
        self.client.initiate_connection()
        self.events, self.closed = [], False
        self.server = Http2(app)
        self.server.connection_made(self)

    def write(self, data):
        if data:
            self.events += self.client.receive_data(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    async def send(self):
        """Give the server what the client has to say, and the app time to answer."""
        self.server.data_received(self.client.data_to_send())
        for _ in range(20):
            await asyncio.sleep(0)

    def body(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, h2.events.DataReceived))

    def happened(self, kind) -> bool:
        return any(isinstance(event, kind) for event in self.events)


async def echo(scope, receive, send):
    """Answers with the path, the query and the body."""
    body, more = f"{scope['path']} {scope['query_string'].decode()} ".encode(), True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": body})


def test_a_request_is_answered():
    async def scenario():
        pipe = Pipe(echo)
        pipe.client.send_headers(1, HEADERS)
        pipe.client.send_data(1, b"abc")
        pipe.client.send_data(1, b"def", end_stream=True)
        await pipe.send()
        assert pipe.body() == b"/p q x=1 abcdef" and pipe.happened(h2.events.StreamEnded)
        (answer,) = [event for event in pipe.events if isinstance(event, h2.events.ResponseReceived)]
        assert dict(answer.headers) == {b":status": b"200", b"x": b"y"}

    asyncio.run(scenario())


def test_an_answer_waits_for_windows_and_for_the_transport():
    async def scenario():
        pipe = Pipe(echo, window=4)
        pipe.client.send_headers(1, HEADERS, end_stream=True)
        await pipe.send()
        assert pipe.body() == b"/p q"
        pipe.server.pause_writing()
        pipe.client.increment_flow_control_window(100, 1)
        await pipe.send()
        assert pipe.body() == b"/p q"
        pipe.server.resume_writing()
        await pipe.send()
        assert pipe.body() == b"/p q x=1 " and pipe.happened(h2.events.StreamEnded)

    asyncio.run(scenario())


def test_streams_end_alone_and_with_their_connection():
    ended = []

    async def waiting(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.append(scope["path"])
        await send({"type": "http.response.body", "body": b"x"})

    async def scenario():
        pipe = Pipe(waiting)
        for number in (1, 3, 5):
            pipe.client.send_headers(number, [*HEADERS[:-1], (":path", f"/{number}")], end_stream=True)
        await pipe.send()
        pipe.client.reset_stream(3)
        await pipe.send()
        assert ended == ["/3"]
        pipe.server.data_received(b"\0\0\0\x04\0\0\0\0\1")  # settings of a stream: there is no such thing
        await asyncio.sleep(0.01)
        assert ended == ["/3", "/1", "/5"] and pipe.closed and pipe.happened(h2.events.ConnectionTerminated)
        assert pipe.body() == b""

    asyncio.run(scenario())


def test_an_app_that_fails_breaks_its_stream_off():
    async def failing(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def scenario():
        pipe = Pipe(failing)
        pipe.client.send_headers(1, HEADERS, end_stream=True)
        await pipe.send()
        assert pipe.happened(h2.events.StreamReset) and not pipe.closed

    asyncio.run(scenario())
