"""The poll's server as its own process: parallel votes, a kill in the middle, and what is to be refused."""

import http.client
import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.poll.result import result
from vector_tl.poll.run import poll
from vector_tl.poll.settings import PollSettings
from vector_tl.poll.votes import Poll

NAMES = ("Gargantua", "Pantagruel")
VOTERS = 60


class Fixed:
    """A detector that always sees the same box."""

    init, arch = "scratch", "ssd"

    def __init__(self, name: str, score: float):
        self.name, self.boxes_xyxy, self.scores = (
            name,
            np.array([[100, 60, 200, 120]], np.float32),
            np.float32([score]),
        )

    def __call__(self, image, threshold):
        return self


def make(folder: Path, **settings) -> Path:
    (folder / "in").mkdir()
    for index in range(4):
        cv2.imwrite(str(folder / "in" / f"p{index}.png"), np.full((90, 160, 3), 40 * index, np.uint8))
    poll(
        PollSettings(folder / "in", *NAMES, folder / "poll", no_serve=True, width=160, **settings),
        Fixed(NAMES[0], 0.9),
        Fixed(NAMES[1], 0.6),
    )
    return folder / "poll"


@contextmanager
def served(folder: Path, port: int = 0, *more: str):
    """The port and process of `vector-tl poll FOLDER ...`."""
    port = port or free_port()
    command = [sys.executable, "-m", "vector_tl", "poll", str(folder), "--port", str(port), "--json", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(port, process)
        yield port, process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise AssertionError("the server does not come up")


def ask(port: int, method: str, path: str, body=None, headers=None) -> tuple[int, dict, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def enter(port: int, path: str = "/", cookie: str = "") -> tuple[str, dict]:
    """Open the page; the cookie and the page's data."""
    status, headers, page = ask(port, "GET", path, headers={"Cookie": cookie} if cookie else {})
    assert status == 200
    return headers["set-cookie"].partition(";")[0], json.loads(
        re.search(rb'id="data">(.*?)</script>', page)[1]
    )


def send(port: int, cookie: str, raw: bytes | dict, **headers) -> tuple[int, dict]:
    raw = json.dumps(raw).encode() if isinstance(raw, dict) else raw
    named = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json", "Cookie": cookie}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, answer = ask(
        port, "POST", "/vote", raw, {name: value for name, value in named.items() if value is not None}
    )
    return status, json.loads(answer)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A served poll: port, process, folder."""
    folder = make(tmp_path_factory.mktemp("poll"))
    with served(folder) as (port, process):
        yield port, process, folder


def test_voters_in_parallel_and_a_kill_in_the_middle(tmp_path):
    folder = make(tmp_path)
    crowd = Crowd(folder, free_port())
    with ThreadPoolExecutor(VOTERS) as pool:
        votes = pool.map(crowd.vote, range(VOTERS))
        crowd.serve_through_a_kill(VOTERS // 2)
        crowd.check(list(votes))


class Crowd:
    """Voters who do not give up: after an error they send the same vote again."""

    def __init__(self, folder: Path, port: int):
        self.folder, self.port, self.counted, self.killed = folder, port, threading.Semaphore(0), False

    def vote(self, number: int) -> tuple[str, str, str, list]:
        """The voter, the film picked, the word, and every answer to the vote."""
        drawn, word, answers, entered = random.Random(number), f"voter {number} <b>", [], None
        for _ in range(300):
            try:
                if entered is None:
                    entered = enter(self.port)
                    side = drawn.choice(["left", "right", "none"])
                    time.sleep(drawn.uniform(0, 1))
                cookie, data = entered
                status, _ = send(self.port, cookie, {"side": side, "why": word, "token": data["token"]})
                answers.append(status)
                if status in (200, 409):
                    self.counted.release()
                    voter = cookie.partition("=")[2].partition(".")[0]
                    return voter, Path(data.get(side, "")).name, word, answers
            except (OSError, http.client.HTTPException):
                answers.append(None)
                time.sleep(0.05)
        raise AssertionError(f"voter {number} got no answer: {answers[-5:]}")

    def serve_through_a_kill(self, after: int) -> None:
        """Serve; SIGKILL once `after` votes are answered; serve again until the voters are done."""
        with served(self.folder, self.port) as (_, process):
            for _ in range(after):
                assert self.counted.acquire(timeout=60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.again = served(self.folder, self.port)
        self.again.__enter__()

    def check(self, said: list[tuple[str, str, str, list]]) -> None:
        """Every vote is there exactly once, as it was meant."""
        self.again.__exit__(None, None, None)
        opened = Poll(self.folder)
        there = {vote["voter"]: (vote["film"] or "", vote["why"]) for vote in opened.votes()}
        count = result(opened)["votes"]
        opened.close()
        assert there == {voter: (film, word) for voter, film, word, _ in said} and count == len(said)
        for *_, answers in said:
            assert answers.count(200) + answers.count(409) == 1 and set(answers) <= {200, 409, None}
            assert 409 not in answers or None in answers, "counted already: only after an answer was lost"


def test_nothing_served_names_a_model(place):
    port, _, folder = place
    cookie, data = enter(port)
    send(port, cookie, {"side": "left", "why": "", "token": data["token"]})
    paths = [
        "/",
        "/result",
        "/result.json",
        "/poll.css",
        "/poll.js",
        "/base.css",
        "/nothing",
        "/poll.sqlite",
        "/../poll.sqlite",
        "/films/poll.sqlite",
        "/films/..%2fpoll.sqlite",
        "/films/%2e%2e/poll.sqlite",
        "/films/",
        "/invitations.txt",
    ]
    paths += [f"/films/{path.name}" for path in (folder / "films").iterdir()]
    for path in paths:
        status, headers, body = ask(port, "GET", path, headers={"Cookie": cookie})
        answer = (str(headers).encode() + body + path.encode()).lower()
        assert not [
            word
            for word in (*NAMES, "scratch", "transfer", "x264", "uvicorn")
            if word.lower().encode() in answer
        ], path
        assert status == (200 if path in paths[:6] or path.endswith(".mp4") else 404), path
        assert (
            "default-src 'none'" in headers["content-security-policy"]
            and headers["x-content-type-options"] == "nosniff"
        )
        assert "unsafe" not in headers["content-security-policy"]


def test_films_come_in_parts(place):
    port, _, folder = place
    whole = next((folder / "films").iterdir())
    status, headers, body = ask(port, "GET", f"/films/{whole.name}", headers={"Range": "bytes=10-19"})
    assert (status, headers["content-type"], body) == (206, "video/mp4", whole.read_bytes()[10:20])


def test_sides_are_drawn_for_each_and_stay(place):
    port = place[0]
    seen = set()
    for _ in range(20):
        cookie, data = enter(port)
        seen.add(data["left"])
        assert {data["left"], data["right"]} == {
            f"films/{path.name}" for path in (place[2] / "films").iterdir()
        }
        assert enter(port, cookie=cookie)[1]["left"] == data["left"]
    assert len(seen) == 2


def test_one_vote_for_each_browser(place):
    port = place[0]
    cookie, data = enter(port)
    vote = {"side": "left", "why": "<script>alert(1)</script>", "token": data["token"]}
    assert send(port, cookie, vote) == (200, {"counted": True, "side": "left"})
    assert enter(port, cookie=cookie)[1]["voted"] == "left"
    for again in (vote, vote | {"side": "right"}):
        status, said = send(port, cookie, again)
        assert status == 409 and "already" in said["error"]
    other, theirs = enter(port)
    before = count(place)
    for wrong_cookie, token in (
        (other, data["token"]),
        (cookie, theirs["token"]),
        ("", data["token"]),
        (cookie[:-1] + "x", data["token"]),
        (cookie.replace("=", "=0"), data["token"]),
        ("poll=1", data["token"]),
        (cookie.partition(".")[0], data["token"]),
    ):
        assert send(port, wrong_cookie, {"side": "left", "why": "", "token": token})[0] == 403
    assert count(place) == before


def test_the_same_vote_many_times_at_once_counts_once(place):
    port = place[0]
    cookie, data = enter(port)
    before = count(place)
    with ThreadPoolExecutor(30) as pool:
        vote = {"side": "right", "why": "", "token": data["token"]}
        answers = sorted(pool.map(lambda _: send(port, cookie, vote)[0], range(30)))
    assert answers == [200] + [409] * 29 and count(place) == before + 1


def count(place) -> int:
    return json.loads(ask(place[0], "GET", "/result.json")[2])["votes"]


@pytest.mark.parametrize(
    "raw, status",
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 6000, 400),
        (b'{"side": "left"}', 403),
        (b"1" * 5000, 400),
        ({"side": "up"}, 400),
        ({"side": None}, 400),
        ({"side": {"a": 1}}, 400),
        ({"why": 5}, 400),
        ({"why": None}, 400),
        ({"why": ["a"]}, 400),
        ({"why": "x" * 501}, 413),
        ({"why": "x" * 20000}, 413),
        (b"x" * 10**6, 413),
        (b"x" * 3 * 10**7, 413),
        ({"token": 1}, 403),
        ({"token": "\ud800"}, 403),
    ],
)
def test_malformed_and_huge_votes(place, raw, status):
    port = place[0]
    cookie, data = enter(port)
    before = count(place)
    if isinstance(raw, dict):
        raw = {"side": "left", "why": "", "token": data["token"]} | raw
    answered, said = send(port, cookie, raw)
    assert answered == status and said["error"] and count(place) == before


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Host": "127.0.0.1:x"}, 421),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Host": "a@127.0.0.1"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_votes_from_elsewhere(place, headers, status):
    port = place[0]
    cookie, data = enter(port)
    before = count(place)
    answered, said = send(port, cookie, {"side": "left", "why": "", "token": data["token"]}, **headers)
    assert answered == status and said["error"] and count(place) == before


def test_other_names_of_this_machine_are_ours(place):
    port = place[0]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "192.168.1.20"):
        cookie, data = enter(port)
        assert (
            send(
                port,
                cookie,
                {"side": "left", "why": "", "token": data["token"]},
                Host=host,
                Origin=f"http://{host}",
            )[0]
            == 200
        )
    assert ask(port, "GET", "/", headers={"Host": "evil.example"})[0] == 421


def test_other_methods_and_broken_http(place):
    port = place[0]
    origin = {"Origin": f"http://127.0.0.1:{port}"}
    for method, path, status in (
        ("GET", "/vote", 405),
        ("POST", "/", 405),
        ("DELETE", "/vote", 405),
        ("PUT", "/films/x", 405),
        ("HEAD", "/", 200),
    ):
        assert ask(port, method, path, headers=origin)[0] == status
    for raw in (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000,
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            try:
                connection.sendall(raw)
                answer = connection.recv(100)
            except ConnectionError:
                answer = b""
            assert b" 200 " not in answer
    assert ask(port, "GET", "/")[0] == 200, "it still serves"


def test_a_vote_that_stops_half_way_holds_up_nobody(place):
    port = place[0]
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for connection in slow:
        host = f"127.0.0.1:{port}"
        head = f"POST /vote HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        kind = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(f"{head}{kind}{{".encode())
    cookie, data = enter(port)
    assert send(port, cookie, {"side": "none", "why": "", "token": data["token"]})[0] == 200
    for connection in slow:
        connection.close()


def test_closing_and_the_reveal(tmp_path):
    folder = make(tmp_path)
    with served(folder) as (port, process):
        cookie, data = enter(port)
        send(
            port,
            cookie,
            {"side": "left", "why": "</script><script>alert(1)</script>", "token": data["token"]},
        )
        late, theirs = enter(port)
        assert set(json.loads(ask(port, "GET", "/result.json")[2])) == {
            "poll",
            "closed",
            "closes_s",
            "votes",
        }, "no share before the end"
        poll(PollSettings(folder, close=True))
        assert send(port, late, {"side": "left", "why": "", "token": theirs["token"]})[0] == 410
        status, headers, _ = ask(port, "GET", "/")
        assert (status, headers["location"]) == (303, "result")
        said = json.loads(ask(port, "GET", "/result.json")[2])
        assert (
            said["closed"] and {film["model"] for film in said["films"]} == set(NAMES) and said["votes"] == 1
        )
        page = ask(port, "GET", "/result")[2].decode()
        assert page.count("<script") == 2 and "\\u003cscript" in page and all(name in page for name in NAMES)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and json.loads(out)["votes"] == 1 and json.loads(out)["closed"]


def test_by_invitation_once_in_any_browser(tmp_path):
    folder = make(tmp_path, invitations=2)
    with served(folder) as (port, _):
        addresses = (folder / "invitations.txt").read_text().split()
        paths = [address.partition(f":{port}")[2] for address in addresses]
        status, _, page = ask(port, "GET", "/")
        assert status == 403 and b'"invitation"' in page and b".mp4" not in page
        assert ask(port, "GET", paths[0][:-1] + "z")[0] == 403
        (one, first), (other, again), (_, second) = (
            enter(port, paths[0]),
            enter(port, paths[0]),
            enter(port, paths[1]),
        )
        assert first["left"] == again["left"] and first["token"] != second["token"]
        assert send(port, one, {"side": "left", "why": "", "token": first["token"]})[0] == 200
        assert send(port, other, {"side": "right", "why": "", "token": again["token"]})[0] == 409
        assert enter(port, "/", one)[1]["voted"] == "left", "the cookie is enough later"


def test_the_port_is_remembered_and_the_error_names_a_taken_one(place):
    port, _, folder = place
    opened = Poll(folder)
    assert opened.fact("port") == port
    opened.close()
    done = subprocess.run(
        [sys.executable, "-m", "vector_tl", "poll", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and f"Port {port}" in done.stderr and "--port" in done.stderr


def test_behind_another_server(tmp_path):
    with served(make(tmp_path, invitations=0), 0, "--url", "https://poll.example.org") as (port, process):
        status, headers, page = ask(port, "GET", "/", headers={"Host": "poll.example.org"})
        assert status == 200 and "Secure" in headers["set-cookie"]
        for host, origin, answered in (
            ("poll.example.org", "http://poll.example.org", 403),
            ("poll.example.org.evil.example", "https://poll.example.org", 421),
            ("poll.example.org", "https://poll.example.org.evil.example", 403),
            ("poll.example.org", "https://poll.example.org", 200),
            (f"127.0.0.1:{port}", "https://poll.example.org", 200),
            (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}", 200),
        ):
            cookie, data = enter(port)
            assert (
                send(
                    port,
                    cookie,
                    {"side": "left", "why": "", "token": data["token"]},
                    Host=host,
                    Origin=origin,
                )[0]
                == answered
            )
