"""How fast the memory of long-running commands grows, side by side, while clients use their pages.

    .venv/bin/python scripts/trials/memory_slopes.py --out runs/memory.jsonl [--minutes 30] [--only poll ...]

`sim` with two robots and a page; `find --follow` with a page, a second model and a recording drives the first
one, `capture` takes images with the second; `poll` and `label review` are asked a few times a second, as by
people who vote and label; `capture-sim` draws simulated images; `watch` shows a video again and again to a
browser, with a recording in every third minute. Each is measured by what its own process
holds (RSS), every 10 s. The slope is a straight line's through what comes after the first minutes.
Writes a line of JSON for each measurement, and for each command its slope at the end; prints a table, and
ends with 1 where one grows faster than 1 MB a minute or ended by itself.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from attacks.material import image_bytes, make_dataset
from attacks.serving import make_poll

from vector_tl.bench.measure import soft_noise
from vector_tl.files import finite
from vector_tl.film.encode import FilmWriter

MAX_SLOPE_MB = 1.0  # a minute
LOOK_S, READY_S, END_S = 10.0, 180.0, 30.0
FILM_BYTES = 300_000
SUBJECTS = ("sim", "find", "capture", "capture-sim", "poll", "review", "watch")
VIDEO_FPS, VIDEO_FRAMES, VIDEO_WH = 15, 150, (640, 360)


@dataclass(frozen=True)
class Options:
    """Measure how fast the memory of long-running commands grows."""

    out: Path
    """Lines of JSON: measurements and slopes are added to this file."""
    minutes: float = 30.0
    """How long each runs."""
    settle: float = 5.0
    """The first minutes, which are left out."""
    only: tuple[str, ...] = SUBJECTS
    """Which commands: sim, find, capture, capture-sim, poll, review, watch; find and capture bring sim."""
    video: Path | None = None
    """What `watch` shows: 10 s of moving noise when not given."""
    rate: float = 4.0
    """Requests a second to the poll and to the review page, each."""


@dataclass
class Subject:
    """A command under measurement, and the client that uses it."""

    name: str
    process: subprocess.Popen
    outputs: tuple[Path, Path]
    client: Callable[["Subject"], None] | None = None
    requests: int = 0
    failed: int = 0
    samples: list[tuple[float, float]] = field(default_factory=list)  # minutes, RSS in MB
    ended_min: float | None = None

    def page(self) -> tuple[int, str]:
        """Port and path of the page whose address it says."""
        end_s = time.monotonic() + READY_S
        while time.monotonic() < end_s and self.process.poll() is None:
            if found := re.search(r"http://[\d.]+:(\d+)(/\S*)", self.said()):
                return int(found[1]), found[2]
            time.sleep(0.1)
        raise RuntimeError(f"{self.name}: no page: {self.said()[-500:]}")

    def said(self) -> str:
        """What it has printed."""
        return "".join(path.read_text(errors="replace") for path in self.outputs)

    def measure(self, minute: float) -> dict[str, Any] | None:
        """What the process holds now; None once it has ended."""
        if self.process.poll() is not None:
            self.ended_min = minute if self.ended_min is None else self.ended_min
            return None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        held = {key: int(kb) / 1024 for key, kb in re.findall(r"(VmRSS|RssAnon|RssFile):\s+(\d+)", status)}
        self.samples.append((minute, held["VmRSS"]))
        return {key: round(mb, 2) for key, mb in held.items()} | {"requests": self.requests}

    def slope_mb(self, settle: float) -> float | None:
        """MB a minute after the first minutes, by least squares; None where too little was measured."""
        late = np.array([sample for sample in self.samples if sample[0] >= settle])
        return float(np.polyfit(late[:, 0], late[:, 1], 1)[0]) if len(late) > 2 else None


class Site:
    """A folder in which commands run, each with its output in files."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.subjects: list[Subject] = []

    def start(
        self,
        name: str,
        *words: str,
        home: Path | None = None,
        client: Callable[[Subject], None] | None = None,
    ) -> Subject:
        """Start a command of this checkout."""
        out, err = (self.folder / f"{name}.{kind}" for kind in ("out", "err"))
        environment = os.environ | {"HOME": str(home)} if home else dict(os.environ)
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                [sys.executable, "-m", "vector_tl", *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
            )
        self.subjects.append(Subject(name, process, (out, err), client))
        return self.subjects[-1]

    def serials(self, count: int) -> list[str]:
        """The robots of `sim`, once they take connections."""
        end_s = time.monotonic() + READY_S
        while time.monotonic() < end_s:
            found = re.findall(r"^ready (\S+) \d+$", (self.folder / "sim.out").read_text(), re.M)
            if len(found) == count:
                return found
            time.sleep(0.2)
        raise RuntimeError(f"no simulator: {(self.folder / 'sim.err').read_text()[-500:]}")

    def end(self) -> None:
        """End all commands, the drivers before their simulator."""
        for subject in reversed(self.subjects):
            subject.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                subject.process.wait(END_S)
            subject.process.kill()
            subject.process.wait()


