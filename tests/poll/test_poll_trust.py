"""What a poll can be trusted in: it closes once, double votes show, who may vote where others reach it."""

import http.client
import json
import re
import time
from contextlib import contextmanager

import pytest
from test_poll_run import blind, code, images

from vector_tl.errors import Refused
from vector_tl.poll import clock
from vector_tl.poll.doubts import CLASS, MANY_A_MINUTE, double_votes
from vector_tl.poll.publish import take_votes, votes_csv
from vector_tl.poll.result import result
from vector_tl.poll.run import poll
from vector_tl.poll.server import poll_app
from vector_tl.poll.settings import PollSettings
from vector_tl.poll.votes import Poll
from vector_tl.web.server import PageServer, bind

pytestmark = pytest.mark.fast
FILMS = [{"file": f"{sign * 16}.mp4", "model": sign, "caption": sign} for sign in "ab"]


@pytest.fixture
def fresh(tmp_path):
    opened = make(tmp_path / "poll")
    opened.open()
    yield opened
    opened.close()


def make(folder, **facts) -> Poll:
    folder.mkdir()
    (folder / "films").mkdir()
    for film in FILMS:
        (folder / "films" / film["file"]).write_bytes(b"a film")
    usual = {"hours": 24, "question": "Which?", "contact": "", "invitations": 0, "threshold": 0.5}
    return Poll.create(folder, FILMS, **(usual | facts))


# Closing.


def refusal(opened: Poll, voter: str = "late", **more) -> int | None:
    try:
        opened.vote(voter, "left", **more)
    except Refused as error:
        return error.status
    return None


@pytest.mark.parametrize("again", [False, True])
def test_a_clock_that_is_set_back_reopens_nothing(fresh, monkeypatch, again):
    fresh.vote("early", "left")
    fresh.remember(closes_s=time.time() - 1)
    assert fresh.closed()
    real = time.time
    monkeypatch.setattr(clock.time, "time", lambda: real() - 7 * 24 * 3600)
    opened = Poll(fresh.folder) if again else fresh
    assert opened.closed() and refusal(opened) == 410 and opened.count() == 1
    assert result(opened)["closed"]
    assert refusal(opened, "early") == 409, "who has voted is answered as ever"


def test_time_that_was_seen_counts_though_nobody_saw_the_closing(fresh, monkeypatch):
    real = time.time
    fresh.remember(closes_s=real() + 3600)
    monkeypatch.setattr(clock.time, "time", lambda: real() + 3599)
    assert not fresh.closed() and refusal(fresh, "in time") is None
    fresh.close()
    monkeypatch.setattr(clock.time, "time", lambda: real() - 3600)
    opened = Poll(fresh.folder)
    monkeypatch.setattr(clock.time, "monotonic", lambda passed=time.monotonic: passed() + 1)
    assert opened._clock.now_s() >= real() + 3599 - 60, "it goes on from there"
    opened.close()


def test_time_passes_while_the_clock_stands_back(monkeypatch):
    wall, steady = [1000.0], [50.0]
    monkeypatch.setattr(clock.time, "time", lambda: wall[0])
    monkeypatch.setattr(clock.time, "monotonic", lambda: steady[0])
    watch = clock.Clock(latest_s=900.0)
    assert watch.now_s() == 1000.0
    wall[0], steady[0] = 10.0, 80.0  # set back; half a minute later
    assert watch.now_s() == 1030.0
    wall[0] = 2000.0  # as after a laptop's sleep, which the steady clock does not count
    assert watch.now_s() == 2000.0 and clock.Clock(latest_s=3000.0).now_s() == 3000.0


def test_a_code_made_in_time_that_comes_after_the_closing_is_not_counted(fresh):
    made_s = fresh.fact("opened_s") + 1
    assert take_votes(fresh, code(fresh.id, v="1" * 32, t=made_s))["taken"] == 1
    fresh.end()
    said = take_votes(fresh, "\n".join(code(fresh.id, v=digit * 32, t=made_s) for digit in "12"))
    assert (said["taken"], said["repeated"], said["votes"]) == (0, 1, 1)
    assert "closed" in said["refused"][0]["why"]


def test_a_code_is_counted_when_it_comes_not_when_it_says(fresh):
    take_votes(fresh, code(fresh.id, v="1" * 32, t=fresh.fact("opened_s") - 200))
    assert time.time() - 60 < fresh.votes()[0]["at_s"] <= time.time()


def test_more_hours_reopen_nothing(fresh):
    fresh.remember(closes_s=time.time() - 1)
    with pytest.raises(Exception, match="closed"):
        fresh.last(48)
    assert refusal(fresh) == 410


# Double votes.


def test_five_thousand_votes_of_one_client_are_shown_as_such(fresh):
    now_s = time.time()
    rows = [(f"{n:032x}", now_s, "left", "a", "a", "", "page", "client") for n in range(5000)]
    with fresh._transaction():  # as one: 5,000 commits wait for the disk
        fresh._database.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    fresh.vote("somebody", "right", address="10.0.0.2")
    doubts = result(fresh)["double_votes"]
    assert (doubts["addresses"], doubts["most_from_one_address"]) == (2, 5000)
    assert doubts["most_a_minute_from_one_address"] == 5000
    assert doubts["warning"].startswith("5000 of 5001 votes came from one address, up to 5000 in a minute")
    with served(fresh) as port:
        assert "5000 of 5001" in ask(port, "/result")[2].decode(), "while it is open, too"


