"""`vector-tl label review`: the page and its server, on this machine only and behind a random word in the address."""

import contextlib
import hmac
import json
import logging
import math
import secrets
import signal
import socket
import sys
import webbrowser
from pathlib import Path

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.labels.review import ACTIONS, CARRY_FRAMES, MAX_BOXES, Conflict, Desk, Effort, NotThere
from vector_tl.labels.review_queue import FILTERS, Queue
from vector_tl.labels.review_settings import ReviewSettings
from vector_tl.labels.suggest import chosen_images

PAGE = Path(__file__).parent / "page"
MAX_BODY_BYTES = 64 << 10
WIDTHS_PX = (64, 4096)
MAX_ACTIVE_S = 24 * 3600.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip
log = logging.getLogger(__name__)


def review(settings: ReviewSettings) -> dict:
    """Serve the page until Ctrl-C or SIGTERM; its address goes to standard error.

    Returns:
        {"decisions", "seconds_median", "actions_suggested", "actions_unsuggested"} of all reviews of this dataset so far.

    Raises:
        UsageError: a setting out of its range.
        UserError: no images there, no such session, another review at work, or the port is taken.
    """
    settings.check()
    chosen_images(settings.data, settings.session)
    desk = Desk(settings.data)
    try:
        server = ReviewServer(desk, settings)
        print(f"review: {server.url}", file=sys.stderr, flush=True)
        log.info("Every decision is saved at once. Ctrl-C ends the review.")
        if settings.open:
            webbrowser.open(server.url)
        server.run(sockets=[server.socket])
        return desk.pace()
    finally:
        desk.close()


