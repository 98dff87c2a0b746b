"""One way to serve a page: port, start and end, a guard before every request, the page's files, JSON.

The pages of one person are served on 127.0.0.1 only, behind a random token in the address:
http://127.0.0.1:PORT/TOKEN/. Programs may give the token in a header instead: `Authorization: Bearer TOKEN`.
A page for others (the poll's) has no token; there the name in the address and the page of origin are checked.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import json
import logging
import secrets
import signal
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vector_tl.errors import Refused, UserError

LOOPBACK = "127.0.0.1"
SHARED = Path(__file__).parent / "page"  # the base stylesheet and the modules that pages share
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
MAX_BODY_BYTES = 64 << 10
MAX_BODY_S = 10.0  # for a request's body to arrive
END_S = 3.0  # for a server's thread to end
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY + "; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Check = Callable[[Request], tuple[int, str] | None]  # why a request is refused: HTTP status and a sentence
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

    Attributes:
        socket: the socket it listens at; its owner closes it.
    """

    def __init__(self, app: ASGIApp, bound: socket.socket, max_connections: int | None = None):
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=max_connections,
        )
        super().__init__(config)
        bound.listen()
        self.socket = bound

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
    """The server of one person's page, on this machine only and behind a token.

    Attributes:
        url: the page's address, with the token.
        token: the random word that lets a request in.
        port: where it listens.

    Raises:
        UserError: the port cannot be used.
    """

    def __init__(self, app: ASGIApp, way_in: str, port: int = 0, option: str = "--port"):
        """`way_in` says where the address or the token is to be had, for those who come without."""
        bound = bind(LOOPBACK, port, option)
        self.port, self.token = bound.getsockname()[1], secrets.token_urlsafe(24)
        self.url = f"http://{LOOPBACK}:{self.port}/{self.token}/"
        super().__init__(guarded(behind_token(app, self.token, way_in), this_machine(self.port)), bound)


# -- what is let in -----------------------------------------------------------------------------------------


def guarded(app: ASGIApp, check: Check, referrer: str = HEADERS["Referrer-Policy"]) -> ASGIApp:
    """`app` behind a check, with the headers above on every answer that does not set them itself."""
    headers = {
        name.lower().encode(): value.encode()
        for name, value in (HEADERS | {"Referrer-Policy": referrer}).items()
    }

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", [])
                given = {name.lower() for name, _ in own}
                more = [pair for pair in headers.items() if pair[0] not in given]
                message = {**message, "headers": [*own, *more]}
            await send(message)

        request = Request(scope)
        refusal = check(request)
        await (refused(request, *refusal) if refusal else app)(scope, receive, send_with_headers)

    return guard


def behind_token(app: ASGIApp, token: str, way_in: str) -> ASGIApp:
    """`app` for those who have the token: as the first part of the path, in a header, or as `?token=`."""

    def fits(given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        by_header = request.headers.get("authorization", "").removeprefix("Bearer ")
        answer: ASGIApp = app
        if fits(first):
            if not slash:
                answer = RedirectResponse(f"/{token}/")
            scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        elif not fits(by_header or request.query_params.get("token", "")):
            answer = refused(request, 401, f"The token is missing or wrong. {way_in}")
        await answer(scope, receive, send)

    return entrance


def this_machine(port: int) -> Check:
    """Lets in who asks under this machine's name for itself, and not from another site's page."""
    hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
    origins = {f"http://{host}" for host in hosts}

    def check(request: Request) -> tuple[int, str] | None:
        if not set(asked := request.headers.getlist("host")) <= hosts or len(asked) != 1:
            return 403, f"This server answers only at {LOOPBACK}."
        if not set(request.headers.getlist("origin")) <= origins:
            return 403, "Requests from other pages are refused."
        return None

    return check


def these_names(names: set[str], url: str | None = None) -> Check:
    """Lets in who asks under one of the names or a bare address and, to change something, from our own page.

    Args:
        names: names of this machine, which may be followed by any port.
        url: where others find the page, when something in front passes requests on.
    """
    outside = urlsplit(url) if url else None

    def check(request: Request) -> tuple[int, str] | None:
        asked = request.headers.getlist("host")
        host = asked[0].lower() if len(asked) == 1 else ""
        public = outside is not None and host == outside.netloc.lower()
        if not public and not leads_here(host, names):
            return 421, "This page is not served under that name."
        if request.method not in ("GET", "HEAD"):
            ours = [] if public else [f"http://{host}"]
            ours += [f"{outside.scheme}://{outside.netloc}".lower()] if outside else []
            origin = [value.lower() for value in request.headers.getlist("origin")]
            if len(origin) != 1 or origin[0] not in ours:
                return 403, "This is accepted from the page itself only."
        return None

    return check


def leads_here(host: str, names: set[str]) -> bool:
    """Whether a Host header has one of the names, or a bare address, which no other page can pretend."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for what is not a port
        if "@" in host or "/" in host:
            return False
        return parts.hostname in names or bool(ipaddress.ip_address(parts.hostname or ""))
    except ValueError:
        return False


def refused(request: Request, status: int, sentence: str) -> Response:
    """A refusal: plain text for a person who opens the address, JSON for a program."""
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse(sentence, status)
    return JSONResponse({"error": sentence}, status)


# -- what is served -----------------------------------------------------------------------------------------


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
