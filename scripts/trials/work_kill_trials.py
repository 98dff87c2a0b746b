"""Measures what is lost when the poll, the review page or `retrain` is killed (SIGKILL) at random moments.

    .venv/bin/python scripts/trials/work_kill_trials.py [--kills 40] [--retrain-kills 20] [--seed 0]

One client votes and one decides on labels over HTTP until the server dies; it starts again, and what was
answered must be there, once and as it was sent. `retrain` is started anew after each kill; what was finished
stays as it is, and in the end its weights are those of one that was never killed. Prints one JSON object.
"""

import contextlib
import hashlib
import http.client
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from attacks.frame import ROOT
from attacks.material import make_dataset
from attacks.serving import make_poll, said_by, vector_tl, wait_for_address
from safetensors.torch import load_file

from vector_tl.data import dataset
from vector_tl.poll.votes import Poll
from vector_tl.train.curve import finished

NEAR_PX = 0.01
MODEL = str(ROOT / "models" / "scratch.safetensors")
RETRAIN = ("--new", "one", "three", "--sizes", "1", "2", "--epochs", "4", "--batch-size", "2")


@dataclass(frozen=True)
class Options:
    """Kill the poll, the review page and `retrain`."""

    kills: int = 40
    """Of the poll, and of the review page."""
    retrain_kills: int = 20
    """Of `retrain`."""
    seed: int = 0
    """Of the moments."""
    max_s: float = 1.5
    """Longest time from a server's first answer to its kill."""


Ask = Callable[..., tuple[bytes, Any]]


@contextlib.contextmanager
def doomed(command: Callable[..., subprocess.Popen], after_s: float) -> Iterator[tuple[Ask, str]]:
    """What asks a server that is killed after a while, and the path of its page; the block ends with it."""
    with said_by(command) as (process, said):
        port, path = wait_for_address(process, said)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        own = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}

        def ask(path: str, body: Any = None, **headers: str) -> tuple[bytes, Any]:
            text = None if body is None else json.dumps(body)
            client.request("GET" if body is None else "POST", path, text, own | headers)
            answer = client.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {content[:200]!r}")
            return content, answer.headers

        death = threading.Timer(after_s, process.kill)
        death.start()
        with contextlib.suppress(OSError, http.client.HTTPException):
            yield ask, path
        death.cancel()


def kill_polls(folder: Path, kills: int, max_s: float, rng: random.Random) -> dict[str, Any]:
    """Votes with numbered reasons; each that was answered is there once, and none twice."""
    poll, answered, numbers, wrong = make_poll(folder / "poll"), set(), iter(range(10**9)), []
    for kill in range(kills):
        with doomed(vector_tl("poll", str(poll)), rng.uniform(0, max_s)) as (ask, _):
            while True:
                why = f"vote {next(numbers)}"
                page, headers = ask("/")
                cookie = headers["set-cookie"].partition(";")[0]
                token = re.search(r'"token": "(\w+)"', page.decode())[1]  # type: ignore[index]
                ask("/vote", {"side": "left", "why": why, "token": token}, Cookie=cookie)
                answered.add(why)
        opened = Poll(poll)
        there = Counter(vote["why"] for vote in opened.votes())
        opened.close()
        lost, double = answered - there.keys(), [why for why, count in there.items() if count > 1]
        wrong += [f"kill {kill}: {len(lost)} lost, {len(double)} double"] if lost or double else []
    return {"kills": kills, "answered": len(answered), "there": sum(there.values()), "wrong": wrong}


