"""The simulator's ground-truth channel, page and robots: large bodies, wrong tokens, other sites' pages."""

import contextlib
import http.client
import json
import re
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from attacks.frame import Place, attack, check
from attacks.pages import EVIL, PAGE_S, RATE, answer_of, ask, warns_and_wants_a_token
from attacks.serving import said_by
from half_open import HalfOpen, answers_s, summed_up

SIM = ("sim", "--home", "sim", "--camera", "plain")


@contextlib.contextmanager
def simulator(place: Place) -> Iterator[tuple[int, str, Callable[[], list[dict[str, Any]]]]]:
    """Port and token of a simulator's truth channel, and what reads its log."""
    with said_by(partial(place.start, *SIM)) as (_, said):
        wait_for(lambda: (place.folder / "sim" / "truth.json").exists(), said)
        port, token = truth_of(place)

        def log() -> list[dict[str, Any]]:
            status, data = ask(port, f"/{token}/log")
            check(status == 200, f"the truth channel answers {status}")
            entries: list[dict[str, Any]] = json.loads(data)["entries"]
            return entries

        yield port, token, log


def truth_of(place: Place) -> tuple[int, str]:
    """Port and token in the simulator's truth.json."""
    door = json.loads((place.folder / "sim" / "truth.json").read_text())
    return door["port"], door["token"]


def wait_for(true: Callable[[], bool], said: Callable[[], str], limit_s: float = 60.0) -> None:
    """Wait until something holds."""
    end_s = time.monotonic() + limit_s
    while not true():
        check(time.monotonic() < end_s, said()[-300:])
        time.sleep(0.05)


@attack("a fault from a page of another site, with the token", expected="refused, and no fault begins")
def foreign_fault(place: Place) -> str:
    fault = json.dumps({"fault": "kill"}).encode()
    with simulator(place) as (port, token, log):
        for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Host": f"evil.example:{port}"}):
            status, _ = ask(port, f"/{token}/fault", fault, headers)
            check(status == 403, f"{status} for {headers}")
        check(not [entry for entry in log() if entry["kind"] == "fault"], "a fault began")
    return "403"


@attack("a body of 200 MB for the truth channel", expected="refused")
def large_fault(place: Place) -> str:
    with simulator(place) as (port, token, log):
        status, _ = ask(port, f"/{token}/fault", b'{"fault": "' + b"x" * 200_000_000 + b'"}')
        check(status in (0, 413), f"{status}")
        log()
    return "413" if status else "cut off"


@attack("wrong tokens for the truth channel, one after another", expected="they wait, the right one does not")
def wrong_tokens(place: Place) -> str:
    with simulator(place) as (port, _, log):
        began_s = time.monotonic()
        check(all(ask(port, f"/wrong{number}/log")[0] == 401 for number in range(20)), "let in")
        wrong_s, began_s = time.monotonic() - began_s, time.monotonic()
        log()
        right_s = time.monotonic() - began_s
    check(wrong_s > 8 and right_s < 1, f"20 wrong ones {wrong_s:.1f} s, the right one {right_s:.1f} s")
    return f"20 wrong ones {wrong_s:.1f} s, the right one {right_s:.2f} s"


@attack("a call to the robot's JSON gateway from a page of another site", expected="refused, not called")
def foreign_call(place: Place) -> str:
    with simulator(place) as (_, _, log):
        status, data = call_robot(place, b"{}", {"Origin": EVIL})
        check(status == 403, f"{status} {data[:100]!r}")
        check(not [entry for entry in log() if entry["kind"] == "call"], "it was called")
        check(call_robot(place, b"{}", {})[0] == 200, "programs are refused, too")
    return "403"


@attack("a body of 300 MB for the robot's JSON gateway", expected="refused")
def large_call(place: Place) -> str:
    with simulator(place) as (_, _, log):
        status, _ = call_robot(place, b"x" * 300_000_000, {})
        check(status in (0, 400, 413), f"{status}")
        log()
    return f"{status}" if status else "cut off"


@attack("wrong tokens for the robot's gateway", expected="they wait")
def wrong_guids(place: Place) -> str:
    with simulator(place):
        began_s = time.monotonic()
        for _ in range(20):
            check(call_robot(place, b"{}", {"Authorization": "Bearer wrong"})[0] == 401, "let in")
        wrong_s = time.monotonic() - began_s
        check(call_robot(place, b"{}", {})[0] == 200, "the right one is refused")
    check(wrong_s > 8, f"{wrong_s:.1f} s for 20")
    return f"{wrong_s:.1f} s for 20"


def call_robot(place: Place, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and content of battery_state as JSON; status 0 where the connection is cut."""
    ini = (place.folder / "sim" / ".anki_vector" / "sdk_config.ini").read_text()
    guid, port = (re.search(rf"{word} = (\S+)", ini)[1] for word in ("guid", "port"))  # type: ignore[index]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = http.client.HTTPSConnection("127.0.0.1", int(port), timeout=60, context=context)
    return answer_of(client, "POST", "/v1/battery_state", body, {"Authorization": f"Bearer {guid}"} | headers)


@attack("1,100 half-open sockets at the simulator's page", expected="it answers within 1 s")
def half_open_view(place: Place) -> str:
    with said_by(partial(place.start, *SIM)) as (process, said):
        wait_for(lambda: (place.folder / "sim" / "truth.json").exists(), said)
        port, token = truth_of(place)
        with HalfOpen(port, rate=RATE):
            figures = summed_up(answers_s((port, f"/{token}/"), 10))
    check(figures["p95"] <= PAGE_S, f"{figures}")
    return f"{figures['p95']:.2f} s at 95 %"


@attack("sim --view --host 0.0.0.0", expected="a warning, and nobody without the address's token")
def open_view(place: Place) -> str:
    def start(**streams: Any) -> subprocess.Popen:
        return place.start(*SIM, "--view", "--host", "0.0.0.0", **streams | {"stdout": streams["stderr"]})

    return warns_and_wants_a_token(start)
