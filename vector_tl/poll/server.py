"""The poll's page over HTTP; nothing that is answered says which film is whose.

GET  /             the page: both films, on sides drawn for this voter, who is known again by a signed cookie
                   (or an invitation, `/?i=TOKEN`)
POST /vote         {"side": "left" | "right" | "none", "why": TEXT, "token": the page's}, from the page itself
GET  /result       how many have voted; once voting has closed the result. /result.json: the same as JSON
"""

import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from vector_tl.errors import Refused
from vector_tl.poll.publish import PAGE, page_html, result_data, shown
from vector_tl.poll.votes import MAX_WHY, Poll
from vector_tl.web.access import guarded, these_names
from vector_tl.web.server import page_app, read_json

MAX_BYTES = 12 * MAX_WHY + 512  # of a vote; an escaped character has up to 12 bytes
COOKIE_S = 400 * 24 * 3600


def poll_app(poll: Poll, host: str = "127.0.0.1", url: str | None = None) -> ASGIApp:
    """The ASGI application of a poll.

    Args:
        poll: what is served.
        host: a name that requests may use, beside localhost and any bare address.
        url: where voters find it, when something in front passes it on.
    """
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
        answer.set_cookie(
            cookie,
            f"{voter}.{poll.sign('voter', voter)}",
            max_age=COOKIE_S,
            httponly=True,
            # not strict: who follows a link from elsewhere is the same voter still, and the check of the page
            # of origin keeps out votes from elsewhere
            samesite="lax",
            secure=urlsplit(url or "").scheme == "https",
        )
        return answer

    async def vote(request: Request) -> Response:
        body = await read_json(request, MAX_BYTES)
        voter = voter_of(request)
        if voter is None:
            raise Refused(
                403,
                "Your browser sent no cookie: allow cookies for this page, load it again and vote then.",
            )
        if not isinstance(body.get("token"), str) or not poll.signed_by_us("form", voter, body["token"]):
            raise Refused(
                403, "The vote does not belong to this browser's page; load the page again and vote then."
            )
        side: Any = body.get("side")  # anything: `vote` refuses what is none
        poll.vote(voter, side, body.get("why", ""))
        return JSONResponse({"counted": True, "side": side})

    async def film(request: Request) -> Response:
        file = request.path_params["file"]
        if file not in poll.files:
            raise HTTPException(404)
        return FileResponse(
            poll.folder / "films" / file,
            media_type="video/mp4",
            headers={"Cache-Control": "private, max-age=86400"},
        )

    async def result_page(request: Request) -> Response:
        return HTMLResponse(page_html(result_data(poll)))

    async def result_json(request: Request) -> Response:
        data = result_data(poll)
        still_open = {
            "poll": poll.id,
            "closed": False,
            "closes_s": data["closes_s"],
            "votes": data.get("votes"),
        }
        return JSONResponse(data.get("result", still_open))

    routes = [
        Route("/", page),
        Route("/vote", vote, methods=["POST"]),
        Route("/films/{file}", film),
        Route("/result", result_page),
        Route("/result.json", result_json),
    ]
    # same-origin: without any referrer, some browsers do not name the origin either, which votes need
    check = these_names({host.lower(), "localhost"}, url)
    return guarded(page_app(routes, PAGE), check, referrer="same-origin")
