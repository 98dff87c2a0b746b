"""What `label check` finds in how sessions came about: their splits, kinds, classes, sizes and names."""

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vector_tl.data import dataset
from vector_tl.data.kinds import read_kinds
from vector_tl.errors import UserError

OLD_JOINT = "__"  # between session and name in exports; versions up to 0.1 looked for it in every name


def session_problems(
    folder: Path, sizes: dict[tuple[str, str], tuple[int, int]], splits: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Kind, place and sentence of each problem.

    Args:
        folder: of the dataset.
        sizes: of its readable images, by session and name.
        splits: session -> split.
    """
    yield from _in_two_splits(folder, splits)
    try:
        read_kinds(folder)
    except UserError as error:
        yield "broken kinds", "kinds.json", str(error)
    about = {}
    names: dict[str, list[str]] = defaultdict(list)
    for session, name in sizes:
        names[session].append(name)
    for session in sorted(names):
        try:
            read = dataset.read_session(folder, session)
        except UserError as error:
            yield "broken session file", f"sessions/{session}.json", str(error)
            continue
        if read is not None:
            about[session] = read
    yield from _other_classes(about)
    for session, facts in about.items():
        yield from _other_sizes(session, facts, sizes)
        yield from _merged(session, facts, names[session])


def _in_two_splits(folder: Path, splits: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    kind, path = "session in two splits", folder / "splits.json"
    pairs: list[tuple[str, Any]] = []
    if path.is_file():
        # an object may name a key twice, and the last one counts silently
        json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=pairs.extend)
    said: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    for session, split in [*pairs, *splits.items()]:
        same = unicodedata.normalize("NFC", session).casefold()
        said[same].add(str(split))
        names[same].add(session)
    for same, found in said.items():
        if len(found) > 1:
            listed = " and ".join(sorted(found))
            writings = ", ".join(sorted(names[same]))
            yield kind, min(names[same]), f"splits.json puts the session {writings} into {listed}; keep one."


def _other_classes(about: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Classes that mean a Vector in one imported session and another thing in the next."""
    vector: dict[str, str] = {}
    other: dict[str, str] = {}
    for session, facts in about.items():
        classes = facts.get("classes", {})
        for name in classes.get("vector", ()):
            vector.setdefault(name, session)
        for name in classes.get("other", ()):
            other.setdefault(name, session)
    for name in sorted(vector.keys() & other.keys()):
        what = (
            f"The class {name!r} was taken for a Vector in the session {vector[name]}, and ignored in "
            f"{other[name]}; import one of them again with --classes."
        )
        yield "class used differently", vector[name], what


def _other_sizes(
    session: str, facts: dict[str, Any], sizes: dict[tuple[str, str], tuple[int, int]]
) -> Iterator[tuple[str, str, str]]:
    """Images that were replaced by others of another size since they were imported with their labels."""
    for name, size in facts.get("sizes", {}).items():
        now = sizes.get((session, name))
        if now is not None and tuple(size) != now:
            what = (
                f"It was imported with {size[0]} x {size[1]} pixels and now has {now[0]} x {now[1]}; its "
                "label was made for the other image."
            )
            yield "label of another size", f"{session}/{name}", what


def _merged(session: str, facts: dict[str, Any], names: list[str]) -> Iterator[tuple[str, str, str]]:
    """A session in which an older import put several, whose names held the joint of file names."""
    if "form" not in facts or "labels_digest" in facts:
        return
    first = sorted({name.rpartition(OLD_JOINT)[0] for name in names if OLD_JOINT in name})
    if len(first) > 1:
        what = (
            f"An older version put several sessions into one: {session}__{first[0]} and {session}__{first[1]}"
            " may be in different splits; delete the session and import it again."
        )
        yield "sessions in one", session, what
