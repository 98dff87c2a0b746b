"""Draws many simulated images to train on, by as many processes as there are cores, and joins them.

    .venv/bin/python scripts/trials/draw_images.py FOLDER COUNT [--photographs DIR] [--beside data]

FOLDER/drawn/<part>-<seed>/   a portion: up to 300 images, drawn by one `python -m vector_tl.bulk`
FOLDER/data-<COUNT>/          all portions and the dataset beside them, as hard links: what a training opens

Four images of a room; a fifth in rooms without kinds, the others of mixed harder kinds: half of all before
the photographs (without any, in drawn rooms), as these are what carries to real images (docs/images.md).
Stopped at any moment, the same command continues: nothing is drawn twice, as sessions that are whole are kept
and a finished portion is not opened again. A larger COUNT draws only what is missing.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from vector_tl.bulk.away import BULK, ONE_THREAD, Drawing, draw_away
from vector_tl.data.dataset import read_splits, write_splits
from vector_tl.data.kinds import add_kinds, read_kinds
from vector_tl.errors import UsageError, UserError
from vector_tl.files import claimed, read_json, write_atomic, write_json
from vector_tl.jobs.run import as_done
from vector_tl.jobs.where import Where

PORTION = 300
# Every fifth image has no Vector. With a val share of .1 every tenth room would be in val, always one without
# such an image.
HOW = ("--negative-share", "0.2", "--val", "0.11", "--test", "0", "--masks")
JOINED = ("images", "labels", "masks", "sessions")
POLL_S = 0.5


@dataclass(frozen=True)
class DrawImages:
    """Draw images for a training, and join them with a dataset."""

    folder: tyro.conf.Positional[Path]
    """Folder for what is drawn, outside the repository."""
    count: tyro.conf.Positional[int]
    """How many images there shall be."""
    photographs: Path | None = None
    """Folder of photographs without a Vector, before which half of the Vectors are drawn."""
    beside: tuple[Path, ...] = ()
    """Datasets that are joined with what is drawn."""
    images_per_room: int = 4
    """Number of images in each room; portions that are drawn already stay as they are."""
    jobs: int = len(os.sched_getaffinity(0))
    """How many processes draw at once; as many as there are cores by default."""
    cluster: str | None = None
    """Draw on a Ray cluster instead: HOST:PORT of its head, or auto; see docs/speed.md."""


@dataclass(frozen=True)
class Portion:
    """Images that one process draws into a dataset of their own, `name`."""

    name: str
    seed: int
    count: int
    options: tuple[str, ...]
    images_per_room: int = 4

    def command(self, folder: Path) -> list[str]:
        """What draws them; it continues what it finds."""
        return [*BULK, *self.words(), "--data", str(folder / self.name)]

    def words(self) -> tuple[str, ...]:
        """The options of `python -m vector_tl.bulk`, but for its folder."""
        own = ["--count", self.count, "--seed", self.seed, "--images-per-room", self.images_per_room]
        return tuple(map(str, [*own, *HOW, *self.options]))


def portions(count: int, photographs: Path | None, images_per_room: int = 4) -> list[Portion]:
    """The portions of `count` images. Those of a larger count hold those of a smaller one."""
    mixed = ("--kinds", "mixed")
    parts = [("ordinary", 0.2, 1000, ()), ("mixed", 0.3 if photographs else 0.8, 2000, mixed)]
    if photographs:
        parts.append(("photographs", 0.5, 3000, (*mixed, "--backgrounds", str(photographs.resolve()))))
    found = []
    for name, share, seed, options in parts:
        wanted = math.ceil(share * count)
        for number in range(math.ceil(wanted / PORTION)):
            images = min(PORTION, wanted - number * PORTION)
            part = Portion(f"{name}-{seed + number}", seed + number, images, options, images_per_room)
            found.append(part)
    return sorted(found, key=lambda portion: portion.seed % 1000)  # a part of all has a part of each


def draw(wanted: Sequence[Portion], folder: Path, jobs: int) -> None:
    """Draw what is missing of the portions, `jobs` at once.

    Raises:
        UserError: one of them fails; the others are stopped, and continue another time.
    """
    waiting = deque(portion for portion in wanted if not is_drawn(portion, folder))
    running: dict[str, tuple[Portion, subprocess.Popen[bytes]]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                portion = waiting.popleft()
                running[portion.name] = portion, _start(portion, folder)
            time.sleep(POLL_S)
            for portion, process in list(running.values()):
                if process.poll() is not None:
                    del running[portion.name]
                    _finish(portion, process.returncode, folder)
                    left = len(waiting) + len(running)
                    print(f"{portion.name}: {portion.count} images; portions left: {left}", file=sys.stderr)
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()


def draw_on_cluster(wanted: Sequence[Portion], folder: Path, cluster: str) -> None:
    """Draw what is missing of the portions, on a cluster; each is written here once it is whole.

    Raises:
        UserError: one of them fails, or no cluster answers.
    """
    missing = [portion for portion in wanted if not is_drawn(portion, folder)]
    drawings = [Drawing(portion.words()) for portion in missing]
    for done, (number, files) in enumerate(as_done(draw_away, drawings, Where(cluster=cluster)), 1):
        portion = missing[number]
        for name, data in files.items():
            (folder / portion.name / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / portion.name / name, data)
        _finish(portion, 0, folder)
        left = len(missing) - done
        print(f"{portion.name}: {portion.count} images; portions left: {left}", file=sys.stderr)


def is_drawn(portion: Portion, folder: Path) -> bool:
    """Whether a portion was finished, with as many images or more."""
    return read_json(folder / portion.name / "drawn.json", missing={}).get("count", 0) >= portion.count


def _start(portion: Portion, folder: Path) -> subprocess.Popen[bytes]:
    place = folder / portion.name
    place.mkdir(parents=True, exist_ok=True)
    with claimed(place / "sessions" / ".capture.lock", wait=True):
        pass  # a process that a killed start left behind ends its portion first
    with open(place / "drawing.log", "ab") as log:
        return subprocess.Popen(
            portion.command(folder), env=os.environ | ONE_THREAD, stdout=subprocess.DEVNULL, stderr=log
        )


def _finish(portion: Portion, code: int, folder: Path) -> None:
    log = folder / portion.name / "drawing.log"
    if code:
        said = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise UserError(f"{portion.name} ended with {code} ({''.join(said)}); see {log}, and run this again.")
    write_json(folder / portion.name / "drawn.json", {"count": portion.count, "seed": portion.seed})


def join(sources: Iterable[Path], into: Path) -> None:
    """Make one dataset of several by hard links, and by copies where the disk is another one.

    What is there already stays. splits.json comes last, so that a broken-off join is seen to be none.

    Raises:
        UserError: two of them have a session of one name.
    """
    splits: dict[str, str] = {}
    kinds: dict[tuple[str, str], tuple[str, ...]] = {}
    for source in sources:
        own = read_splits(source)
        if twice := splits.keys() & own.keys():
            raise UserError(f"{source} and another dataset both have a session {min(twice)}; rename one.")
        splits |= own
        kinds |= read_kinds(source)
        for part in JOINED:
            for file in sorted((source / part).rglob("*")):
                if file.is_file() and not file.name.startswith("."):
                    _link(file, into / part / file.relative_to(source / part))
    if kinds:
        add_kinds(into, kinds)
    write_splits(into, splits)


def _link(file: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def main(asked: DrawImages) -> dict:
    """Draw what is missing, and join.

    Raises:
        UserError: nothing can be drawn, or another process is drawing into the folder.
    """
    if min(asked.count, asked.jobs, asked.images_per_room) < 1:
        raise UsageError("COUNT, --jobs and --images-per-room must be at least 1.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    drawn, wanted = asked.folder / "drawn", portions(asked.count, asked.photographs, asked.images_per_room)
    with claimed(asked.folder / ".drawing.lock") as mine:
        if not mine:
            raise UserError(f"Another process is drawing into {asked.folder}; let it end.")
        if asked.cluster is None:
            draw(wanted, drawn, asked.jobs)
        else:
            draw_on_cluster(wanted, drawn, asked.cluster)
        into = asked.folder / f"data-{asked.count}"
        if not (into / "splits.json").exists():  # else a training may have begun on it: it stays as it is
            join([*asked.beside, *(drawn / some.name for some in wanted)], into)
        images = sum(path.is_file() for path in (into / "images").glob("*/*"))
        return {"data": str(into), "sessions": len(read_splits(into)), "images": images}


if __name__ == "__main__":
    try:
        print(json.dumps(main(tyro.cli(DrawImages))))
    except UserError as error:
        sys.exit(str(error))
