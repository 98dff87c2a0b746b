"""Who may ask a page's server, and the headers that every answer has.

The pages of one person are served on 127.0.0.1 unless another address is asked for, and behind a random token
in the address: http://127.0.0.1:PORT/TOKEN/. Programs may give the token in a header instead:
`Authorization: Bearer TOKEN`. On the page for others (the poll's) the name in the address and the page of
origin are checked; who may vote there is its own matter.
"""

import hmac
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vector_tl.web.hosts import LOOPBACK, address, is_loopback, own_names
from vector_tl.web.wrong_tokens import WrongTokens

HTTP_PORT = 80  # which addresses leave out
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
    wrong = WrongTokens()

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
            status = 401 if await wrong.wait() else 429
            answer = refused(request, status, f"The token is missing or wrong. {way_in}")
        await answer(scope, receive, send)

    return entrance


def own_page(host: str, port: int) -> Check:
    """Lets in who asks under a name of this machine, at the page's port, and not from another site's page.

    Args:
        host: where the page is served; beside it and any bare address, localhost is its name, and the
            machine's own where others reach it.
        port: at which it is served.
    """
    names = {"localhost", host.lower()} if is_loopback(host) else own_names(host)
    here = {f"http://{name}:{port}" for name in (LOOPBACK, "localhost")}

    def check(request: Request) -> tuple[int, str] | None:
        asked = [name.lower() for name in request.headers.getlist("host")]
        if len(asked) != 1 or not leads_here(asked[0], names, port):
            return 403, f"Open the page as http://{address(host, port)}, with the rest that was printed."
        if not {page.lower() for page in request.headers.getlist("origin")} <= here | {f"http://{asked[0]}"}:
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


def leads_here(host: str, names: set[str], port: int | None = None) -> bool:
    """Whether a Host header has one of the names, or a bare address, which no other page can pretend.

    Args:
        host: the header.
        names: of this machine.
        port: the one that it must have; any when None.
    """
    try:
        parts = urlsplit(f"//{host}")
        asked_port = parts.port or HTTP_PORT  # raises for what is not a port
        if "@" in host or "/" in host or (port is not None and asked_port != port):
            return False
        return parts.hostname in names or bool(ipaddress.ip_address(parts.hostname or ""))
    except ValueError:
        return False


def refused(request: Request, status: int, sentence: str) -> Response:
    """A refusal: plain text for a person who opens the address, JSON for a program."""
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse(sentence, status)
    return JSONResponse({"error": sentence}, status)
