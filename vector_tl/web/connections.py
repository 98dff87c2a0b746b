"""The connections of a page's server: how many, and for how long each may keep it waiting.

uvicorn reads the requests. A client owes something while its request is not complete (which is also so before
the first one, and between two) and while it does not read an answer. Who owes for too long is cut off. Where
there are too many connections, the oldest that owes makes room, those that have never asked anything
first: sockets that are only held open keep nobody out.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from vector_tl.system import allow_files

REQUEST_S = 15.0  # for a request to arrive, from its first byte or the connection's beginning
UNREAD_S = 60.0  # for a client to read on; a paused film's player does not
MAX_HEAD_BYTES = 16 << 10
MAX_OF_PEER = 400  # a class of 64 behind one address, each with the 6 connections of a browser
MAX_IN_ALL = 1000
ACCEPTED_AT_ONCE = 64  # between two looks at those that are there
WAITING_TO_BE_ACCEPTED = 2048  # in the kernel; Linux takes net.core.somaxconn (4096) at most
FILES = 4096  # each connection may send a file, and the program has files of its own


class Connection(H11Protocol):
    """One connection; `crowd` is that of its server."""

    def __init__(self, crowd: "Crowd", **given: Any):
        super().__init__(**given)
        self._crowd = crowd
        self._request_late: asyncio.TimerHandle | None = None
        self._reading_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.peer = peer_of(self.client[0] if self.client else "")
        self._watch_request()
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._crowd.leave(self)
        for timer in (self._request_late, self._reading_late):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. Only a complete request ends the time for it."""
        super().data_received(data)
        self._watch_request()

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        self._reading_late = self.loop.call_later(UNREAD_S, self.cut)

    def resume_writing(self) -> None:
        """The client reads on."""
        super().resume_writing()
        if self._reading_late:
            self._reading_late.cancel()
            self._reading_late = None

    @property
    def has_asked(self) -> bool:
        """Whether a request has come, now or before."""
        return self.cycle is not None

    @property
    def owes(self) -> bool:
        """Whether the next step is the client's."""
        return self._owes_request or self._reading_late is not None

    @property
    def _owes_request(self) -> bool:
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _watch_request(self) -> None:
        if self._request_late and not self._owes_request:
            self._request_late.cancel()
            self._request_late = None
        elif not self._request_late and self._owes_request:
            self._request_late = self.loop.call_later(REQUEST_S, self.cut)

    def cut(self) -> None:
        """End the connection now, even within an answer."""
        self._crowd.leave(self)
        self.transport.abort()


class Crowd:
    """The connections that a server has, by the address that they come from."""

    def __init__(self, max_of_peer: int = MAX_OF_PEER, max_in_all: int = MAX_IN_ALL):
        self.max_of_peer, self.max_in_all = max_of_peer, max_in_all
        self._peers: dict[str, dict[Connection, None]] = {}  # the oldest first
        self._count = 0

    def enter(self, newest: Connection) -> None:
        """Take one more in; one of the same address, or of that which has most, may have to go for it."""
        own = self._peers.setdefault(newest.peer, {})
        own[newest] = None
        self._count += 1
        if len(own) > self.max_of_peer:
            _makes_room(own, newest).cut()
        elif self._count > self.max_in_all:
            busiest = max(self._peers.values(), key=len)
            _makes_room(busiest, newest).cut()

    def leave(self, connection: Connection) -> None:
        """Forget a connection; no harm if it has left before."""
        own = self._peers.get(connection.peer, {})
        if connection in own:
            del own[connection]
            self._count -= 1
            if not own:
                del self._peers[connection.peer]


def _makes_room(connections: Iterable[Connection], newest: Connection) -> Connection:
    """Who goes: the oldest that owes and never asked, else the oldest that owes, else the newest."""
    oldest_owing = None
    for connection in connections:  # the oldest first
        if connection.owes and connection is not newest:
            if not connection.has_asked:
                return connection
            oldest_owing = oldest_owing or connection
    return oldest_owing or newest


def peer_of(address: str) -> str:
    """Whom an address stands for: with IPv6 a household has a network of 64 bits (RFC 6177)."""
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and not ip.ipv4_mapped:
            return str(ipaddress.ip_network((ip, 64), strict=False))
    return address


def usual_crowd() -> "Crowd":
    """As many connections as are meant, or as half of the files that may be open allow."""
    room = allow_files(FILES) // 2
    return Crowd(min(MAX_OF_PEER, room), min(MAX_IN_ALL, room))
