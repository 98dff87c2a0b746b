"""One way to serve a page: port, start and end, a guard before every request, the page's files, JSON.

Who is let in is said in `vector_tl.web.access`, how many and for how long in `vector_tl.web.connections`.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import signal
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from vector_tl.errors import Refused, UserError
from vector_tl.web.access import behind_token, guarded, own_page
from vector_tl.web.connections import (
    ACCEPTED_AT_ONCE,
    MAX_HEAD_BYTES,
    WAITING_TO_BE_ACCEPTED,
    Connection,
    Crowd,
    usual_crowd,
)
from vector_tl.web.hosts import LOOPBACK, address, warn_if_open

SHARED = Path(__file__).parent / "page"  # the base stylesheet and the modules that pages share
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
MAX_BODY_BYTES = 64 << 10
MAX_BODY_S = 10.0  # for a request's body to arrive
END_S = 3.0  # for a server's thread to end
log = logging.getLogger(__name__)


def bind(host: str = LOOPBACK, port: int = 0, option: str = "--port") -> socket.socket:
    """A socket for a server; port 0 takes a free one.

    Args:
        host: the address or name to listen at.
        port: the port to listen at.
        option: the option to choose another port with, for the error's sentence.

    Raises:
        UserError: the address or port cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"Port {port} of {host} cannot be used ({why}); choose another with {option}, 0 for a free one."
        ) from None
    return bound