class ReviewServer(uvicorn.Server):
    """The server of one desk; connections wait from its making on.

    Attributes:
        url: the page's address, with the word that lets one in.
    """

    def __init__(self, desk: Desk, settings: ReviewSettings):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind(("127.0.0.1", settings.port))
        except OSError as error:
            raise UserError(
                f"Port {settings.port} of 127.0.0.1 cannot be had ({error.strerror}); choose another with --port, or leave it out."
            ) from None
        self.socket.listen()
        port, token = self.socket.getsockname()[1], secrets.token_urlsafe(24)
        self.url = f"http://127.0.0.1:{port}/{token}/"
        app = guarded(review_app(desk, settings), token, port)
        super().__init__(
            uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self):
        """Ctrl-C is how a review ends: no error, unlike uvicorn's own."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def review_app(desk: Desk, settings: ReviewSettings) -> Starlette:
    """The page and what it asks: GET queue, item, image; POST decide, undo, carry."""
    queue = Queue(settings.data)

    def listed(request: Request) -> Response:
        which, session = (
            request.query_params.get("filter", settings.filter),
            request.query_params.get("session") or None,
        )
        if which not in FILTERS:
            raise UserError(f"There is no filter {which!r}; choose {', '.join(FILTERS)}.")
        return JSONResponse(queue.listed(which, session) | {"pace": desk.pace()})

    def start(request: Request) -> Response:
        return JSONResponse(
            {
                "data": str(settings.data),
                "filter": settings.filter,
                "session": settings.session,
                "carry_frames": CARRY_FRAMES,
            }
        )

    def item(request: Request) -> Response:
        return JSONResponse(desk.item(*_key(request.query_params)))

    def image(request: Request) -> Response:
        width = request.query_params.get("width", "")
        if not width.isdecimal() or not WIDTHS_PX[0] <= int(width[:6]) <= WIDTHS_PX[1]:
            raise UserError(f"width must be from {WIDTHS_PX[0]} to {WIDTHS_PX[1]}, not {width[:20]!r}.")
        data, kind = desk.scaled(*_key(request.query_params), int(width))
        return Response(data, media_type=kind)

    async def decide(request: Request) -> Response:
        asked = await _body(request)
        action = asked.get("action")
        if action not in ACTIONS:
            raise UserError(f"There is no action {action!r}; choose {', '.join(ACTIONS)}.")
        boxes_xyxy = _boxes(asked.get("boxes")) if action == "save" else None
        arguments = (
            *_key(asked),
            _text(asked, "version"),
            action,
            boxes_xyxy,
            _text(asked, "tab"),
            _effort(asked.get("effort")),
        )
        answer = await run_in_threadpool(desk.decide, *arguments)
        return JSONResponse(answer | {"pace": desk.pace()})

    async def undo(request: Request) -> Response:
        tab = _text(await _body(request), "tab")
        return JSONResponse(await run_in_threadpool(desk.undo, tab) | {"pace": desk.pace()})

    async def carry(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(desk.carry, *_key(await _body(request))))

    def page(request: Request) -> Response:
        return FileResponse(PAGE / "review.html")

    def part(request: Request) -> Response:
        return FileResponse(PAGE / Path(request.url.path).name)

    def refused(request: Request, error: UserError) -> Response:
        return JSONResponse(
            {"error": str(error)},
            409 if isinstance(error, Conflict) else 404 if isinstance(error, NotThere) else 400,
        )

    routes = [
        Route("/", page),
        *(
            Route(f"/{name}", part)
            for name in ("review.css", "review.js", "review_boxes.js", "review_keys.js")
        ),
    ]
    routes += [
        Route(f"/{name}", work)
        for name, work in (("start", start), ("queue", listed), ("item", item), ("image", image))
    ]
    routes += [Route(f"/{work.__name__}", work, methods=["POST"]) for work in (decide, undo, carry)]
    return Starlette(
        routes=routes, exception_handlers={UserError: refused, Conflict: refused, NotThere: refused}
    )


def guarded(app, token: str, port: int):
    """Let in only who knows the address, by this machine's name for itself, and no other site's page."""
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    origins = {f"http://{host}" for host in hosts}

    async def guard(scope, receive, send):
        if scope["type"] != "http":
            return
        request = Request(scope)
        given, _, rest = scope["path"].removeprefix("/").partition("/")
        why_not = None
        if request.headers.get("host") not in hosts:
            why_not = (403, "This server answers only at 127.0.0.1.")
        elif request.headers.get("origin", next(iter(origins))) not in origins:
            why_not = (403, "Requests from other pages are refused.")
        elif not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            why_not = (404, "Open the address that vector-tl label review printed last.")
        elif (
            request.method == "POST"
            and request.headers.get("content-type", "").partition(";")[0] != "application/json"
        ):
            why_not = (415, "Send application/json.")

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

        if why_not is None and not rest and not scope["path"].endswith("/"):
            await RedirectResponse(f"/{token}/")(scope, receive, send_guarded)
            return
        if why_not is not None:
            seen_by_person = "text/html" in request.headers.get("accept", "")
            answer = (
                PlainTextResponse(why_not[1], why_not[0])
                if seen_by_person
                else JSONResponse({"error": why_not[1]}, why_not[0])
            )
            await answer(scope, receive, send_guarded)
            return
        await app({**scope, "path": "/" + rest, "raw_path": ("/" + rest).encode()}, receive, send_guarded)

    return guard


async def _body(request: Request) -> dict:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY_BYTES:
            raise UserError(f"A request may hold {MAX_BODY_BYTES} bytes, no more.")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise UserError("The request's body must be a JSON object.")
    return body


def _key(given) -> tuple[str, str]:
    return _text(given, "session"), _text(given, "name")


def _text(given, key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 300 or "\0" in value:
        raise UserError(f"{key} must be a text of up to 300 characters.")
    return value


def _boxes(given) -> np.ndarray:
    """Boxes (N, 4) in pixels as the page sends them."""
    if not isinstance(given, list) or len(given) > MAX_BOXES:
        raise UserError(f"boxes must be a list of up to {MAX_BOXES}.")
    for box in given:
        if (
            not isinstance(box, list)
            or len(box) != 4
            or not all(_is_number(v) and abs(v) < 1e6 for v in box)
            or box[0] >= box[2]
            or box[1] >= box[3]
        ):
            raise UserError(f"{json.dumps(box)[:100]} is no box [x1, y1, x2, y2] with x1 < x2 and y1 < y2.")
    return np.array(given, np.float64).reshape(-1, 4)


def _effort(given) -> Effort:
    given = given if isinstance(given, dict) else {}
    active_s = given.get("active_s", 0.0)
    counts = {key: given.get(key, 0) for key in ("keys", "clicks", "drags")}
    if (
        not _is_number(active_s)
        or not 0 <= active_s <= MAX_ACTIVE_S
        or not all(type(v) is int and 0 <= v <= 100_000 for v in counts.values())
    ):
        raise UserError("effort must be seconds and counts from 0 on.")
    return Effort(round(float(active_s), 3), **counts)


def _is_number(value) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
