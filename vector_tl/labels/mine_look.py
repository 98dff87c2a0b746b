"""The page of `vector-tl label mine`: all images at once, for one look, on this machine behind a token.

GET  /TOKEN/         the page; /TOKEN/start: what it shows
POST /TOKEN/decide   {"keep": numbers of the images to add}; it ends the page
"""

import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.web.report import Illustration
from vector_tl.web.server import LocalServer, page_app, read_json

PAGE = Path(__file__).parent / "page"


def look(images: Sequence[Illustration], model: str, port: int, open_browser: bool) -> set[int] | None:
    """Serve the page until the person has decided; its address goes to standard error.

    Args:
        images: what is shown.
        model: name of the model that sees a Vector in them.
        port: of the page; 0 takes a free one.
        open_browser: whether to open it in this computer's browser.

    Returns:
        The numbers of the images to add; None where the page was ended by Ctrl-C before.

    Raises:
        UserError: the port is taken.
    """
    decided: list[set[int]] = []

    def decide(kept: set[int]) -> None:
        decided.append(kept)
        server.should_exit = True

    way_in = "Open the address that vector-tl label mine printed last."
    server = LocalServer(look_app(images, model, decide), way_in, port)
    print(f"mine: {server.url}", file=sys.stderr, flush=True)
    if open_browser:
        webbrowser.open(server.url)
    server.run_until_signal()
    return decided[-1] if decided else None


def look_app(images: Sequence[Illustration], model: str, decide: Callable[[set[int]], None]) -> Starlette:
    """The page and what it asks for; `decide` gets the numbers of the images that are kept."""

    def start(request: Request) -> Response:
        return JSONResponse({"model": model, "images": [asdict(image) for image in images]})

    async def decided(request: Request) -> Response:
        keep = (await read_json(request)).get("keep")
        if not isinstance(keep, list) or not all(type(n) is int and 0 <= n < len(images) for n in keep):
            raise UserError(f"keep must be a list of numbers from 0 to {len(images) - 1}.")
        decide(set(keep))
        return JSONResponse({"kept": len(set(keep))})

    routes = [Route("/start", start), Route("/decide", decided, methods=["POST"])]
    return page_app(routes, PAGE, "mine.html")
