"""The robot's one port: ends TLS, and passes each connection on to the server it is for.

The bytes are passed on as they are, so what a gRPC client meets is gRPC's own server.
"""

import asyncio
import logging
import socket
import ssl
import tempfile
from collections.abc import Mapping

from vector_tl.sim.engine.identity import Identity
from vector_tl.sim.gateway.first_request import FirstRequest, NoRequest, Server

HANDSHAKE_S = 10.0  # for TLS, and again until the first bytes of a request
CLOSING_S = 5.0  # for what was written to arrive before the connection is cut
MAX_CONNECTIONS = 256
BUFFER_BYTES = 64 << 10  # that wait for a slow reader, before the other side is not read any more
log = logging.getLogger(__name__)


class Front:
    """Takes a robot's connections.

    Args:
        identity: whose certificate it shows.
        servers: the address (of a Unix socket) of each server.
    """

    def __init__(self, identity: Identity, servers: Mapping[Server, str]):
        self.servers = servers
        self.clients: list[_Client] = []  # the oldest first
        self.stalled = self._warned = False
        self._tls = _tls(identity)
        self._listener: asyncio.Server | None = None

    async def start(self, bound: socket.socket) -> None:
        """Take connections at a socket, from now on."""
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: _Client(self),
            sock=bound,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=CLOSING_S,
        )

    def stall(self, client: int, on: bool) -> None:
        """Pass nothing on, either way, as a link that is gone; what is held back passes when it is back.

        Args:
            client: 1 for the oldest connection that is open, 2 for the next; 0 for all, later ones too.
            on: whether it begins or ends.
        """
        if client == 0:
            self.stalled = on
        for side in self.clients[client - 1 : client] if client else self.clients:
            side.stall(on)

    def make_room(self, newest: "_Client") -> None:
        """Where there are too many connections, cut the oldest that has asked nothing, else the newest."""
        if len(self.clients) > MAX_CONNECTIONS:
            silent = (client for client in self.clients if not client.begun and client is not newest)
            next(silent, newest).cut()
            if not self._warned:
                self._warned = True
                log.warning("There are more than %d connections; some are cut.", MAX_CONNECTIONS)

    def stop(self) -> None:
        """Take no connections any more, and cut those there are."""
        if self._listener:
            self._listener.close()
        for client in list(self.clients):
            client.cut()


class _Side(asyncio.Protocol):
    """One side of a connection that is passed on: what it receives the other side sends.

    It is not read while the other side cannot send more, nor while the link is stalled.
    """

    transport: asyncio.Transport  # once it is connected

    def __init__(self, other: "_Side | None" = None):
        self.other, self.full, self.stalled = other, False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(BUFFER_BYTES)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        self.full = True
        if self.other:
            self.other.read_or_wait()

    def resume_writing(self) -> None:
        self.full = False
        if self.other:
            self.other.read_or_wait()

    def read_or_wait(self) -> None:
        if self.stalled or (self.other and self.other.full):
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.other:
            self.other.transport.close()  # once all is written


class _Client(_Side):
    """The client's side. The server is chosen by what comes first."""

    def __init__(self, front: Front):
        super().__init__()
        self._front = front
        self._first, self._waiting = FirstRequest(), bytearray()
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._front.clients.append(self)
        self._front.make_room(self)
        self.stall(self._front.stalled)
        asyncio.get_running_loop().call_later(HANDSHAKE_S, self._give_up)

    @property
    def begun(self) -> bool:
        """Whether the client has said which HTTP it speaks."""
        return self._first.begun

    def stall(self, on: bool) -> None:
        """Pass nothing on, or all again."""
        for side in (self, self.other):
            if side:
                side.stalled = on
                side.read_or_wait()

    def data_received(self, data: bytes) -> None:
        if self.other and self._first.settled:
            super().data_received(data)
            return
        try:
            self._waiting += self._first.receive(data)
        except NoRequest as error:
            log.debug("A connection is cut: %s", error)
            self.cut()
            return
        if self._first.replies:
            self.transport.write(bytes(self._first.replies))
            self._first.replies.clear()
        if self.other:
            self._send_waiting()
        elif self._first.server and not self._connecting:
            self._connecting = asyncio.create_task(self._connect(self._first.server))

    async def _connect(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, self.other = await loop.create_unix_connection(
                lambda: _Side(self), self._front.servers[server]
            )
        except OSError:  # it is ending
            self.cut()
            return
        self._send_waiting()
        self.other.stalled = self.stalled
        self.other.read_or_wait()
        if self.transport.is_closing():
            self.other.transport.close()

    def _send_waiting(self) -> None:
        super().data_received(bytes(self._waiting))
        self._waiting.clear()

    def _give_up(self) -> None:
        if not self.begun and not self.stalled:
            self.cut()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._front.clients.remove(self)

    def cut(self) -> None:
        """End the connection now."""
        self.transport.abort()


def _tls(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tempfile.NamedTemporaryFile() as file:  # for the user alone; the module reads only files
        file.write(identity.key + identity.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context