class PageServer(uvicorn.Server):
    """A server on a socket that takes connections from now on; they wait until it runs.

    Args:
        app: answers the requests.
        bound: the socket, see `bind`.
        crowd: how many connections there may be; the usual number when None.

    Attributes:
        socket: the socket it listens at; its owner closes it.
    """

    def __init__(self, app: ASGIApp, bound: socket.socket, crowd: Crowd | None = None):
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            http=cast(type[asyncio.Protocol], partial(Connection, crowd or usual_crowd())),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            backlog=ACCEPTED_AT_ONCE,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        bound.listen(WAITING_TO_BE_ACCEPTED)
        self.socket = bound

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, few at once; many may wait for that."""
        await super().startup(sockets)
        self.socket.listen(WAITING_TO_BE_ACCEPTED)  # asyncio has one number for both

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever starts the server."""
        yield

    def run_until_signal(self) -> None:
        """Serve in the main thread; SIGINT (Ctrl-C) and SIGTERM are how it ends, not an error."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            self.run(sockets=[self.socket])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def in_thread(self, name: str) -> Iterator[None]:
        """Serve in a thread of that name until the block ends."""
        thread = threading.Thread(target=self.run, kwargs={"sockets": [self.socket]}, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.should_exit = True
            thread.join(END_S)
            self.socket.close()


class LocalServer(PageServer):
    """The server of one person's page, behind a token, and on this machine only unless asked for more.

    Attributes:
        url: the page's address, with the token; `base`: without anything after the port.
        token: the random word that lets a request in.
        port: where it listens.

    Raises:
        UserError: the port cannot be used.
    """

    def __init__(
        self,
        app: ASGIApp,
        way_in: str,
        port: int = 0,
        option: str = "--port",
        host: str = LOOPBACK,
        deeds: str = "see and do all that is on it",
    ):
        """Listen, and warn where `host` is more than this machine.

        Args:
            app: answers those who have the token.
            way_in: where the address or the token is to be had, for those who come without.
            port: where to listen; 0 takes a free one.
            option: by which the port is chosen, for the error's sentence.
            host: the address or name to listen at.
            deeds: what who has the address can do, for the warning.
        """
        warn_if_open(host, deeds)
        bound = bind(host, port, option)
        self.port, self.token = bound.getsockname()[1], secrets.token_urlsafe(24)
        self.base = f"http://{address(host, self.port)}"
        self.url = f"{self.base}/{self.token}/"
        super().__init__(guarded(behind_token(app, self.token, way_in), own_page(host, self.port)), bound)


def page_app(
    routes: Sequence[BaseRoute],
    page: Path,
    index: str | None = None,
    broken: Callable[[Request, Exception], Any] | None = None,
) -> Starlette:
    """Routes, a page's styles and modules with those that all pages share, and errors as JSON.

    Args:
        routes: what the page asks for.
        page: the folder of its files.
        index: the file of `page` that is served as `/`; None where a route does that.
        broken: answers when a route fails by a mistake of ours; `_broken` where it is not given.
    """
    files = {path.name: path for folder in (SHARED, page) for path in folder.iterdir()}

    def file(request: Request) -> Response:
        path = files[index if request.url.path == "/" and index else request.url.path[1:]]
        return FileResponse(path, media_type=MEDIA_TYPES.get(path.suffix))

    served = [f"/{name}" for name, path in files.items() if path.suffix in MEDIA_TYPES]
    served += ["/"] if index else []
    handlers: dict[Any, Any] = {UserError: _failed, HTTPException: _not_there, Exception: broken or _broken}
    if broken is None:  # else the page is of people who need not know where files lie
        handlers[OSError] = _no_file
    return Starlette(routes=[*routes, *(Route(path, file) for path in served)], exception_handlers=handlers)


def _failed(request: Request, error: UserError) -> Response:
    return JSONResponse({"error": str(error)}, error.status)


def _not_there(request: Request, error: HTTPException) -> Response:
    sentences = {
        404: "There is nothing at this address.",
        405: f"{request.method} is not possible at this address.",
    }
    sentence = sentences.get(error.status_code, error.detail)
    return JSONResponse({"error": sentence}, error.status_code, headers=error.headers)


def _no_file(request: Request, error: OSError) -> Response:
    reason = error.strerror or error
    sentence = f"{error.filename or 'A file'} cannot be used: {reason}. Look after it, then try again."
    log.error("%s", sentence)
    return JSONResponse({"error": sentence}, 503)


def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "Something went wrong here; please try again."}, 500)


async def read_json(
    request: Request, max_bytes: int = MAX_BODY_BYTES, any_type: bool = False
) -> dict[str, Any]:
    """The JSON object that a request brings, read no further than allowed.

    Args:
        request: what is read.
        max_bytes: how long its body may be.
        any_type: whether the request need not say that it is JSON; for programs, which a token lets in.

    Raises:
        Refused: it is of another type, too large, too slow, or not a JSON object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not any_type:
        raise Refused(415, "Send application/json.")
    too_large = Refused(413, f"The request may hold {max_bytes} bytes at most.")
    length = request.headers.get("content-length", "")
    if len(length) > 9 or (length.isdigit() and int(length) > max_bytes):
        raise too_large
    data = b""
    try:
        async with asyncio.timeout(MAX_BODY_S):
            async for part in request.stream():
                data += part
                if len(data) > max_bytes:
                    raise too_large
        body = json.loads(data)
    except (TimeoutError, ClientDisconnect):
        raise Refused(408, "The request did not arrive in time.") from None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "The request's body must be a JSON object.")
    return body


class Streams:
    """Streams of parts that last, no more than so many at once. `web/page/stream.js` reads them."""

    def __init__(self, max_streams: int):
        self._max, self._open = max_streams, 0

    def response(self, parts: AsyncIterator[bytes]) -> Response:
        """The parts as they come, or a refusal."""
        if self._open >= self._max:
            raise Refused(503, f"There are {self._max} pages open already; close one.")
        return StreamingResponse(self._counted(parts), media_type="application/octet-stream")

    async def _counted(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for part in parts:
                yield part
        finally:
            self._open -= 1


def stream_part(news: dict[str, Any], data: bytes = b"") -> bytes:
    """A part of a stream: the sizes of JSON and data (4 bytes each, big-endian), JSON, data."""
    text = json.dumps(news, allow_nan=False).encode()
    return struct.pack(">II", len(text), len(data)) + text + data
