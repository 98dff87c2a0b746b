"""Draws the simulated yardstick: test images of every kind, in rooms that nothing is trained on.

    .venv/bin/python scripts/trials/kind_sessions.py FOLDER [--per-kind 60] [--negatives 600]

For each of the known kinds it draws sessions of that kind (`python -m vector_tl.bulk --held-out --kinds
KIND`) until so many images have it: a kind counts where an image shows it, not where only its room has it.
Then images without a Vector, evenly over the sorts of rooms. All sessions are in split test, so nothing in
FOLDER is trained on. The same seed draws the same images; started again, it goes on where it was.

Evaluate with `vector-tl evaluate MODEL --data FOLDER --split test`; how well its figures predict those on
photographs, `kind_correlation.py` says.
"""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from vector_tl.bulk.run import draw as draw_in_bulk
from vector_tl.bulk.settings import BulkSettings
from vector_tl.capture.harder import ABOUT_VECTORS
from vector_tl.data.kinds import KNOWN_KINDS, read_kinds
from vector_tl.errors import UsageError

log = logging.getLogger(__name__)
IMAGES_PER_ROOM = 3
SEEDS = 100  # for each seed of the yardstick: one for each kind, and one for the negatives of each
MAX_SHARE = 6  # times the images wanted are captured at most, where few show their kind
# Kinds of images without a Vector, and the sorts of rooms that negatives are drawn evenly over.
WITHOUT_VECTORS = {"none", "room"}
SORTS = [kind for kind in KNOWN_KINDS if kind not in ABOUT_VECTORS | {"none"}]


@dataclass(frozen=True)
class KindSessions:
    """Draw test images of every kind."""

    folder: tyro.conf.Positional[Path]
    """Folder of the dataset, outside the repository; it is made when missing."""
    per_kind: int = 60
    """Images of each kind."""
    negatives: int = 600
    """Images without a Vector."""
    seed: int = 0
    """The same seed draws the same images."""
    only: tuple[str, ...] = ()
    """Only these kinds; none: negatives alone."""


def draw(asked: KindSessions) -> None:
    """Draw what is missing.

    Raises:
        UsageError: an unknown kind.
        UserError: nothing can be drawn here, or another capture is at work in the folder.
    """
    if unknown := [kind for kind in asked.only if kind not in KNOWN_KINDS]:
        raise UsageError(f"--only: there is no kind {unknown[0]!r}; there are: {', '.join(KNOWN_KINDS)}.")
    wanted = asked.only or tuple(KNOWN_KINDS)
    for number, kind in enumerate(KNOWN_KINDS):
        if kind in wanted and kind not in WITHOUT_VECTORS:
            draw_kind(asked, kind, asked.seed * SEEDS + number)
    if not WITHOUT_VECTORS & set(wanted):
        return
    for number, kind in enumerate(SORTS):
        count = math.ceil(asked.negatives / len(SORTS))
        if kind in WITHOUT_VECTORS:
            count = max(count, asked.per_kind)
        take(asked, kind, asked.seed * SEEDS + SEEDS // 2 + number, count, negatives=True)


def draw_kind(asked: KindSessions, kind: str, seed: int) -> None:
    """Draw sessions of a kind until enough of their images have it, or hardly any does."""
    count = asked.per_kind
    while True:
        shown = images_of(asked.folder, kind) - images_of(asked.folder, "none")
        missing = asked.per_kind - len(shown)
        if missing <= 0:
            return
        if count > MAX_SHARE * asked.per_kind:
            log.warning("%s: %d images are missing, as few of its rooms' images show it.", kind, missing)
            return
        take(asked, kind, seed, count)
        count += max(missing, IMAGES_PER_ROOM)


def take(asked: KindSessions, kind: str, seed: int, count: int, negatives: bool = False) -> None:
    """Draw until the rooms of a kind and a seed have so many images."""
    draw_in_bulk(
        BulkSettings(
            data=asked.folder,
            count=count,
            seed=seed,
            kinds=(kind,),
            held_out=True,
            negatives=negatives,
            negative_share=0.0,
            images_per_room=IMAGES_PER_ROOM,
        )
    )


def images_of(folder: Path, kind: str) -> set[tuple[str, str]]:
    """The images of a dataset, (session, name), that have a kind."""
    return {image for image, kinds in read_kinds(folder).items() if kind in kinds}


if __name__ == "__main__":
    began_s, settings = time.monotonic(), tyro.cli(KindSessions)
    draw(settings)
    kinds = read_kinds(settings.folder)
    for known in KNOWN_KINDS:
        print(f"{len(images_of(settings.folder, known)):6d} {known}")
    print(f"{len(kinds)} images, {time.monotonic() - began_s:.0f} s in this run")
