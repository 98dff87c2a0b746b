"""The live view's server: in a thread of its own, on this machine only, behind a random word in the address.

GET  /TOKEN/         the page
GET  /TOKEN/stream   for as long as the run lasts, parts of: length of the JSON and of the JPEG (4 bytes each, big-endian), JSON, JPEG. The newest only;
                     whoever reads slowly misses some. The JPEG is as the robot sent it, and left out where it is the one of the part before.
POST /TOKEN/start, /TOKEN/pause, /TOKEN/stop
"""

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.find.live.board import ACTIONS, Board
from vector_tl.find.live.status import Reporter

PAGE = Path(__file__).parent / "page"
LOOK_S, BEAT_S, BATTERY_S, END_S = 0.03, 0.25, 15.0, 3.0
LAST_S = 0.15  # for the state that tells the wheels' last speed
MAX_STREAMS = 6
SEND_BUFFER_BYTES = 64 << 10  # what a page that reads slowly is behind at most
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip


@contextlib.contextmanager
def served(live: Board, port: int = 0) -> Iterator[str]:
    """Serve the page until the block ends; gives its address and prints it on standard error.

    Raises:
        UserError: the port cannot be had.
    """
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        door.bind(("127.0.0.1", port))
    except OSError as error:
        door.close()
        raise UserError(
            f"Port {port} of 127.0.0.1 cannot be had ({error.strerror}); choose another with --page-port, or leave it out."
        ) from None
    door.listen()
    port, token = door.getsockname()[1], secrets.token_urlsafe(24)
    url = f"http://127.0.0.1:{port}/{token}/"
    reporter, ended = Reporter(live), threading.Event()
    server = _Server(
        uvicorn.Config(guarded(live_app(live, reporter), token, port), log_level="critical", access_log=False, lifespan="off", ws="none", http="h11",
                       server_header=False, timeout_graceful_shutdown=1)
    )  # fmt: skip
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="live page", daemon=True)
    thread.start()
    threading.Thread(target=_mind_battery, args=(reporter, ended), name="battery", daemon=True).start()
    waits = " (it waits for Start there)" if live.state == "waiting" else ""
    print(f"live view: {url}{waits}", file=sys.stderr, flush=True)
    try:
        yield url
    finally:
        live.end("over")
        ended.set()
        server.should_exit = True
        thread.join(END_S)
        door.close()


class _Server(uvicorn.Server):
    """uvicorn in a thread; signals are the main thread's."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


def _mind_battery(reporter: Reporter, ended: threading.Event) -> None:
    while not ended.is_set():
        reporter.ask_battery()
        ended.wait(BATTERY_S)


def live_app(live: Board, reporter: Reporter) -> Starlette:
    """What is served, without the guard before it."""
    streams = set()

    def page(request: Request) -> Response:
        return FileResponse(PAGE / "live.html")

    def part(request: Request) -> Response:
        return FileResponse(PAGE / Path(request.url.path).name)

    async def stream(request: Request) -> Response:
        if len(streams) >= MAX_STREAMS:
            return JSONResponse({"error": f"There are {MAX_STREAMS} pages open already; close one."}, 503)
        return StreamingResponse(_parts(live, reporter, streams), media_type="application/octet-stream")

    async def press(request: Request) -> Response:
        action = request.url.path.strip("/")
        live.set(action)  # now, whatever else this server is at
        await run_in_threadpool(live.press, action)  # until the robot has confirmed
        return JSONResponse({"run": live.state, "ended": live.ended})

    routes = [
        Route("/", page),
        *(Route(f"/{name}", part) for name in ("live.css", "live.js")),
        Route("/stream", stream),
    ]
    return Starlette(routes=[*routes, *(Route(f"/{action}", press, methods=["POST"]) for action in ACTIONS)])


async def _parts(live: Board, reporter: Reporter, streams: set) -> AsyncIterator[bytes]:
    """The newest news each time that there are some, and a beat where there are none; ends with the run."""
    me, seen, image_id, run, sent_s, over = object(), 0, None, None, 0.0, False
    streams.add(me)
    try:
        while not over:
            shown, over = live.shown, live.ended is not None
            new = shown is not None and shown.frame.image_id != image_id
            if not (new or over or live.state != run or time.monotonic() - sent_s > BEAT_S):
                await asyncio.sleep(LOOK_S)
                continue
            if over:
                await asyncio.sleep(LAST_S)
            lines = live.log(after=seen)
            seen, run, sent_s = lines[-1][0] if lines else seen, live.state, time.monotonic()
            jpeg, image_id = (shown.frame.jpeg, shown.frame.image_id) if new else (b"", image_id)
            news = reporter.news() | {"log": [[round(t_s, 2), line] for _, t_s, line in lines]}
            data = json.dumps(news, allow_nan=False).encode()
            yield (
                struct.pack(">II", len(data), len(jpeg)) + data + jpeg
            )  # waits for a slow reader; the loop does not
            await asyncio.sleep(LOOK_S)
    finally:
        streams.discard(me)


def guarded(app, token: str, port: int):
    """Let in only who knows the address, by this machine's name for itself, and no other site's page."""
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    origins = {f"http://{host}" for host in hosts}

    async def guard(scope, receive, send):
        if scope["type"] != "http":
            return
        request = Request(scope)
        given, slash, rest = scope["path"].removeprefix("/").partition("/")
        why_not = None
        if request.headers.get("host") not in hosts:
            why_not = "This server answers only at 127.0.0.1."
        elif request.headers.get("origin", next(iter(origins))) not in origins:
            why_not = "Requests from other pages are refused."
        elif not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            why_not = "Open the address that vector-tl find printed."

        async def send_guarded(message):
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [
                        *message.get("headers", []),
                        *((k.lower().encode(), v.encode()) for k, v in HEADERS.items()),
                    ],
                }
            await send(message)

        if why_not is not None:
            await JSONResponse({"error": why_not}, 403)(scope, receive, send_guarded)
        elif not slash:
            await RedirectResponse(f"/{token}/")(scope, receive, send_guarded)
        else:
            await app({**scope, "path": "/" + rest, "raw_path": ("/" + rest).encode()}, receive, send_guarded)

    return guard
