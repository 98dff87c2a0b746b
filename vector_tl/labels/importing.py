"""`vector-tl label import`: images and labels of others become sessions of the dataset.

Everything is read and checked in a folder beside the dataset; only what is good moves in.
"""

import glob
import logging
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from vector_tl import __version__
from vector_tl.data import dataset
from vector_tl.data.images import bits_apart, encode_jpeg, is_image_file, perceptual_hash
from vector_tl.data.media import Media, open_media
from vector_tl.errors import UserError, cannot_write
from vector_tl.labels.archive import remove, unpack
from vector_tl.labels.settings import ImportSettings
from vector_tl.labels.sources import Classes, SourceImage, read_source

log = logging.getLogger(__name__)
JOINT = "__"  # between session and name, in the file names that `label export` gives
RECENT = 50  # a video's frame is compared with so many that were kept before it


@dataclass
class Staged:
    """A dataset in the making, and what was left out of it."""

    folder: Path
    sessions: dict[str, str | None] = field(default_factory=dict)  # name -> the source's own split
    images: int = 0
    boxes: int = 0
    unlabelled: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)

    def skip(self, source: object, why: str) -> None:
        """Leave a file out."""
        log.warning("skipped: %s", why)
        self.skipped.append({"source": str(source), "why": why})


def import_data(settings: ImportSettings) -> dict[str, Any]:
    """Take a source into the dataset.

    Returns:
        {"form", "sessions", "images", "boxes", "unlabelled", "skipped": [{"source", "why"}],
        "ignored_classes": {name: boxes}}

    Raises:
        UserError: nothing can be taken, or a session of that name exists; the dataset is then as it was.
    """
    settings.check()
    source, data = settings.source, settings.data
    if not source.exists():
        raise UserError(f"There is no {source}; name a folder, a zip, a video or an image.")
    _check_writable(data)
    work = Path(tempfile.mkdtemp(prefix=".import-", dir=data))
    try:
        staged, classes = Staged(work / "new"), Classes(settings.classes)
        name = dataset.image_path(Path(), _session_name(settings), "x").parent.name  # checks the name
        form, found = _open(settings, work, classes)
        console = Console(stderr=True)
        root = source if source.is_dir() else work
        for item in track(found, "import", console=console, disable=not sys.stderr.isatty(), transient=True):
            _stage(staged, item, name, root)
        if not staged.images:
            why = f" ({staged.skipped[0]['why']})" if staged.skipped else ""
            raise UserError(f"Nothing of {source} could be imported{why}.")
        for session in staged.sessions:
            imported = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            about = {"source": source.name, "form": form, "imported": imported, "vector_tl": __version__}
            dataset.write_session(staged.folder, session, about)
        _move_in(staged, data)
    finally:
        remove(work)
    if classes.ignored:
        listed = ", ".join(f"{name} ({count})" for name, count in classes.ignored.items())
        log.warning("boxes of other classes were ignored: %s", listed)
    return {
        "form": form,
        "sessions": sorted(staged.sessions),
        "images": staged.images,
        "boxes": staged.boxes,
        "unlabelled": staged.unlabelled,
        "skipped": staged.skipped,
        "ignored_classes": classes.ignored,
    }


def _session_name(settings: ImportSettings) -> str:
    plain = "".join(c if c.isalnum() or c in "-_. " else "-" for c in settings.source.stem).strip(". ")
    return settings.session or plain or "imported"


def _open(settings: ImportSettings, work: Path, classes: Classes) -> tuple[str, Iterator[SourceImage]]:
    """The form of a source, and its images."""
    source = settings.source
    if source.is_dir():
        return read_source(source, classes)
    if is_image_file(source):
        (work / "one").mkdir()
        shutil.copyfile(source, work / "one" / source.name)
        return read_source(work / "one", classes)
    if source.suffix.lower() == ".zip" or zipfile.is_zipfile(source):
        return read_source(unpack(source, work / "unpacked"), classes)
    return "video", _new_frames(open_media(source), settings.novelty)


def _new_frames(media: Media, novelty: int) -> Iterator[SourceImage]:
    """Frames of a video or recording that show something new."""
    hashes: list[np.uint64] = []
    for frame in media.frames():
        if frame.image is None:
            yield SourceImage(media.path, why=frame.error)
            continue
        bits = perceptual_hash(frame.image)
        if hashes and int(bits_apart(np.array(hashes[-RECENT:]), bits).min()) < novelty:
            continue
        hashes.append(bits)
        height, width = frame.image.shape[:2]
        yield SourceImage(Path(f"frame-{frame.index:06d}.jpg"), encode_jpeg(frame.image), (width, height))


def _stage(staged: Staged, item: SourceImage, session: str, root: Path) -> None:
    """Write an image and its label into the new dataset, or note why it is left out."""
    if item.why is not None:
        staged.skip(
            item.path.relative_to(root) if item.path.is_relative_to(root) else item.path.name, item.why
        )
        return
    name, suffix = item.path.stem, item.path.suffix.lower() or ".jpg"
    if JOINT in name.strip("_"):  # as exported from here: the session comes back
        own, name = name.split(JOINT, 1)
        session = own or session
    elif item.split:
        session = f"{session}-{item.split}"
    try:
        free, number = name, 2
        while _is_taken(staged.folder, session, free):  # the same name in two folders of the source
            free, number = f"{name}-{number}", number + 1
        dataset.write_item(staged.folder, session, free, item.data, item.boxes_xyxy, item.size_wh, suffix)
    except UserError as error:
        staged.skip(item.path.name, str(error))
        return
    if item.split or session not in staged.sessions:
        staged.sessions[session] = item.split
    staged.images += 1
    staged.boxes += 0 if item.boxes_xyxy is None else len(item.boxes_xyxy)
    staged.unlabelled += item.boxes_xyxy is None


def _is_taken(folder: Path, session: str, name: str) -> bool:
    images = folder / "images" / session
    return dataset.label_path(folder, session, name).exists() or any(images.glob(f"{glob.escape(name)}.*"))


def _check_writable(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{data} cannot be made: {error.strerror}; choose another --data.") from error
    if not os.access(data, os.W_OK):
        raise UserError(f"{data} cannot be written to; choose another --data.")


def _move_in(staged: Staged, data: Path) -> None:
    """Move provenance and labels in first, images last: a crash never leaves images without their labels."""
    for session in staged.sessions:
        for kind, suffix in (("images", ""), ("labels", ""), ("sessions", ".json")):
            if (data / kind / f"{session}{suffix}").exists():
                raise UserError(
                    f"{data} has a session {session!r} already, which is kept; choose another --session."
                )
    moved: list[tuple[Path, Path]] = []
    made: list[Path] = []
    try:
        for session in staged.sessions:
            for part in (f"sessions/{session}.json", f"labels/{session}", f"images/{session}"):
                source, target = staged.folder / part, data / part
                if source.exists():
                    if not target.parent.is_dir():
                        target.parent.mkdir()
                        made.append(target.parent)
                    source.rename(target)
                    moved.append((source, target))
        splits = dataset.read_splits(data)
        own = {session: split for session, split in staged.sessions.items() if split}
        if splits or own:
            dataset.write_splits(data, splits | own)
            dataset.extend_splits(data, [session for session in staged.sessions if session not in own])
    except (OSError, UserError) as error:
        for source, target in reversed(moved):
            target.rename(source)
        for folder in made:
            folder.rmdir()
        if isinstance(error, UserError):
            raise
        raise cannot_write(data, error) from error
