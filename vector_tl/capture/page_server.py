"""The live view as a page: camera, counts, coverage and keys, on this machine only and behind a token.

GET  /TOKEN/         the page
GET  /TOKEN/status   how the capture stands; /TOKEN/camera: the newest image (JPEG)
POST /TOKEN/press    {"action": one of `vector_tl.capture.board.ACTIONS`}
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.capture.board import CaptureBoard
from vector_tl.errors import UserError
from vector_tl.web.server import LocalServer, page_app, read_json

PAGE = Path(__file__).parent / "page"
LAST_LOOK_S = 0.4  # in which the page still learns that the capture is over


@contextlib.contextmanager
def served(board: CaptureBoard) -> Iterator[str]:
    """Serve the page in a thread until the block ends; yields its address and prints it on standard error."""
    server = LocalServer(capture_app(board), "Open the address that vector-tl capture printed.")
    with server.in_thread("live page"):
        print(f"live view: {server.url}", file=sys.stderr, flush=True)
        try:
            yield server.url
        finally:
            time.sleep(LAST_LOOK_S)


def capture_app(board: CaptureBoard) -> Starlette:
    """The page and what it asks for."""

    def status(request: Request) -> Response:
        return JSONResponse(asdict(board.look()[0]))

    def camera(request: Request) -> Response:
        jpeg = board.look()[1]
        return Response(jpeg, 200 if jpeg else 404, media_type="image/jpeg")

    async def press(request: Request) -> Response:
        action = (await read_json(request)).get("action")
        if not isinstance(action, str) or not board.press(action):
            raise UserError(f"There is no key {action!r:.40}.")
        return JSONResponse({"pressed": action})

    routes = [Route("/status", status), Route("/camera", camera), Route("/press", press, methods=["POST"])]
    return page_app(routes, PAGE, "live.html")