def start_all(site: Site, options: Options) -> None:
    """Start the commands that are asked for."""
    only, limit_s = set(options.only), str(round(options.minutes * 60 + 600))
    if "poll" in only:
        site.start("poll", "poll", str(poll_to_serve(site.folder)), client=partial(vote_often, options.rate))
    if "review" in only:
        review = ("label", "review", "--data", str(images_to_review(site.folder)))
        site.start("review", *review, client=partial(label_often, options.rate))
    if "capture-sim" in only:
        drawn = ("--count", "1000000", "--camera", "plain", "--data", str(site.folder / "drawn"))
        site.start("capture-sim", "capture", *drawn)
    if "watch" in only:
        video = options.video or video_to_watch(site.folder)
        kept = ("--data", str(site.folder / "kept"), "--runs", str(site.folder / "recorded"))
        site.start("watch", "watch", str(video.resolve()), *kept, client=watch_and_record)
    if not only & {"sim", "find", "capture"}:
        return
    home = site.folder / "home"
    robots = 2 if "capture" in only else 1  # the second is for `capture`
    room = ("--robots", str(robots), "--target-motion", "wander", "--camera-fps", "5", "--view")
    site.start("sim", "sim", "--home", str(home), *room, client=look_on)
    serials = site.serials(robots)
    if "find" in only:
        find = ("find", "--robot", serials[0], "--model", "transfer", "--follow", "--seconds", limit_s)
        page = ("--page", "--page-start", "now", "--record", str(site.folder / "run.mcap"), "--take-control")
        site.start("find", *find, *page, home=home, client=watch_stream)
    if "capture" in only:
        take = ("capture", "--robot", serials[1], "--count", "1000000", "--seconds", limit_s, "--page")
        data = ("--novelty", "0.02", "--data", str(site.folder / "taken"), "--model", "transfer")
        site.start("capture", *take, *data, home=home, client=look_at_camera)


def poll_to_serve(folder: Path) -> Path:
    """A poll whose films have the size of short ones."""
    poll = make_poll(folder / "poll")
    for film in (poll / "films").iterdir():
        film.write_bytes(os.urandom(FILM_BYTES))
    return poll


def images_to_review(folder: Path) -> Path:
    """A dataset of 300 images of the camera's size, with a box each."""
    data = make_dataset(folder / "review", ("one", "two", "three"), tuple(f"{n:03d}" for n in range(100)))
    image = image_bytes(size_wh=(640, 360))
    for path in data.glob("images/*/*.jpg"):
        path.write_bytes(image)
    return data


def video_to_watch(folder: Path) -> Path:
    """A video in which something moves."""
    writer = FilmWriter(folder / "noise.mp4", Fraction(VIDEO_FPS), VIDEO_WH)
    noise = soft_noise(np.random.default_rng(0), VIDEO_WH)
    for number in range(VIDEO_FRAMES):
        writer.write(np.roll(noise, 4 * number, axis=1))
    writer.close()
    return writer.path


def vote_often(rate: float, subject: Subject) -> None:
    """New browsers that load the page and a film and vote; now and then somebody looks at the result."""
    port, _ = subject.page()
    for number in paced(subject, rate / 3):
        page, headers = ask(subject, port, "/")
        cookie = headers.get("set-cookie", "").partition(";")[0]
        found = re.search(r'"token": "(\w+)"', page.decode())
        film = re.search(r"films/\w+\.mp4", page.decode())
        if not (found and film):
            continue
        ask(subject, port, f"/{film[0]}", headers={"Cookie": cookie, "Range": "bytes=0-99999"})
        body = {"side": random.choice(("left", "right", "none")), "why": "", "token": found[1]}
        own = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
        ask(subject, port, "/vote", body, own)
        if number % 20 == 0:
            ask(subject, port, "/result")


def label_often(rate: float, subject: Subject) -> None:
    """Somebody who looks at one image after another, saves boxes, and now and then undoes or lists."""
    port, path = subject.page()
    own = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    names = [(session, f"{n:03d}") for session in ("one", "two", "three") for n in range(100)]
    for number in paced(subject, rate / 3):
        session, name = random.choice(names)
        asked = f"session={session}&name={name}"
        item = json.loads(ask(subject, port, f"{path}item?{asked}")[0] or b"{}")
        ask(subject, port, f"{path}image?{asked}&width={random.choice((160, 640, 1000))}")
        box = [random.randrange(10, 200), 20, random.randrange(300, 600), 300]
        decided = {"session": session, "name": name, "action": "save", "boxes": [box], "tab": "t"}
        ask(subject, port, f"{path}decide", decided | {"version": item.get("version")}, own)
        if number % 10 == 0:
            ask(subject, port, f"{path}undo", {"tab": "t"}, own)
            ask(subject, port, f"{path}queue")


