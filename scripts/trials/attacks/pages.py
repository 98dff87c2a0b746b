"""Pages: clients that hold connections, other sites' pages, pages that others reach."""

import contextlib
import http.client
import re
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attacks.frame import MODEL, Place, attack, check
from attacks.material import make_dataset
from attacks.serving import make_poll, page_of, said_by, wait_for_address
from half_open import Finder, HalfOpen, answers_s, summed_up

from vector_tl.robot.simulator_client import SimulatorProcess

STOP_MS, PAGE_S = 160.0, 1.0
CLASS, OF_BROWSER = 64, 6
RATE = 500.0  # at which sockets that were closed are opened anew, per second
EVIL = "http://evil.example"


def review(place: Place, *more: str) -> contextlib.AbstractContextManager[tuple[int, str]]:
    """The review page of a small dataset."""
    data = make_dataset(place.folder / "data")
    return page_of(partial(place.start, "label", "review", "--data", str(data), *more))


def ask(
    port: int, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and content of one request; status 0 where the connection is cut."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    return answer_of(client, "GET" if body is None else "POST", path, body, headers or {})


def answer_of(
    client: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    """Status and content of one request, or status 0."""
    try:
        client.request(method, path, body, headers)
        answer = client.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        client.close()


def answers_in_time(pages: contextlib.AbstractContextManager[tuple[int, str]]) -> str:
    """Whether a page answers within a second under half-open sockets."""
    with pages as page, HalfOpen(page[0], rate=RATE):
        figures = summed_up(answers_s(page, 10))
    check(figures["p95"] <= PAGE_S, f"{figures}")
    return f"{figures['p95']:.2f} s at 95 %"


def warns_and_wants_a_token(start: Callable[..., subprocess.Popen]) -> str:
    """Whether a page for others begins with one sentence, and lets in only who has its whole address."""
    with said_by(start) as (process, said):
        port, path = wait_for_address(process, said)
        warnings = [line for line in said().splitlines() if "every computer" in line]
        check(len(warnings) == 1, said()[-300:])
        for wrong, headers in (
            ("/", {}),
            ("/", {"Host": f"192.168.1.9:{port}"}),
            (path.rstrip("/")[:-1], {}),
        ):
            check(ask(port, wrong, headers=headers)[0] in (401, 403), f"let in at {wrong}")
        for headers in ({"Host": f"evil.example:{port}"}, {"Host": f"192.168.1.9:{port}", "Origin": EVIL}):
            check(ask(port, path, b"{}", headers)[0] in (403, 421), f"let in with {headers}")
        check(ask(port, path)[0] == 200, "who has its whole address is shut out")
    return warnings[0].partition(": ")[2][:160]


@attack(
    "1,100 half-open sockets at the live page, then STOP", expected=f"wheels at 0 within {STOP_MS:.0f} ms"
)
def stop_under_half_open_sockets(place: Place) -> str:
    with SimulatorProcess(world=3, camera="plain") as simulator:
        finder, times_ms = Finder(simulator), []
        with finder.run(), HalfOpen(finder.port, rate=RATE):
            for _ in range(20):
                times_ms.append(finder.press("pause"))
                finder.go_on()
            times_ms.append(finder.press("stop"))
    figures = summed_up(times_ms)
    check(figures["p95"] <= STOP_MS, f"{figures}")
    return f"{figures['p95']:.0f} ms at 95 %"


@attack("1,100 half-open sockets at the poll", expected="it answers within 1 s")
def half_open_poll(place: Place) -> str:
    return answers_in_time(page_of(partial(place.start, "poll", str(make_poll(place.folder / "poll")))))


@attack("1,100 half-open sockets at the review page", expected="it answers within 1 s")
def half_open_review(place: Place) -> str:
    return answers_in_time(review(place))


@attack("a byte a second of a request's head, and of its body", expected="cut off within 20 s")
def trickle(place: Place) -> str:
    heads = [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\n"]
    with review(place) as (port, _):
        began_s, slow = time.monotonic(), [socket.create_connection(("127.0.0.1", port)) for _ in heads]
        for connection, head in zip(slow, heads, strict=True):
            connection.sendall(head)
        while slow and time.monotonic() < began_s + 20:
            time.sleep(1)
            slow = [connection for connection in slow if takes(connection)]
    check(not slow, f"{len(slow)} still open after 20 s")
    return f"cut off after {time.monotonic() - began_s:.0f} s"


def takes(connection: socket.socket) -> bool:
    """Whether a connection still takes a byte."""
    try:
        connection.sendall(b"x")
    except OSError:
        connection.close()
        return False
    return True


@attack("a head of 50 MB and a body of 500 MB", expected="refused, memory below 400 MB")
def huge(place: Place) -> str:
    with said_by(partial(place.start, "poll", str(make_poll(place.folder / "poll")))) as (process, said):
        port, _ = wait_for_address(process, said)
        own = f"Host: 127.0.0.1\r\nOrigin: http://127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        for head, part, count in (
            (b"GET / HTTP/1.1\r\n", b"A: " + b"b" * 65_000 + b"\r\n", 800),
            (f"POST /vote HTTP/1.1\r\n{own}Content-Length: 500000000\r\n\r\n".encode(), b"x" * 65_536, 8000),
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                with contextlib.suppress(OSError):
                    for piece in (head, *[part] * count):
                        connection.sendall(piece)
                answer = b""
                with contextlib.suppress(OSError):
                    answer = connection.recv(100)
                check(b" 200 " not in answer, f"{answer!r}")
        status = Path(f"/proc/{process.pid}/status").read_text()
    peak_mb = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    check(peak_mb < 400, f"{peak_mb:.0f} MB")
    return f"refused, {peak_mb:.0f} MB"


@attack("a page of another site, and another name for this machine (DNS rebinding)", expected="refused")
def foreign_page(place: Place) -> str:
    with review(place) as (port, path):
        token = path.strip("/")
        for headers in (
            {"Origin": EVIL},
            {"Origin": "null"},
            {"Host": f"evil.example:{port}"},
            {"Host": "127.0.0.1:1"},
            {"Host": f"evil@127.0.0.1:{port}"},
        ):
            status, _ = ask(port, path, headers=headers)
            check(status in (400, 403), f"{status} for {headers}")
        for wrong in ("/", f"/{token[:-1]}/", f"/{token}x/", "/?token=", "/queue"):
            check(ask(port, wrong)[0] == 401, f"let in at {wrong}")
        check(ask(port, path)[0] == 200, "its own person is shut out")
    return "403, and 401 without the token"


@attack("a class of 64 browsers behind one address, each with 6 connections", expected="all are answered")
def class_behind_one_address(place: Place) -> str:
    with page_of(partial(place.start, "poll", str(make_poll(place.folder / "poll")))) as (port, _):
        clients = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(CLASS * OF_BROWSER)
        ]
        for client in clients:
            client.request("GET", "/poll.css")
        for client in clients:
            answer = client.getresponse()
            answer.read()
            check(answer.status == 200, f"{answer.status}")
    return f"{len(clients)} connections answered"


@attack("5,000 requests that are none", expected="the log stays below 2 kB")
def noise(place: Place) -> str:
    with said_by(partial(place.start, "poll", str(make_poll(place.folder / "poll")))) as (process, said):
        port, _ = wait_for_address(process, said)
        for number in range(5000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(
                    (b"\x16\x03\x01", b"nonsense\r\n\r\n", b"GET /%ff HTTP/1.1\r\n\r\n")[number % 3]
                )
        check(ask(port, "/")[0] == 200, "it no longer answers")
        size = len(said())
    check(size < 2000, f"{size} characters")
    return f"{size} characters"


@attack("poll --host 0.0.0.0", expected="a warning, and nobody without the address's token")
def open_poll(place: Place) -> str:
    folder = str(make_poll(place.folder / "poll"))
    return warns_and_wants_a_token(partial(place.start, "poll", folder, "--host", "0.0.0.0"))


@attack("label review --host 0.0.0.0", expected="a warning, and nobody without the address's token")
def open_review(place: Place) -> str:
    data = str(make_dataset(place.folder / "data"))
    return warns_and_wants_a_token(
        partial(place.start, "label", "review", "--data", data, "--host", "0.0.0.0")
    )


@attack("find --page --host 0.0.0.0", expected="a warning, and nobody without the address's token")
def open_live(place: Place) -> str:
    words = ("find", "--model", MODEL, "--page", "--page-start", "wait", "--host", "0.0.0.0", "--no-report")
    return warns_and_wants_a_token(partial(place.start, *words))


@attack("--host without a page", expected="wrong usage, a sentence")
def host_without_page(place: Place) -> str:
    seen = []
    for words in (("find", "--host", "0.0.0.0"), ("sim", "--home", "sim", "--host", "0.0.0.0")):
        answer = place.run(*words)
        check(answer.code == 2, f"exit {answer.code}")
        seen.append(answer.refused("--host"))
    return seen[0]
