"""The poll: votes after the closing, votes of one client, and what a result says of them."""

import base64
import http.client
import json
import re
import sys
import zlib
from functools import partial
from typing import Any

from attacks.frame import Place, attack, check
from attacks.pages import CLASS, ask
from attacks.serving import make_poll, page_of

from vector_tl.poll.storage import FILE
from vector_tl.poll.votes import Poll

ONE_DAY_S = 86_400


def as_if(place: Place, off_s: int, *words: str) -> Any:
    """The JSON of a command on a computer whose clock is off by so much."""
    program = (
        "import sys, time; real = time.time; "
        f"time.time = lambda: real() + {off_s}; "
        "from vector_tl.cli import main; sys.exit(main())"
    )
    answer = place.program([sys.executable, "-c", program, *words, "--json"])
    check(answer.code == 0, answer.err[-300:])
    return answer.json()


@attack("the clock is set back after the closing", expected="the poll stays closed")
def clock_set_back(place: Place) -> str:
    folder = str(make_poll(place.folder / "poll"))
    as_if(place, 0, "poll", folder, "--close")
    for off_s in (-ONE_DAY_S, -400 * ONE_DAY_S):
        said = as_if(place, off_s, "poll", folder, "--result")
        check(said["closed"], f"open again at {off_s} s")
    return "closed"


@attack("the voting ends by itself, then the clock is set back", expected="the poll stays closed")
def clock_set_back_later(place: Place) -> str:
    folder = make_poll(place.folder / "poll")
    opened = Poll(folder)
    opened.open()
    opened.close()
    check(as_if(place, 2 * ONE_DAY_S, "poll", str(folder), "--result")["closed"], "it never closed")
    check(as_if(place, 0, "poll", str(folder), "--result")["closed"], "open again")
    return "closed"


@attack("codes made after the closing, with a time before it", expected="none is counted")
def codes_dated_back(place: Place) -> str:
    folder = make_poll(place.folder / "poll")
    opened = Poll(folder)
    opened.open()
    made_s, film = opened.fact("opened_s") + 1, opened.files[0]
    opened.end()
    codes = [vote_code(opened.id, f"{number:032x}", film, made_s) for number in range(50)]
    opened.close()
    (place.folder / "codes.txt").write_text("\n".join(codes))
    answer = place.run("poll", str(folder), "--take-votes", "codes.txt", "--json").json()
    check(answer["taken"] == 0 and answer["votes"] == 0, f"{answer['taken']} taken")
    return f"{len(answer['refused'])} refused"


@attack("more hours for a poll that has closed", expected="refused")
def more_hours(place: Place) -> str:
    folder = make_poll(place.folder / "poll")
    place.run("poll", str(folder), "--close")
    return place.run("poll", str(folder), "--hours", "48", "--no-serve").refused("closed")


def vote_code(poll: str, voter: str, film: str, made_s: float) -> str:
    """A code as the exported page makes it."""
    vote = {"p": poll, "v": voter, "s": "left", "l": film, "w": "", "t": made_s}
    body = base64.urlsafe_b64encode(json.dumps(vote).encode()).decode().rstrip("=")
    return f"VP1.{body}.{zlib.crc32(body.encode()):08x}"


@attack("5,000 votes of one client that keeps no cookie", expected="the result and its page say so")
def one_client(place: Place) -> str:
    folder = make_poll(place.folder / "poll")
    with page_of(partial(place.start, "poll", str(folder))) as (port, _):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for _ in range(5000):
            cast(client, port)
        page = ask(port, "/result")[1].decode()
        check("5000 of the 5000 votes came from one address" in page, "its page does not say so while open")
    doubts = place.run("poll", str(folder), "--result", "--json").json()["double_votes"]
    check(doubts["most_from_one_address"] == 5000 and bool(doubts["warning"]), f"{doubts}")
    return str(doubts["warning"])


def cast(client: http.client.HTTPConnection, port: int) -> None:
    """Vote as a new browser."""
    client.request("GET", "/")
    answer = client.getresponse()
    page, cookie = answer.read().decode(), answer.headers["set-cookie"].partition(";")[0]
    token = re.search(r'"token": "(\w+)"', page)[1]  # type: ignore[index]
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    client.request("POST", "/vote", json.dumps({"side": "left", "why": "", "token": token}), headers)
    answer = client.getresponse()
    said = answer.read()
    check(answer.status == 200, f"{answer.status} {said[:100]!r}")


@attack("a result without a word on double votes", expected="it says what it cannot exclude")
def result_says(place: Place) -> str:
    seen = []
    for name, invitations in (("open", 0), ("invited", 5)):
        folder = str(make_poll(place.folder / name, invitations=invitations))
        said = place.run("poll", folder, "--result", "--json").json()["double_votes"]["not_excluded"]
        check(len(said) >= 2, f"{said}")
        seen += said
    return "; ".join(seen)[:160]


@attack("a poll that leaves this machine, made without a word on who may vote", expected="64 invitations")
def invitations_by_default(place: Place) -> str:
    folder = make_poll(place.folder / "poll", invitations=None)
    place.run("poll", str(folder), "--export", "site")
    lines = (folder / "invitations.txt").read_text().splitlines()
    modes = [path.stat().st_mode & 0o777 for path in (folder / "invitations.txt", folder / FILE)]
    check(len(lines) == CLASS and modes == [0o600, 0o600], f"{len(lines)} lines, {modes}")
    return f"{len(lines)} invitations, for this user only"
