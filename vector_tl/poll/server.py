"""The poll's page over HTTP: who asks is checked first, what is answered says nothing about which film is whose.

GET  /             the page: both films, sides drawn for this voter, who is known again by a signed cookie (or an invitation, `/?i=TOKEN`)
POST /vote         {"side": "left" | "right" | "none", "why": TEXT, "token": the page's}, JSON, from the page itself
GET  /result       how many have voted; once voting has closed the result. /result.json: the same as JSON
"""

import asyncio
import contextlib
import ipaddress
import json
import secrets
import signal
import socket
import time
from urllib.parse import SplitResult, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from vector_tl.errors import UserError
from vector_tl.poll.publish import ASSETS, PAGE, POLICY, page_html, result_data, shown
from vector_tl.poll.votes import LONGEST_WHY, Poll, Refused

MAX_BYTES = 12 * LONGEST_WHY + 512  # of a vote; an escaped character has up to 12 bytes
SLOWEST_S = 10.0  # for a vote to arrive
MAX_CONNECTIONS = 2000
_KEEP_S = 400 * 24 * 3600
_HEADERS = {
    "Content-Security-Policy": POLICY + "; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def poll_app(poll: Poll, host: str = "127.0.0.1", url: str | None = None):
    """The ASGI application of a poll.

    Args:
        host: the name under which it is served, which a request may name beside localhost and any bare address.
        url: where voters find it, when something in front passes it on.
    """
    outside = urlsplit(url) if url else None
    cookie = f"poll_{poll.id}"

    def voter_of(request: Request) -> str | None:
        voter, _, signature = request.cookies.get(cookie, "").partition(".")
        return voter if voter and poll.signed_by_us("voter", voter, signature) else None

    async def page(request: Request) -> Response:
        if poll.closed():
            return RedirectResponse("result", 303)
        voter, token = voter_of(request), request.query_params.get("i")
        if poll.fact("invitations"):
            voter = poll.invited(token) if token is not None else voter
            if voter is None:
                return HTMLResponse(page_html(shown(poll, mode="notice", notice="invitation")), 403)
        voter = voter or secrets.token_hex(16)
        left, right = poll.sides(voter)
        own = {
            "left": f"films/{left}",
            "right": f"films/{right}",
            "token": poll.sign("form", voter),
            "voted": poll.voted(voter),
        }
        answer = HTMLResponse(page_html(shown(poll, mode="vote", now_s=time.time(), **own)))
        # Lax, not strict: who follows a link from elsewhere is the same voter still; votes from elsewhere the origin check keeps out.
        signed = f"{voter}.{poll.sign('voter', voter)}"
        answer.set_cookie(
            cookie,
            signed,
            max_age=_KEEP_S,
            httponly=True,
            samesite="lax",
            secure=bool(outside and outside.scheme == "https"),
        )
        return answer

    async def vote(request: Request) -> Response:
        body = await _body(request)
        voter = voter_of(request)
        if voter is None:
            raise Refused(
                403,
                "Your browser did not say who it is: allow cookies for this page, load it again and vote then.",
            )
        if not isinstance(body.get("token"), str) or not poll.signed_by_us("form", voter, body["token"]):
            raise Refused(
                403, "The vote does not belong to this browser's page; load the page again and vote then."
            )
        poll.vote(voter, body.get("side"), body.get("why", ""))
        return JSONResponse({"counted": True, "side": body["side"]})

    async def film(request: Request) -> Response:
        file = request.path_params["file"]
        if file not in poll.files:
            raise HTTPException(404)
        return FileResponse(
            poll.folder / "films" / file,
            media_type="video/mp4",
            headers={"Cache-Control": "private, max-age=86400"},
        )

    async def asset(request: Request) -> Response:
        name = request.url.path[1:]
        return Response(
            (PAGE / name).read_bytes(), headers={"Content-Type": ASSETS[name], "Cache-Control": "no-cache"}
        )

    async def result_page(request: Request) -> Response:
        return HTMLResponse(page_html(result_data(poll)))

    async def result_json(request: Request) -> Response:
        data = result_data(poll)
        return JSONResponse(
            data.get(
                "result",
                {"poll": poll.id, "closed": False, "closes_s": data["closes_s"], "votes": data.get("votes")},
            )
        )

    async def refused(request: Request, error: Refused) -> Response:
        return JSONResponse({"error": str(error)}, error.status)

    async def not_there(request: Request, error: HTTPException) -> Response:
        words = {404: "There is nothing at this address.", 405: "This cannot be done here."}
        return JSONResponse(
            {"error": words.get(error.status_code, error.detail)}, error.status_code, headers=error.headers
        )

    async def broken(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "Something went wrong here; please try again."}, 500)

    routes = [
        Route("/", page),
        Route("/vote", vote, methods=["POST"]),
        Route("/films/{file}", film),
        Route("/result", result_page),
    ]
    routes += [Route("/result.json", result_json), *(Route(f"/{name}", asset) for name in ASSETS)]
    app = Starlette(
        routes=routes, exception_handlers={Refused: refused, HTTPException: not_there, Exception: broken}
    )
    return _guarded(app, {host.lower(), "localhost"}, outside)


