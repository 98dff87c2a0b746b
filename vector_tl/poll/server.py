"""The poll's page over HTTP; nothing that is answered says which film is whose.

GET  /             the page: both films, on sides drawn for this voter, who is known again by a signed cookie
                   (or an invitation, `/?i=TOKEN`)
POST /vote         {"side": "left" | "right" | "none", "why": TEXT, "token": the page's}, from the page itself
GET  /films/FILE   the films
GET  /result       how many have voted; once voting has closed the result. /result.json: the same as JSON

Where other computers reach the page, all this is for those who have an invitation or the token that all share
(`/?i=TOKEN`), or came with one before.
"""

import logging
import math
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
from vector_tl.plain import counted
from vector_tl.poll.doubts import CLASS, double_votes
from vector_tl.poll.publish import PAGE, page_html, result_data, shown
from vector_tl.poll.votes import Poll
from vector_tl.poll.words import MAX_WHY
from vector_tl.web.access import guarded, these_names
from vector_tl.web.connections import peer_of
from vector_tl.web.hosts import is_loopback, own_names
from vector_tl.web.server import page_app, read_json
from vector_tl.web.wrong_tokens import WrongTokens

MAX_BYTES = 12 * MAX_WHY + 512  # of a vote; an escaped character has up to 12 bytes
WARNING_S = 5.0  # between two looks at all votes
COOKIE_S = 400 * 24 * 3600
log = logging.getLogger(__name__)


def poll_app(poll: Poll, host: str = "127.0.0.1", url: str | None = None) -> ASGIApp:
    """The ASGI application of a poll.

    Args:
        poll: what is served.
        host: where it is served; a name that requests may use, beside this machine's own and any bare
            address.
        url: where voters find it, when something in front passes it on.
    """
    pages = _Pages(poll, _Entrance(poll, not is_loopback(host), url))
    routes = [
        Route("/", pages.page),
        Route("/vote", pages.vote, methods=["POST"]),
        Route("/films/{file}", pages.film),
        Route("/result", pages.result),
        Route("/result.json", pages.result_json),
    ]
    # same-origin: without any referrer, some browsers do not name the origin either, which votes need
    check = these_names(own_names(host), url)
    return guarded(page_app(routes, PAGE), check, referrer="same-origin")


class _Entrance:
    """Who somebody is, and whether that lets them in.

    Args:
        poll: what is served.
        by_token: whether others than this machine reach the page itself.
        url: where voters find it, when something in front passes it on.
    """

    def __init__(self, poll: Poll, by_token: bool, url: str | None):
        self._poll, self._by_token, self._url = poll, by_token, url
        self._cookie, self._wrong = f"poll_{poll.id}", WrongTokens()

    def voter(self, request: Request) -> str | None:
        """Who has been here before, by the cookie."""
        voter, _, signature = request.cookies.get(self._cookie, "").partition(".")
        return voter if voter and self._poll.voters.signed_by_us("voter", voter, signature) else None

    def remember(self, answer: Response, voter: str) -> None:
        """Give somebody the cookie."""
        answer.set_cookie(
            self._cookie,
            f"{voter}.{self._poll.voters.sign('voter', voter)}",
            max_age=COOKIE_S,
            httponly=True,
            # not strict: who follows a link from elsewhere is the same voter still, and the check of the page
            # of origin keeps out votes from elsewhere
            samesite="lax",
            secure=urlsplit(self._url or "").scheme == "https",
        )

    async def lets_in(self, request: Request) -> bool:
        """Whether the request needs no token, or brings it, or is of somebody who came with it before."""
        if not self._by_token or self.voter(request) is not None:
            return True
        token = request.query_params.get("i")
        if token is not None and not self._poll.voters.admits(token):
            await self._wrong.wait()
            return False
        return token is not None

    def address(self, request: Request) -> str | None:
        """The address that a request came from: a household's network with IPv6, see `peer_of`.

        A server on this machine that passes requests on adds the address that it saw to X-Forwarded-For, as
        the last one; those before it may be invented. None where it does not.
        """
        seen = request.client.host if request.client else ""
        if self._url is not None and is_loopback(seen):
            seen = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return peer_of(seen) or None