@pytest.mark.parametrize(
    "times_s, warned",
    [
        ([], False),
        ([float(n) for n in range(MANY_A_MINUTE)], False),
        ([float(n) for n in range(MANY_A_MINUTE + 1)], True),
        ([10.0 * n for n in range(CLASS)], False),
        ([10.0 * n for n in range(CLASS + 1)], True),
    ],
)
def test_a_class_behind_one_address_is_no_warning(times_s, warned):
    votes = [{"address": "school", "at_s": time_s, "way": "page"} for time_s in times_s]
    assert bool(double_votes(votes, by_invitation=False)["warning"]) == warned
    assert double_votes(votes, by_invitation=True)["warning"] is None


def test_what_cannot_be_excluded_is_said(fresh):
    assert "private window" in " ".join(result(fresh)["double_votes"]["not_excluded"])
    take_votes(fresh, code(fresh.id, t=fresh.fact("opened_s") + 1))
    said = " ".join(result(fresh)["double_votes"]["not_excluded"])
    assert "any number of codes" in said and "1 of 1 vote" in said
    fresh.remember(invitations=3)
    assert "several invitations" in " ".join(result(fresh)["double_votes"]["not_excluded"])


def test_an_address_is_kept_as_a_signature_only(fresh):
    fresh.vote("a", "left", address="192.168.1.20")
    fresh.vote("b", "left", address="192.168.1.20")
    (one, two) = (vote["address"] for vote in fresh.votes())
    assert one == two and len(one) == 16 and fresh.count_from("192.168.1.20") == 2
    assert "192.168" not in votes_csv(fresh) and one[:8] in votes_csv(fresh)


# Who may vote where others reach the page.


@contextmanager
def served(opened: Poll, host: str = "127.0.0.1", url: str | None = None):
    server = PageServer(poll_app(opened, host, url), bind())
    with server.in_thread("poll"):
        yield server.socket.getsockname()[1]


def ask(port, path, body=None, cookie="", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    given = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, data, given | headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def vote(port, path="/", **headers) -> int:
    status, answered, page = ask(port, path)
    assert status == 200
    cookie = answered["set-cookie"].partition(";")[0]
    data = json.loads(re.search(rb'id="data">(.*?)</script>', page)[1])
    ballot = {"side": "left", "why": "", "token": data["token"]}
    return ask(port, "/vote", ballot, cookie, **headers)[0]


def test_where_others_reach_it_a_token_is_needed(fresh):
    film = f"/films/{fresh.files[0]}"
    with served(fresh, "0.0.0.0") as port:
        for path in (
            "/",
            "/?i=",
            "/?i=all-0",
            f"/?i={fresh.voters.invitation(1)}",
            film,
            "/result",
            "/result.json",
        ):
            assert ask(port, path)[0] == 403, path
        assert ask(port, "/poll.css")[0] == 200
        whole = f"/?i={fresh.voters.common_token()}"
        assert vote(port, whole) == 200 and fresh.count() == 1
        cookie = ask(port, whole)[1]["set-cookie"].partition(";")[0]
        for path in ("/", film, "/result", "/result.json"):
            assert ask(port, path, cookie=cookie)[0] == 200, "who came with it before"
    with served(fresh) as port:
        assert vote(port) == 200, "on this machine none is needed"


def test_the_result_is_for_those_with_a_token_too(tmp_path):
    opened = make(tmp_path / "poll", invitations=2)
    opened.open()
    opened.end()
    with served(opened, "0.0.0.0") as port:
        status, headers, _ = ask(port, f"/?i={opened.voters.invitation(1)}")
        assert (status, headers["location"]) == (303, f"result?i={opened.voters.invitation(1)}")
        assert ask(port, f"/{headers['location']}")[0] == 200 and ask(port, "/result")[0] == 403
    opened.close()


def test_the_address_is_that_of_the_client_behind_another_server(fresh):
    with served(fresh, url="https://poll.example.org") as port:
        for forwarded in (
            {},
            {"X-Forwarded-For": "6.6.6.6, 10.0.0.9"},
            {"X-Forwarded-For": "7.7.7.7,10.0.0.9"},
        ):
            assert vote(port, **forwarded) == 200
    assert fresh.count_from("10.0.0.9") == 2 and fresh.count_from("127.0.0.1") == 0
    with served(fresh) as port:
        assert vote(port, **{"X-Forwarded-For": "10.0.0.9"}) == 200
    assert fresh.count_from("10.0.0.9") == 2 and fresh.count_from("127.0.0.1") == 1


@pytest.mark.parametrize(
    "leaving, count",
    [
        ({"host": "0.0.0.0"}, 64),
        ({"url": "https://poll.example.org"}, 64),
        ({"export": True}, 64),
        ({"export": True, "invitations": 5}, 5),
        ({"export": True, "invitations": 0}, 0),
        ({"host": "127.0.0.1"}, 0),
    ],
)
def test_by_invitation_where_the_page_leaves_this_machine(tmp_path, monkeypatch, caplog, leaving, count):
    monkeypatch.setattr(PageServer, "run_until_signal", lambda self: None)
    settings = dict(leaving)
    if settings.get("export"):
        settings["export"] = tmp_path / "site"
    poll(
        PollSettings(images(tmp_path / "in", 2), "a", "b", tmp_path / "poll", width=160, **settings), *blind()
    )
    opened = Poll(tmp_path / "poll")
    assert opened.invitations == count
    assert ("open to all" in caplog.text) == (count == 0 and "export" in leaving)
    assert ("opens the page" in caplog.text) == (leaving.get("host") == "0.0.0.0")
    file = tmp_path / "poll" / "invitations.txt"
    assert file.exists() == (count > 0) and (not count or file.stat().st_mode & 0o777 == 0o600)
    opened.close()
    poll(PollSettings(tmp_path / "poll", export=tmp_path / "again"))
    opened = Poll(tmp_path / "poll")
    assert opened.invitations == count, "once and for all"
    opened.close()
