"""`vector-tl label import`: everything is read and judged in a folder beside the dataset; only what is good moves in, a session at a time."""

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from vector_tl import __version__
from vector_tl.data import dataset
from vector_tl.data.images import bits_apart, encode_jpeg, is_image_file, perceptual_hash
from vector_tl.data.media import read_frames
from vector_tl.errors import UserError
from vector_tl.labels.archive import remove, unpack
from vector_tl.labels.settings import ImportSettings
from vector_tl.labels.sources import Classes, Found, read_source

log = logging.getLogger(__name__)
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mcap")
JOINT = "__"  # between session and name, in the file names that `label export` gives


@dataclass
class Staged:
    """A dataset that is being made, and what happened on the way."""

    folder: Path
    sessions: dict[str, str | None] = field(default_factory=dict)  # name -> the source's own split
    images: int = 0
    boxes: int = 0
    unlabelled: int = 0
    set_aside: list[dict] = field(default_factory=list)


def import_data(settings: ImportSettings) -> dict:
    """Take a source into the dataset.

    Returns:
        {"form", "sessions", "images", "boxes", "unlabelled", "set_aside": [{"source", "why"}], "classes_ignored": {name: boxes}}

    Raises:
        UserError: nothing can be taken, or a session of that name is there already; the dataset is then as it was.
    """
    settings.check()
    source, data = settings.source, settings.data
    if not source.exists():
        raise UserError(f"There is no {source}.")
    _writable(data)
    work = Path(tempfile.mkdtemp(prefix=".import-", dir=data))
    try:
        staged, classes = Staged(work / "new"), Classes(settings.classes)
        name = dataset.image_path(Path(), _session_name(settings), "x").parent.name  # checks the name
        form, found = _open(settings, work, classes)
        for item in track(
            found, "import", console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
        ):
            _stage(staged, item, name, _root(settings, work))
        if not staged.images:
            why = f" ({staged.set_aside[0]['why']})" if staged.set_aside else ""
            raise UserError(f"Nothing of {source} could be taken{why}.")
        for session in staged.sessions:
            provenance = {
                "source": source.name,
                "form": form,
                "imported": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "vector_tl": __version__,
            }
            dataset.write_session(staged.folder, session, provenance)
        _move_in(staged, data)
    finally:
        remove(work)
    for aside in staged.set_aside:
        log.warning("set aside: %s", aside["why"])
    if classes.ignored:
        log.warning(
            "boxes of other classes left out: %s",
            ", ".join(f"{name} ({count})" for name, count in classes.ignored.items()),
        )
    return {
        "form": form, "sessions": sorted(staged.sessions), "images": staged.images, "boxes": staged.boxes, "unlabelled": staged.unlabelled,
        "set_aside": staged.set_aside, "classes_ignored": classes.ignored,
    }  # fmt: skip


def _session_name(settings: ImportSettings) -> str:
    return (
        settings.session
        or "".join(c if c.isalnum() or c in "-_. " else "-" for c in settings.source.stem).strip(". ")
        or "imported"
    )


def _open(settings: ImportSettings, work: Path, classes: Classes) -> tuple[str, Iterator[Found]]:
    source = settings.source
    if source.is_dir():
        return read_source(source, classes)
    if source.suffix.lower() == ".zip":
        return read_source(unpack(source, work / "unpacked"), classes)
    if source.suffix.lower() in VIDEOS:
        return "video", _frames(source, settings.novelty)
    if is_image_file(source):
        (work / "one").mkdir()
        shutil.copyfile(source, work / "one" / source.name)
        return read_source(work / "one", classes)
    raise UserError(f"{source} is no folder, zip, video or image.")


def _root(settings: ImportSettings, work: Path) -> Path:
    return settings.source if settings.source.is_dir() else work


def _frames(path: Path, novelty: int) -> Iterator[Found]:
    """Frames of a video (or a recording) that show something new."""
    kept: list[np.uint64] = []
    for source in read_frames((path,)):
        if source.image is None:
            yield Found(path, why=source.error)
            continue
        bits = perceptual_hash(source.image)
        if kept and int(bits_apart(np.array(kept[-50:]), bits).min()) < novelty:
            continue
        kept.append(bits)
        height, width = source.image.shape[:2]
        jpeg = encode_jpeg(source.image)
        yield Found(Path(f"frame-{source.index:06d}.jpg"), jpeg, (width, height))


def _stage(staged: Staged, item: Found, session: str, root: Path) -> None:
    if item.why is not None:
        staged.set_aside.append(
            {
                "source": str(
                    item.path.relative_to(root) if item.path.is_relative_to(root) else item.path.name
                ),
                "why": item.why,
            }
        )
        return
    name = item.path.stem
    if JOINT in name.strip("_"):  # as exported from here: the session comes back
        own, name = name.split(JOINT, 1)
        session = own if own else session
    elif item.split:
        session = f"{session}-{item.split}"
    try:
        free, number = name, 2
        while dataset.label_path(staged.folder, session, free).exists() or list(
            (staged.folder / "images" / session).glob(_escaped(free) + ".*")
        ):
            free, number = f"{name}-{number}", number + 1  # the same name in two folders of the source
        dataset.write_item(
            staged.folder,
            session,
            free,
            item.data,
            item.boxes_xyxy,
            item.size_wh,
            item.path.suffix.lower() or ".jpg",
        )
    except UserError as error:
        staged.set_aside.append({"source": item.path.name, "why": str(error)})
        return
    if item.split or session not in staged.sessions:
        staged.sessions[session] = item.split
    staged.images += 1
    staged.boxes += 0 if item.boxes_xyxy is None else len(item.boxes_xyxy)
    staged.unlabelled += item.boxes_xyxy is None


def _escaped(name: str) -> str:
    import glob

    return glob.escape(name)


def _writable(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{data} cannot be made: {error.strerror}; choose another --data.") from error
    if not os.access(data, os.W_OK):
        raise UserError(f"{data} cannot be written to; choose another --data.")


def _move_in(staged: Staged, data: Path) -> None:
    """Labels and provenance first, images last: a crash in between leaves labels without images, never images without their labels."""
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
            for kind, suffix in (("sessions", ".json"), ("labels", ""), ("images", "")):
                source, target = (
                    staged.folder / kind / f"{session}{suffix}",
                    data / kind / f"{session}{suffix}",
                )
                if source.exists():
                    if not target.parent.is_dir():
                        target.parent.mkdir()
                        made.append(target.parent)
                    source.rename(target)
                    moved.append((source, target))
        splits = dataset.read_splits(data)
        if splits or any(staged.sessions.values()):
            dataset.write_splits(
                data, splits | {session: split for session, split in staged.sessions.items() if split}
            )
            dataset.extend_splits(data, [session for session, split in staged.sessions.items() if not split])
    except (OSError, UserError) as error:
        for source, target in reversed(moved):
            target.rename(source)
        for folder in made:
            folder.rmdir()
        raise (
            error if isinstance(error, UserError) else UserError(f"Cannot write to {data}: {error.strerror}.")
        ) from error
