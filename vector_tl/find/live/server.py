"""The live view's server: in a thread of its own, behind a token, on this machine only unless asked for more.

GET  /TOKEN/         the page
GET  /TOKEN/stream   for as long as the run lasts, parts of JSON and JPEG, see `vector_tl.web.server`. The
                     newest only; whoever reads slowly misses some. The JPEG is as the robot sent it, and left
                     out where it is the one of the part before.
POST /TOKEN/start, /TOKEN/pause, /TOKEN/stop
"""

import asyncio
import contextlib
import http.client
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.find.live.board import ACTIONS, Board
from vector_tl.find.live.status import Reporter
from vector_tl.web.hosts import LOOPBACK
from vector_tl.web.server import LocalServer, Streams, page_app, stream_part

PAGE = Path(__file__).parent / "page"
LOOK_S, BEAT_S, BATTERY_S = 0.03, 0.25, 15.0
LAST_S = 0.15  # for the state that has the wheels' last speed
MAX_STREAMS = 6
GIL_SLICE_S = 0.001  # the loop gives way so soon (5 ms otherwise) to the thread that takes a stop
FIRST_ANSWER_S = 2.0
SEND_BUFFER_BYTES = 64 << 10  # what a page that reads slowly is behind at most


@contextlib.contextmanager
def served(live: Board, port: int = 0, host: str = LOOPBACK) -> Iterator[str]:
    """Serve the page until the block ends; gives its address and prints it on standard error.

    Raises:
        UserError: the port cannot be used.
    """
    reporter, ended = Reporter(live), threading.Event()
    sys.setswitchinterval(GIL_SLICE_S)
    way_in = "Open the address that vector-tl find printed last."
    deeds = "see the robot's camera, and start, pause and stop it"
    server = LocalServer(live_app(live, reporter), way_in, port, "--page-port", host, deeds)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    battery = threading.Thread(target=_watch_battery, args=(reporter, ended), name="battery", daemon=True)
    with server.in_thread("live page"):
        _ask_once(server.port, f"/{server.token}/")
        battery.start()
        waits = " (it waits for Start there)" if live.state == "waiting" else ""
        print(f"live view: {server.url}{waits}", file=sys.stderr, flush=True)
        try:
            yield server.url
        finally:
            live.end("over")
            ended.set()


def _ask_once(port: int, path: str) -> None:
    """Be asked for something: what a server makes at its first request shall not hold up a STOP."""
    asking = http.client.HTTPConnection(LOOPBACK, port, timeout=FIRST_ANSWER_S)
    with contextlib.suppress(OSError, http.client.HTTPException):  # where it does not listen here
        asking.request("GET", path)
        asking.getresponse().read()
    asking.close()


def _watch_battery(reporter: Reporter, ended: threading.Event) -> None:
    while not ended.is_set():
        reporter.ask_battery()
        ended.wait(BATTERY_S)


def live_app(live: Board, reporter: Reporter) -> Starlette:
    """The page and what it asks for."""
    streams = Streams(MAX_STREAMS)

    def stream(request: Request) -> Response:
        return streams.response(_parts(live, reporter))

    async def press(request: Request) -> Response:
        action = request.url.path.strip("/")
        live.set_switch(action)  # now, whatever else this server is at
        await run_in_threadpool(live.press, action)  # until the robot has confirmed
        return JSONResponse({"run": live.state, "ended": live.ended})

    routes = [Route(f"/{action}", press, methods=["POST"]) for action in ACTIONS]
    return page_app([Route("/stream", stream), *routes], PAGE, "live.html")


async def _parts(live: Board, reporter: Reporter) -> AsyncIterator[bytes]:
    """The newest state each time that it changes, and a beat where it does not; ends with the run."""
    seen, image_id, run, sent_s, over = 0, None, None, 0.0, False
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
        jpeg = b""
        if new and shown is not None:
            jpeg, image_id = shown.frame.jpeg, shown.frame.image_id
        log = [[round(t_s, 2), line] for _, t_s, line in lines]
        yield stream_part(reporter.news() | {"log": log}, jpeg)  # waits for a slow reader; the loop does not
        await asyncio.sleep(LOOK_S)
