"""`vector-tl label review`: the page and its server, behind a token, on this machine unless asked for more.

GET  /TOKEN/          the page; /TOKEN/start, /TOKEN/queue, /TOKEN/item, /TOKEN/image: what it shows
POST /TOKEN/decide, /TOKEN/undo, /TOKEN/carry
"""

import json
import logging
import math
import sys
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.labels.review import ACTIONS, MAX_BOXES, Desk, Effort
from vector_tl.labels.review_queue import FILTERS, Queue
from vector_tl.labels.review_settings import ReviewSettings
from vector_tl.labels.suggest import chosen_images
from vector_tl.web.server import LocalServer, page_app, read_json

PAGE = Path(__file__).parent / "page"
WIDTHS_PX = (64, 4096)
MAX_ACTIVE_S = 24 * 3600.0
log = logging.getLogger(__name__)


def review(settings: ReviewSettings) -> dict:
    """Serve the page until Ctrl-C or SIGTERM; its address goes to standard error.

    Returns:
        {"decisions", "seconds_median", "actions_suggested", "actions_unsuggested"} of all reviews of this
        dataset so far.

    Raises:
        UsageError: a setting out of its range.
        UserError: no images there, no such session, another review at work, or the port is taken.
    """
    settings.check()
    chosen_images(settings.data, settings.session)
    desk = Desk(settings.data)
    try:
        server = review_server(desk, settings)
        print(f"review: {server.url}", file=sys.stderr, flush=True)
        log.info("Every decision is saved at once. Ctrl-C ends the review.")
        if settings.open:
            webbrowser.open(server.url)
        server.run_until_signal()
        return desk.pace()
    finally:
        desk.close()


def review_server(desk: Desk, settings: ReviewSettings) -> LocalServer:
    """The server of one desk; connections wait from now on until it runs.

    Raises:
        UserError: the port is taken.
    """
    way_in = "Open the address that vector-tl label review printed last."
    deeds = "see the images and change their labels"
    return LocalServer(review_app(desk, settings), way_in, settings.port, host=settings.host, deeds=deeds)


def review_app(desk: Desk, settings: ReviewSettings) -> Starlette:
    """The page and what it asks for."""
    queue = Queue(settings.data)

    def listed(request: Request) -> Response:
        which = request.query_params.get("filter", settings.filter)
        if which not in FILTERS:
            raise UserError(f"There is no filter {which!r}; choose {', '.join(FILTERS)}.")
        session = request.query_params.get("session") or None
        return _Answer(queue.listed(which, session) | {"pace": desk.pace()})

    def start(request: Request) -> Response:
        started = {"data": str(settings.data), "filter": settings.filter, "session": settings.session}
        return _Answer(started)

    def item(request: Request) -> Response:
        return _Answer(desk.item(*_key(request.query_params)))

    def image(request: Request) -> Response:
        width = request.query_params.get("width", "")
        if not width.isdecimal() or not WIDTHS_PX[0] <= int(width[:6]) <= WIDTHS_PX[1]:
            raise UserError(f"width must be from {WIDTHS_PX[0]} to {WIDTHS_PX[1]}, not {width[:20]!r}.")
        data, kind = desk.scaled(*_key(request.query_params), int(width))
        return Response(data, media_type=kind)

    async def decide(request: Request) -> Response:
        asked = await read_json(request)
        action = asked.get("action")
        if action not in ACTIONS:
            raise UserError(f"There is no action {action!r}; choose {', '.join(ACTIONS)}.")
        answer = await run_in_threadpool(
            desk.decide,
            *_key(asked),
            _text(asked, "version"),
            action,
            _boxes(asked.get("boxes")) if action == "save" else None,
            _text(asked, "tab"),
            _effort(asked.get("effort")),
        )
        return _Answer(answer | {"pace": desk.pace()})

    async def undo(request: Request) -> Response:
        tab = _text(await read_json(request), "tab")
        return _Answer(await run_in_threadpool(desk.undo, tab) | {"pace": desk.pace()})

    async def carry(request: Request) -> Response:
        return _Answer(await run_in_threadpool(desk.carry, *_key(await read_json(request))))

    routes = [
        Route("/start", start),
        Route("/queue", listed),
        Route("/item", item),
        Route("/image", image),
        Route("/decide", decide, methods=["POST"]),
        Route("/undo", undo, methods=["POST"]),
        Route("/carry", carry, methods=["POST"]),
    ]
    return page_app(routes, PAGE, "review.html")


class _Answer(JSONResponse):
    """JSON in ASCII: a file's name need not be UTF-8, which JSON for browsers otherwise is."""

    def render(self, content: Any) -> bytes:
        """The answer's body."""
        return json.dumps(content, allow_nan=False).encode()


def _key(given: Any) -> tuple[str, str]:
    return _text(given, "session"), _text(given, "name")


def _text(given: Any, key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 300 or "\0" in value:
        raise UserError(f"{key} must be a text of up to 300 characters.")
    return value


def _boxes(given: Any) -> np.ndarray:
    """Boxes (N, 4) in pixels as the page sends them."""
    if not isinstance(given, list) or len(given) > MAX_BOXES:
        raise UserError(f"boxes must be a list of up to {MAX_BOXES}.")
    for box in given:
        if not _is_box(box):
            raise UserError(
                f"{json.dumps(box)[:100]} is not a box [x1, y1, x2, y2] with x1 < x2 and y1 < y2."
            )
    return np.array(given, np.float64).reshape(-1, 4)


def _is_box(box: Any) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(v) and abs(v) < 1e6 for v in box):
        return False
    return box[0] < box[2] and box[1] < box[3]


def _effort(given: Any) -> Effort:
    given = given if isinstance(given, dict) else {}
    active_s = given.get("active_s", 0.0)
    counts = {key: given.get(key, 0) for key in ("keys", "clicks", "drags")}
    if (
        not _is_number(active_s)
        or not 0 <= active_s <= MAX_ACTIVE_S
        or not all(type(v) is int and 0 <= v <= 100_000 for v in counts.values())
    ):
        raise UserError("effort must be seconds and counts, none of them negative.")
    return Effort(round(float(active_s), 3), **counts)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
