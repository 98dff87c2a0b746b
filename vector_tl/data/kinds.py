"""Kinds of images, `kinds.json` of a dataset: `session/name` -> tags of what makes an image easy or hard.

An image may have several kinds, or none; the file is optional.
"""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vector_tl.errors import UserError
from vector_tl.files import held, read_json, write_atomic

log = logging.getLogger(__name__)
_adding = threading.Lock()  # sessions are taken side by side, also where folders have no locks
Kind = Annotated[str, Meta(pattern=r"\S")]
# What the tags mean that this project itself gives; any other text is a kind as well.
KNOWN_KINDS = {
    "ordinary": "one near Vector, screen on, little around it",
    "screen-off": "a Vector's screen is dark",
    "touching": "two or more Vectors touch or overlap in the image",
    "occluded": "something stands before a Vector",
    "clutter": "many things lie around",
    "low-light": "a dark room",
    "blur": "smeared by motion, or out of focus",
    "edge": "the image's edge cuts a Vector",
    "far": "a Vector is small in the image",
    "from-above": "seen steeply from above",
    "from-behind": "a Vector's back is seen",
    "third-person": "taken by a person, from the side",
    "charger": "a charger in view",
    "cube": "a light cube in view",
    "hand": "a hand in view",
    "own-body": "the viewer's own lift or treads cover much of the view",
    "person": "a person in view",
    "toy": "a toy in view",
    "other-robot": "a robot in view that is no Vector",
    "room": "a room as a whole",
    "none": "no Vector in the image",
}


def read_kinds(folder: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """The kinds of a dataset's images, (session, name) -> kinds; empty without a `kinds.json`.

    A kind that looks like a known one written otherwise counts as it stands, and is logged.

    Raises:
        UserError: the file is not of that form; the message names the entry.
    """
    path = Path(folder) / "kinds.json"
    remedy = 'give each image a list of kinds, such as {"kitchen/001": ["far"]}'
    tags = read_json(path, missing={}, remedy=remedy, form=dict[str, list[Kind]])
    kinds = {}
    for image, some in tags.items():
        session, slash, name = image.partition("/")
        if not (session and slash and name) or "/" in name:
            raise UserError(f'{path} has a key {image!r} that names no image; write "session/name".')
        kinds[session, name] = tuple(dict.fromkeys(kind.strip() for kind in some))
    for kind in sorted({kind for some in kinds.values() for kind in some} - KNOWN_KINDS.keys()):
        if alike := get_close_matches(kind.lower(), KNOWN_KINDS, n=1, cutoff=0.8):
            log.warning("%s has images of the kind %r; is %r meant?", path, kind, alike[0])
    return kinds


def add_kinds(folder: Path, tags: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """Write the kinds of some images, (session, name) -> kinds, into a dataset's `kinds.json`.

    What the file says of other images stays; of one that it names already, its kinds come first.

    Raises:
        UserError: the file that is there is not of the form that `read_kinds` takes.
    """
    with _adding, held(folder):
        kinds = read_kinds(folder)
        for image, some in tags.items():
            kinds[image] = tuple(dict.fromkeys((*kinds.get(image, ()), *some)))
        text = json.dumps(
            {f"{session}/{name}": list(some) for (session, name), some in sorted(kinds.items())}, indent=1
        )
        write_atomic(Path(folder) / "kinds.json", text.encode())
