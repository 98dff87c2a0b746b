"""HTTP/2 for an ASGI app, by the library h2: uvicorn, which serves the rest, speaks HTTP/1.1 only."""

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import unquote

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from starlette.types import ASGIApp, Message

log = logging.getLogger(__name__)


class Disconnected(OSError):
    """The client does not want the stream any more, or has gone."""


class Http2(asyncio.Protocol):
    """A connection: each of its streams is a request to the app.

    Args:
        app: answers them.
    """

    def __init__(self, app: ASGIApp):
        self._app = app
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._streams: dict[int, _Stream] = {}
        self._may_send = asyncio.Event()  # set when a window has grown, or the transport can take more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the settings."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._full = transport, False
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; what is no HTTP/2 ends the connection."""
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except H2Error as error:
            log.debug("A connection ends: %s", error)
            self._flush()  # says why
            self._close()
            return
        self._flush()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived():
                self._streams[event.stream_id] = stream = _Stream(self, event.stream_id)
                stream.task = asyncio.create_task(stream.ask(self._app, _scope(event.headers)))
            case events.DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._give(event.stream_id, {"type": "http.request", "body": event.data, "more_body": True})
            case events.StreamEnded():
                self._give(event.stream_id, {"type": "http.request", "body": b"", "more_body": False})
            case events.StreamReset():
                self._end(event.stream_id)
            case events.WindowUpdated() | events.RemoteSettingsChanged():
                self._may_send.set()
            case events.ConnectionTerminated():
                self._close()

    def _give(self, stream_id: int, message: Message) -> None:
        if stream_id in self._streams:  # not answered already
            self._streams[stream_id].received.put_nowait(message)

    def _end(self, stream_id: int) -> None:
        if stream := self._streams.pop(stream_id, None):
            stream.received.put_nowait({"type": "http.disconnect"})
            self._may_send.set()

    def pause_writing(self) -> None:
        """The transport has enough."""
        self._full = True

    def resume_writing(self) -> None:
        """The transport can take more."""
        self._full = False
        self._may_send.set()

    def connection_lost(self, error: Exception | None) -> None:
        """All streams end."""
        self._close()

    def _close(self) -> None:
        for stream_id in list(self._streams):
            self._end(stream_id)
        self._transport.close()

    async def send(self, stream_id: int, message: Message) -> None:
        """Send a part of an answer, once the client takes it.

        Raises:
            Disconnected: the client does not want it any more.
        """
        if message["type"] == "http.response.start":
            self._check(stream_id)
            status = (b":status", str(message["status"]).encode())
            self._h2.send_headers(stream_id, [status, *message.get("headers", [])])
        else:
            await self._send_body(stream_id, message.get("body", b""))
            if not message.get("more_body", False):
                self._h2.end_stream(stream_id)
                self._streams.pop(stream_id)
        self._flush()

    async def _send_body(self, stream_id: int, data: bytes) -> None:
        self._check(stream_id)
        while data:
            window = self._h2.local_flow_control_window(stream_id)
            size = 0 if self._full else min(window, self._h2.max_outbound_frame_size)
            if size <= 0:
                self._may_send.clear()
                await self._may_send.wait()
            else:
                self._h2.send_data(stream_id, data[:size])
                data = data[size:]
                self._flush()
            self._check(stream_id)

    def _check(self, stream_id: int) -> None:
        if stream_id not in self._streams:
            raise Disconnected("the stream has ended")

    def close_stream(self, stream_id: int) -> None:
        """The app has nothing more to send: an answer that is not complete is broken off."""
        if self._streams.pop(stream_id, None):
            with contextlib.suppress(H2Error):
                self._h2.reset_stream(stream_id)
            self._flush()

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._h2.data_to_send())


class _Stream:
    """A request, and what came for it that the app has not read."""

    def __init__(self, connection: Http2, number: int):
        self._connection, self._number = connection, number
        self.received: asyncio.Queue[Message] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None

    async def ask(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            with contextlib.suppress(Exception):  # the app logs what is its own mistake
                await app(scope, self.received.get, self._send)
        finally:
            self._connection.close_stream(self._number)

    async def _send(self, message: Message) -> None:
        await self._connection.send(self._number, message)


def _scope(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The request as ASGI has it."""
    special = {name: value for name, value in headers if name.startswith(b":")}
    path, _, query = special.get(b":path", b"").partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "method": special.get(b":method", b"").decode("latin-1"),
        "scheme": "https",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [
            (b"host", special.get(b":authority", b"")),
            *((name.lower(), value) for name, value in headers if not name.startswith(b":")),
        ],
        "client": None,
        "server": None,
    }