class _Pages:
    """What is answered at each address."""

    def __init__(self, poll: Poll, entrance: _Entrance):
        self._poll, self._entrance = poll, entrance
        self._final: dict[str, Any] | None = None  # once voting has closed, which is for good
        self._warning: str | None = None
        self._warned_s = -math.inf

    def _data(self) -> dict[str, Any]:
        """The result's data; what takes long with many votes is not made anew for each who asks."""
        if self._final is None and self._poll.closed():
            self._final = result_data(self._poll)
        if self._final is not None:
            return self._final
        if time.monotonic() - self._warned_s > WARNING_S:
            doubts = double_votes(self._poll.votes(), self._poll.invitations > 0)
            self._warning, self._warned_s = doubts["warning"], time.monotonic()
        return result_data(self._poll, warning=self._warning)

    def _shut_out(self) -> Response:
        notice = "invitation" if self._poll.invitations else "address"
        return HTMLResponse(page_html(shown(self._poll, mode="notice", notice=notice)), 403)

    async def page(self, request: Request) -> Response:
        poll = self._poll
        if not await self._entrance.lets_in(request):
            return self._shut_out()
        if poll.closed():
            return RedirectResponse(f"result?{request.url.query}".removesuffix("?"), 303)
        voter, token = self._entrance.voter(request), request.query_params.get("i")
        if poll.invitations:
            voter = poll.voters.invited(token) if token is not None else voter
            if voter is None:
                return self._shut_out()
        voter = voter or secrets.token_hex(16)
        left, right = poll.voters.sides(voter)
        own = {
            "left": f"films/{left}",
            "right": f"films/{right}",
            "token": poll.voters.sign("form", voter),
            "voted": poll.voted(voter),
        }
        answer = HTMLResponse(page_html(shown(poll, mode="vote", now_s=time.time(), **own)))
        self._entrance.remember(answer, voter)
        return answer

    async def vote(self, request: Request) -> Response:
        poll = self._poll
        body = await read_json(request, MAX_BYTES)
        voter = self._entrance.voter(request)
        if voter is None:
            raise Refused(
                403,
                "Your browser sent no cookie: allow cookies for this page, load it again and vote then.",
            )
        if not isinstance(body.get("token"), str) or not poll.voters.signed_by_us(
            "form", voter, body["token"]
        ):
            raise Refused(
                403, "The vote does not belong to this browser's page; load the page again and vote then."
            )
        side: Any = body.get("side")  # anything: `vote` refuses what is none
        address = self._entrance.address(request)
        poll.vote(voter, side, body.get("why", ""), address=address)
        if address and not poll.invitations and poll.count_from(address) == CLASS + 1:
            log.warning("More than %s came from one address; the result will say so.", counted(CLASS, "vote"))
        return JSONResponse({"counted": True, "side": side})

    async def film(self, request: Request) -> Response:
        file = request.path_params["file"]
        if not await self._entrance.lets_in(request):
            raise HTTPException(403, "The films are for those who came by the page's whole address.")
        path = self._poll.folder / "films" / file
        if file not in self._poll.files or not path.is_file():
            raise HTTPException(404)
        return FileResponse(
            path,
            media_type="video/mp4",
            headers={"Cache-Control": "private, max-age=86400"},
        )

    async def result(self, request: Request) -> Response:
        if not await self._entrance.lets_in(request):
            return self._shut_out()
        return HTMLResponse(page_html(self._data()))

    async def result_json(self, request: Request) -> Response:
        if not await self._entrance.lets_in(request):
            raise HTTPException(403, "The result is for those who came by the page's whole address.")
        data = self._data()
        still_open = {
            "poll": self._poll.id,
            "closed": False,
            "closes_s": data["closes_s"],
            "votes": data.get("votes"),
        }
        return JSONResponse(data.get("result", still_open))