def _guarded(app, hosts: set[str], outside: SplitResult | None):
    """Lets through what comes to one of our names and, for votes, from our own page; puts the same headers on every answer."""

    async def guard(scope, receive, send):
        if scope["type"] != "http":
            return

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                cached = any(name == b"cache-control" for name, _ in message["headers"])
                message["headers"] = [
                    *message["headers"],
                    *own,
                    *([] if cached else [(b"cache-control", b"no-store")]),
                ]
            await send(message)

        names = [value for name, value in scope["headers"] if name == b"host"]
        host = names[0].decode("latin-1").lower() if len(names) == 1 else ""
        refusal = None
        public = outside is not None and host == outside.netloc.lower()
        if not public and not _is_ours(host, hosts):
            refusal = JSONResponse({"error": "This poll is not served under that name."}, 421)
        elif scope["method"] not in ("GET", "HEAD"):
            came_from = [
                value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"origin"
            ]
            ours = ([] if public else [f"http://{host}"]) + (
                [f"{outside.scheme}://{outside.netloc}".lower()] if outside else []
            )
            if len(came_from) != 1 or came_from[0] not in ours:
                refusal = JSONResponse({"error": "Votes are taken from the poll's own page only."}, 403)
        await (refusal or app)(scope, receive, send_with_headers)

    return guard


def _is_ours(host: str, hosts: set[str]) -> bool:
    """A name that leads here by itself, or a bare address, which no foreign page can pretend to be."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        urlsplit(f"//{host}").port  # noqa: B018 (raises for what is no port)
        if "@" in host or "/" in host:
            return False
        if name in hosts:
            return True
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False


async def _body(request: Request) -> dict:
    """The JSON object of a request, read no further than a vote is long."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "A vote is sent as application/json.")
    too_long = Refused(413, f"A vote has at most {MAX_BYTES} bytes.")
    length = request.headers.get("content-length", "")
    if len(length) > 9 or (length.isdigit() and int(length) > MAX_BYTES):
        raise too_long
    raw = b""
    try:
        async with asyncio.timeout(SLOWEST_S):
            async for part in request.stream():
                raw += part
                if len(raw) > MAX_BYTES:
                    raise too_long
        body = json.loads(raw)
    except (TimeoutError, ClientDisconnect):
        raise Refused(408, "The vote did not arrive in time.") from None
    except (ValueError, RecursionError):
        raise Refused(400, "That is no JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "A vote is a JSON object.")
    return body


class PollServer(uvicorn.Server):
    """One process that takes connections on a socket of its own until SIGINT or SIGTERM."""

    def __init__(self, app, bound: socket.socket):
        super().__init__(
            uvicorn.Config(
                app, log_level="critical", access_log=False, lifespan="off", server_header=False, proxy_headers=False, ws="none",
                timeout_keep_alive=10, timeout_graceful_shutdown=2, limit_concurrency=MAX_CONNECTIONS,
            )
        )  # fmt: skip
        self._socket = bound

    def serve_until_told(self) -> None:
        """Serve; returns after SIGINT or SIGTERM."""
        asyncio.run(self.serve(sockets=[self._socket]))

    @contextlib.contextmanager
    def capture_signals(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A socket for the server, which takes connections once it serves; port 0 takes a free one.

    Raises:
        UserError: the address or port cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or error
        raise UserError(
            f"Port {port} of {host} cannot be had ({words}); choose another with --port, 0 for a free one."
        ) from error
    return bound
