"""The live view as a page: camera, counts, coverage and keys, on this machine only and behind a random word in the address."""

import contextlib
import logging
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from vector_tl.capture.live import Live

PAGE = Path(__file__).parent / "page"
PARTS = ("live.css", "live.js")
END_S, LAST_LOOK_S = 2.0, 0.4  # the page still hears that it is over
MAX_KEY_BYTES = 32
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip
log = logging.getLogger(__name__)


@contextlib.contextmanager
def served(live: Live) -> Iterator[str]:
    """Serve the page in a thread until the block ends; gives its address and prints it on standard error."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()
    token = secrets.token_urlsafe(24)
    url = f"http://127.0.0.1:{door.getsockname()[1]}/{token}/"
    server = Server(
        uvicorn.Config(
            live_app(live, token),
            log_level="critical",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="live page", daemon=True)
    thread.start()
    print(f"live view: {url}", file=sys.stderr, flush=True)
    try:
        yield url
    finally:
        time.sleep(LAST_LOOK_S)
        server.should_exit = True
        thread.join(END_S)
        door.close()


class Server(uvicorn.Server):
    """uvicorn in a thread; signals are the main thread's."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


def live_app(live: Live, token: str) -> Starlette:
    """The page and what it asks: GET status, camera; POST press."""

    def page(request: Request) -> Response:
        return FileResponse(PAGE / "live.html", headers=HEADERS)

    def part(request: Request) -> Response:
        return FileResponse(PAGE / Path(request.url.path).name, headers=HEADERS)

    def status(request: Request) -> Response:
        return JSONResponse(asdict(live.look()[0]), headers=HEADERS)

    def camera(request: Request) -> Response:
        jpeg = live.look()[1]
        return Response(jpeg, 200 if jpeg else 404, HEADERS, "image/jpeg")

    async def press(request: Request) -> Response:
        if int(request.headers.get("content-length") or MAX_KEY_BYTES + 1) > MAX_KEY_BYTES:
            return JSONResponse({"error": "That is no key."}, 400, HEADERS)
        action = (await request.body()).decode(errors="replace")
        if not live.press(action):
            return JSONResponse({"error": f"There is no key {action!r}."}, 400, HEADERS)
        return JSONResponse({"pressed": action}, headers=HEADERS)

    routes = [
        Route("/", page),
        *(Route(f"/{name}", part) for name in PARTS),
        Route("/status", status),
        Route("/camera", camera),
    ]
    app = Starlette(routes=[Mount(f"/{token}", routes=[*routes, Route("/press", press, methods=["POST"])])])
    app.add_middleware(
        TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]
    )  # no other name may lead here
    return app