def kill_reviews(folder: Path, kills: int, max_s: float, rng: random.Random) -> dict[str, Any]:
    """Boxes at random; the label of each image is what was answered last, or what was sent after that.

    A decision that was on its way at a kill may be finished at the next start.
    """
    data = make_dataset(folder / "data", ("one",), tuple("abcdefgh"))
    may: dict[str, list[np.ndarray]] = {}  # the answered boxes of an image, then those without an answer
    count, wrong = 0, []
    for kill in range(kills):
        command = vector_tl("label", "review", "--data", str(data))
        with doomed(command, rng.uniform(0, max_s)) as (ask, path):
            while True:
                name = rng.choice("abcdefgh")
                version = json.loads(ask(f"{path}item?session=one&name={name}")[0])["version"]
                x, y = rng.uniform(0, 20), rng.uniform(0, 10)
                boxes = np.array([[x, y, x + rng.uniform(5, 30), y + rng.uniform(5, 20)]])
                if name in may:
                    may[name].append(boxes)
                decision = {"session": "one", "name": name, "version": version, "action": "save"}
                ask(f"{path}decide", decision | {"boxes": boxes.tolist(), "tab": "x", "effort": {}})
                may[name], count = [boxes], count + 1
        for name, sent in may.items():
            there = dataset.read_labels(dataset.label_path(data, "one", name)) * np.array([64, 36, 64, 36])
            if not any(np.abs(there - boxes).max() < NEAR_PX for boxes in sent):
                wrong.append(f"kill {kill}: {name} is {there}, not {sent}")
    parts = len(list(data.rglob("*.part")))
    return {"kills": kills, "answered": count, "parts_at_the_end": parts, "wrong": wrong}


def kill_retrainings(folder: Path, kills: int, rng: random.Random) -> dict[str, Any]:
    """Kill within the time of one that is not killed; nothing finished changes, the end is the same."""
    data = make_dataset(folder / "data", ("one", "two", "three"), ("a", "b"))
    dataset.write_splits(data, {"one": "train", "two": "val", "three": "test"})

    def start(name: str) -> subprocess.Popen:
        words = ("--data", str(data), "--out", str(folder / name), "--device", "cpu", "--threads", "1")
        command = vector_tl("retrain", MODEL, *words, *RETRAIN)
        return command(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    began_s = time.monotonic()
    if (whole := start("whole")).wait() != 0:
        raise SystemExit(whole.communicate()[1].decode()[-1000:])
    lasts_s, done, before, wrong, killed = time.monotonic() - began_s, 0, {}, [], folder / "killed"
    for kill in range(kills):
        process = start("killed")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.3, 1.0) * lasts_s)
        process.kill()
        process.communicate()
        now = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in killed.glob("home-*.safetensors")
            if finished(path)
        }
        wrong += [f"kill {kill}: {name} has changed" for name in before if now.get(name) != before[name]]
        before = now
        if (killed / "results.json").exists():  # it was done: begin again
            wrong += compare(killed, folder / "whole")
            killed, done, before = killed.rename(folder / f"done-{done}") and folder / "killed", done + 1, {}
    last = start("killed")
    said = last.communicate()[1].decode()
    wrong += compare(killed, folder / "whole") if last.returncode == 0 else [said[-300:]]
    parts = len(list(folder.rglob("*.part")))
    return {"kills": kills, "undisturbed_s": round(lasts_s, 1), "parts_at_the_end": parts, "wrong": wrong}


def compare(one: Path, other: Path) -> list[str]:
    """What differs in the weights of two retrainings."""
    wrong = []
    for path in sorted(other.glob("home-*.safetensors")):
        mine, theirs = load_file(one / path.name), load_file(path)
        if mine.keys() != theirs.keys() or not all(bool((mine[k] == theirs[k]).all()) for k in mine):
            wrong.append(f"{path.name} has other weights than one that was never killed")
    return wrong


def main(options: Options) -> int:
    """Run all three and print; 1 where something was lost."""
    rng, began_s, result = random.Random(options.seed), time.monotonic(), {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if options.kills:
            result["poll"] = kill_polls(folder, options.kills, options.max_s, rng)
            result["review"] = kill_reviews(folder, options.kills, options.max_s, rng)
        if options.retrain_kills:
            result["retrain"] = kill_retrainings(folder / "retrain", options.retrain_kills, rng)
    print(json.dumps(result | {"seconds": round(time.monotonic() - began_s, 1)}))
    return int(any(part["wrong"] for part in result.values()))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
