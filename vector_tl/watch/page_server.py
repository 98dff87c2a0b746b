"""The page: both models side by side, on this machine only unless asked for more, behind a token.

GET  /TOKEN/         the page
GET  /TOKEN/stream   parts of JSON and JPEG, see `vector_tl.web.server`: the newest only, until it ends
POST /TOKEN/press    {"action": one of `vector_tl.watch.board.ACTIONS`}
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.watch.board import Board
from vector_tl.web.hosts import LOOPBACK
from vector_tl.web.server import LocalServer, Streams, page_app, read_json, stream_part

PAGE = Path(__file__).parent / "page"
LOOK_S, BEAT_S = 0.02, 0.25
LAST_LOOK_S = 0.4  # in which the page still learns that it is over
MAX_STREAMS = 6


@contextlib.contextmanager
def served(board: Board, port: int = 0, host: str = LOOPBACK) -> Iterator[str]:
    """Serve the page in a thread until the block ends; yields its address and prints it on standard error.

    Raises:
        UserError: the port cannot be used.
    """
    way_in = "Open the address that vector-tl watch printed."
    deeds = "see the camera, and keep images and recordings on this computer"
    server = LocalServer(watch_app(board), way_in, port, "--page-port", host, deeds)
    with server.in_thread("watch page"):
        print(f"live view: {server.url}", file=sys.stderr, flush=True)
        try:
            yield server.url
        finally:
            board.ended = board.ended or "over"
            time.sleep(LAST_LOOK_S)


def watch_app(board: Board) -> Starlette:
    """The page and what it asks for."""
    streams = Streams(MAX_STREAMS)

    def stream(request: Request) -> Response:
        return streams.response(_parts(board))

    async def press(request: Request) -> Response:
        action = (await read_json(request)).get("action")
        if not isinstance(action, str) or not board.press(action):
            raise UserError(f"There is no key {action!r:.40}.")
        return JSONResponse({"pressed": action})

    routes = [Route("/stream", stream), Route("/press", press, methods=["POST"])]
    return page_app(routes, PAGE, "watch.html")


async def _parts(board: Board) -> AsyncIterator[bytes]:
    """The newest moment each time that there is one, and a beat where there is none; ends with the last."""
    number, sent_s, over = None, 0.0, False
    while not over:
        moment, over = board.moment, board.ended is not None
        new = moment is not None and moment.number != number
        if not (new or over or time.monotonic() - sent_s > BEAT_S):
            await asyncio.sleep(LOOK_S)
            continue
        jpeg, sent_s = b"", time.monotonic()
        if new and moment is not None:
            jpeg, number = moment.sight.jpeg, moment.number
        yield stream_part(board.news(), jpeg)  # waits for a slow reader; the loop does not
        await asyncio.sleep(LOOK_S)