def look_on(subject: Subject) -> None:
    """Somebody who has the simulator's page open."""
    port, path = subject.page()
    for _ in paced(subject, 2.0):
        ask(subject, port, f"{path}scene")
        ask(subject, port, f"{path}image")


def look_at_camera(subject: Subject) -> None:
    """Somebody who has the capture's page open."""
    port, path = subject.page()
    for _ in paced(subject, 2.0):
        ask(subject, port, f"{path}status")
        ask(subject, port, f"{path}camera")


def watch_stream(subject: Subject, each_minute: Callable[[int, str], None] = lambda port, path: None) -> None:
    """Somebody who has the live view open, and loads it again every minute."""
    port, path = subject.page()
    while subject.process.poll() is None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.suppress(OSError, http.client.HTTPException):
            client.request("GET", f"{path}stream")
            answer, end_s = client.getresponse(), time.monotonic() + 60
            while time.monotonic() < end_s and answer.read(4096):
                subject.requests += 1
        client.close()
        each_minute(port, path)
        time.sleep(1.0)


def watch_and_record(subject: Subject) -> None:
    """Somebody who watches, keeps an image each minute, and records in every third minute."""
    minutes = itertools.count(1)

    def press(port: int, path: str) -> None:
        own = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
        ask(subject, port, f"{path}press", {"action": "keep"}, own)
        if next(minutes) % 3 != 1:  # begins in the second, ends after the third
            ask(subject, port, f"{path}press", {"action": "record"}, own)

    watch_stream(subject, press)


def paced(subject: Subject, rate: float) -> Iterator[int]:
    """0, 1, 2, ... so many times a second at most, until the process ends."""
    for number in itertools.count():
        began_s = time.monotonic()
        if subject.process.poll() is not None:
            return
        yield number
        time.sleep(max(0.0, began_s + 1 / rate - time.monotonic()))


def ask(
    subject: Subject, port: int, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[bytes, dict[str, str]]:
    """Content and headers of an answer on a connection of its own; empty where there is none."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    subject.requests += 1
    try:
        sent = None if body is None else json.dumps(body)
        client.request("GET" if body is None else "POST", path, sent, headers or {})
        answer = client.getresponse()
        content, said = answer.read(), {key.lower(): value for key, value in answer.getheaders()}
    except (OSError, http.client.HTTPException):
        content, said = b"", {}
    finally:
        client.close()
    subject.failed += not content or answer.status >= 400
    return content, said


def measure(site: Site, options: Options) -> list[dict[str, Any]]:
    """Measure all until the end; the rows of the commands."""
    for subject in site.subjects:
        if subject.client:
            threading.Thread(target=subject.client, args=(subject,), daemon=True).start()
    began_s = time.monotonic()
    while (minute := (time.monotonic() - began_s) / 60) < options.minutes:
        for subject in site.subjects:
            if held := subject.measure(minute):
                write_line(options.out, {"command": subject.name, "minute": round(minute, 2), **held})
        time.sleep(LOOK_S)
    return [row_of(subject, options) for subject in site.subjects]


def row_of(subject: Subject, options: Options) -> dict[str, Any]:
    """The slope of a command and what was asked of it."""
    slope, said = subject.slope_mb(options.settle), subject.said().strip()
    return {
        "command": subject.name,
        "slope_mb_per_minute": slope,
        "rss_mb": [round(subject.samples[0][1]), round(subject.samples[-1][1])] if subject.samples else [],
        "requests": subject.requests,
        "failed": subject.failed,
        "ended_min": subject.ended_min,
        "holds": slope is not None and slope <= MAX_SLOPE_MB and subject.ended_min is None,
        "last_words": said.rpartition("\n")[2][-300:],
    }


def write_line(path: Path, value: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(finite(value)) + "\n")


def main(options: Annotated[Options, tyro.conf.arg(name="")]) -> int:
    """Measure; 1 where a command grows too fast."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        site = Site(Path(folder))
        try:
            start_all(site, options)
            rows = measure(site, options)
        finally:
            site.end()
    for row in rows:
        write_line(options.out, row)
        slope = row["slope_mb_per_minute"]
        words = "too little was measured" if slope is None else f"{slope:+.2f} MB a minute"
        print(f"{row['command']:<12} {words:<24} {row['rss_mb']} MB, {row['requests']} requests")
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
