"""`vector-tl label split --by image`: one session of own photographs becomes one for each split.

A dataset's sessions are never in two splits, so the images of `photos` move to `photos-train`, `photos-val`
and `photos-test`, as an import of a divided session does it; labels, suggestions, masks and kinds go along.
"""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from vector_tl.data import dataset
from vector_tl.data.kinds import add_kinds, read_kinds
from vector_tl.errors import UserError, cannot_write
from vector_tl.labels.suggestions import suggestions_path

GOES_ALONG = ("source", "robot", "intrinsics", "classes", "sizes")  # of a session's file

Places = dict[tuple[str, str], str]
"""Session and name of an image -> its split."""


def check_divisible(folder: Path, sessions: list[str]) -> None:
    """Refuse to divide what the simulator took, since `capture --remake` takes a session as a whole.

    Raises:
        UserError: one of the sessions is such.
    """
    for session in sessions:
        about = dataset.read_session(folder, session)
        if about is not None and about.get("source") == "simulator":
            raise UserError(
                f"The session {session} is of the simulator and stays whole; capture more sessions with "
                f"vector-tl capture --robot sim --data {folder}, or name others with --session."
            )


def move_images(folder: Path, places: Places) -> dict[str, str]:
    """Move images to the session of their split.

    Returns:
        The splits of the sessions that they moved to.

    Raises:
        UserError: an image of that name is there already, a session of that name is in another split, or the
            disk does not take it.
    """
    images, splits = dataset.list_images(folder), dataset.read_splits(folder)
    kinds = read_kinds(folder)
    for (session, name), split in places.items():
        part = _part(session, split)
        taken = (part, name) in images or dataset.label_path(folder, part, name).exists()
        if splits.get(part, split) != split or taken:
            raise UserError(
                f"{folder} has a session {part} that {name} cannot move to; rename it and run this again."
            )
    parts = {_part(session, split): split for (session, _), split in places.items()}
    divided = {session for session, _ in places}
    with dataset.changing_splits(folder) as splits:  # first: what a crash leaves behind can be divided again
        for session in divided:
            splits.pop(session, None)
        splits |= parts
    try:
        for session, split in sorted({(session, split) for (session, _), split in places.items()}):
            _write_about(folder, session, _part(session, split))
        moved_kinds = {
            (_part(session, split), name): kinds[session, name]
            for (session, name), split in places.items()
            if (session, name) in kinds
        }
        if moved_kinds:
            add_kinds(folder, moved_kinds)
        for (session, name), split in places.items():
            _move(folder, images[session, name], session, _part(session, split))
        for session in sorted(divided):
            _remove_emptied(folder, session)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return parts


def _part(session: str, split: str) -> str:
    return f"{session}-{split}"


def _write_about(folder: Path, session: str, part: str) -> None:
    known = dataset.read_session(folder, session) or {}
    facts = {key: known[key] for key in GOES_ALONG if key in known}
    if not dataset.session_path(folder, part).exists():
        dataset.write_session(folder, part, facts | {"divided_from": session})


def _move(folder: Path, image: Path, session: str, part: str) -> None:
    """One image with all that is known of it."""
    name = image.stem
    files = (
        (image, folder / "images" / part / image.name),
        (dataset.label_path(folder, session, name), dataset.label_path(folder, part, name)),
        (suggestions_path(folder, session, name), suggestions_path(folder, part, name)),
        (folder / "masks" / session / f"{name}.png", folder / "masks" / part / f"{name}.png"),
    )
    for source, target in files:
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)  # before the first moves: the disk may be full
    try:
        _move_all(files)
    except KeyboardInterrupt:  # an image never goes without its label
        _move_all(files)
        raise


def _move_all(files: Iterable[tuple[Path, Path]]) -> None:
    for source, target in files:
        if source.exists():
            os.replace(source, target)


def _remove_emptied(folder: Path, session: str) -> None:
    """Remove what is left of a session without images; anything else that lies there is kept."""
    for kind in ("images", "labels", "suggestions", "masks"):
        place = folder / kind / session
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    if not (folder / "images" / session).exists():
        dataset.session_path(folder, session).unlink(missing_ok=True)


def count_images(folder: Path, sessions: set[str]) -> tuple[Counter[str], Counter[str]]:
    """Each image as if it were a session: 1, and 1 for one without a Vector; keyed by `session/name`."""
    images: Counter[str] = Counter()
    negatives: Counter[str] = Counter()
    for session, name in dataset.list_images(folder):
        if session in sessions:
            boxes = dataset.read_labels(dataset.label_path(folder, session, name))
            images[f"{session}/{name}"] = 1
            negatives[f"{session}/{name}"] = int(boxes is not None and len(boxes) == 0)
    return images, negatives
