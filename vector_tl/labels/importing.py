"""`vector-tl label import`: images and labels of others become sessions of the dataset.

First a plan is made of all that lies in the source. Images are then checked and written beside the dataset; a
file there says what moves in before the first of it does, so that an import that was killed is either
finished by the next one, or was never begun.
"""

import logging
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl import __version__
from vector_tl.data import dataset
from vector_tl.data.images import (
    QUARTER_TURNS,
    SUFFIX_OF,
    SUFFIXES,
    bits_apart,
    encode_jpeg,
    image_about,
    image_bytes,
    image_size,
    is_image_file,
    perceptual_hash,
)
from vector_tl.data.media import open_media
from vector_tl.data.yolo import format_label
from vector_tl.errors import UsageError, UserError, cannot_write
from vector_tl.files import claimed
from vector_tl.labels import moving
from vector_tl.labels.archive import remove, unpack
from vector_tl.labels.image_boxes import boxes_of_image
from vector_tl.labels.plan import Plan, PlannedImage, make_plan
from vector_tl.labels.settings import ImportSettings
from vector_tl.plain import counted, one_line
from vector_tl.progress import track

log = logging.getLogger(__name__)
RECENT = 50  # a video's frame is compared with so many that were kept before it
THREADS = max(2, min(8, os.cpu_count() or 2))
MAX_SHOWN = 10  # lines about one kind of thing on the screen; the result has all


@dataclass
class Staged:
    """A dataset in the making; `folder` is None while nothing is to be written."""

    folder: Path | None
    images: int = 0
    boxes: int = 0
    unlabelled: int = 0
    sizes: dict[str, dict[str, list[int]]] = field(default_factory=dict)  # session -> name -> size
    skipped: dict[str, str] = field(default_factory=dict)


def import_data(settings: ImportSettings) -> dict[str, Any]:
    """Take a source into the dataset, show what would be taken, or undo the last import.

    Returns:
        {"form", "sessions", "images", "boxes", "unlabelled", "skipped": [{"source", "why"}],
        "ignored_classes": {name: boxes}, "labels": {"read", "used"}, "plan": {...}, "dry_run"}; of `--undo`
        {"undone": [sessions], "images"}.

    Raises:
        UserError: nothing can be taken, or a session of that name exists; the dataset is then as it was.
    """
    settings.check()
    data = settings.data
    if settings.undo:
        with _alone(data):
            moving.recover(data)
            return moving.undo(data)
    source = settings.source
    if source is None:
        raise UsageError("Name a folder, a zip, a video or an image.")
    if not source.exists():
        raise UserError(f"There is no {source}; name a folder, a zip, a video or an image.")
    if settings.dry_run:
        with tempfile.TemporaryDirectory(prefix="vector-tl-") as scratch:
            return _import(settings, source, Path(scratch))
    _check_writable(data)
    with _alone(data):
        asked = {
            "source": str(source.resolve()),
            "session": settings.session,
            "classes": list(settings.classes),
        }
        if finished := moving.recover(data, asked):
            return finished
        work = Path(tempfile.mkdtemp(prefix=moving.PREFIX, dir=data))
        try:
            result = _import(settings, source, work, asked)
        except BaseException:
            if not (work / moving.ORDER).exists():  # else the next import finishes the move
                remove(work)
            raise
        remove(work)
        return result


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One import at a time in a dataset."""
    if not data.is_dir():
        raise UserError(f"There is no dataset {data}; choose another --data.")
    with claimed(data / ".import.lock") as held:
        if not held:
            raise UserError(f"Another import is at work on {data}; wait until it ends.")
        yield


def _import(
    settings: ImportSettings, source: Path, work: Path, asked: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Plan, check and write; nothing is written outside `work` if `asked` is None."""
    name = _session_name(settings, source)
    folder = _opened(source, work)
    plan = make_plan(folder, name, settings.session, settings.classes, not settings.images_only)
    staged = Staged(None if asked is None else work / "new", skipped=dict(plan.skipped))
    _stage_images(staged, plan, folder)
    for film in plan.films:
        _stage_film(staged, film, folder, settings.novelty, alone=not plan.images and len(plan.films) == 1)
    if not staged.images:
        why = ""
        if whys := list(staged.skipped.values()):
            all_of = (
                "its only file was left out"
                if len(whys) == 1
                else f"all {counted(len(whys), 'file')} were left out"
            )
            why = f": {all_of}. {'The reason' if len(whys) == 1 else 'The first'}: {whys[0].rstrip('.')}"
        raise UserError(f"Nothing of {source} could be imported{why}.")
    splits = {session: plan.sessions[session] for session in staged.sizes}
    result: dict[str, Any] = {
        "form": plan.form,
        "sessions": sorted(splits),
        "images": staged.images,
        "boxes": staged.boxes,
        "unlabelled": staged.unlabelled,
        "skipped": [{"source": file, "why": why} for file, why in staged.skipped.items()],
        "ignored_classes": dict(plan.ignored),
        "labels": {"read": plan.labels_read, "used": staged.images - staged.unlabelled},
        "plan": plan.about(),
        "dry_run": settings.dry_run,
    }
    _say(result)
    if staged.folder is not None and asked is not None:
        _write_sessions(staged, plan, source)
        moving.move_in(work, settings.data, splits, asked, result)
    return result


def _session_name(settings: ImportSettings, source: Path) -> str:
    stem = source.resolve().stem if source.name in ("", ".", "..") else source.stem
    plain = "".join(c if c.isalnum() or c in "-_. " else "-" for c in stem).strip(". ")
    name = settings.session or plain or "imported"
    return dataset.image_path(Path(), name, "x").parent.name  # checks the name


def _opened(source: Path, work: Path) -> Path:
    """The folder to read: the source itself, what a zip holds, or one with the only image or video."""
    if source.is_dir():
        return source
    if not is_image_file(source) and (source.suffix.lower() == ".zip" or zipfile.is_zipfile(source)):
        return unpack(source, work / "unpacked")
    if not is_image_file(source):
        open_media(source)  # says why it cannot be read
    (work / "one").mkdir()
    target = work / "one" / source.name.lstrip(".")
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)
    return work / "one"


# -- Images ----------------------------------------------------------------------------------------


def _stage_images(staged: Staged, plan: Plan, folder: Path) -> None:
    """Check all images, several at a time, and write them with their labels."""

    def work(image: PlannedImage) -> tuple[tuple[int, int], int | None] | str:
        try:
            return _stage_image(staged.folder, plan, image, folder)
        except UserError as error:  # of the source; what cannot be written ends the import
            return str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        done = pool.map(work, plan.images)
        shown = track(done, "label import", len(plan.images))
        try:
            for image, outcome in zip(plan.images, shown, strict=True):
                if isinstance(outcome, str):
                    staged.skipped[str(image.path)] = outcome
                else:
                    _count(staged, image.session, image.name, *outcome)
        except OSError as error:
            raise cannot_write(staged.folder, error) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _stage_image(
    new: Path | None, plan: Plan, image: PlannedImage, folder: Path
) -> tuple[tuple[int, int], int | None]:
    """Write an image and its label; its size, and how many boxes it has (None: not labelled).

    Raises:
        UserError: the image or what labels it cannot be read or used.
        OSError: they cannot be written.
    """
    where = str(image.path)
    data = image_bytes(folder / image.path)
    size_wh = image_size(data, where)
    form, orientation = image_about(data, where)
    stored_wh = (size_wh[1], size_wh[0]) if orientation in QUARTER_TURNS else size_wh
    boxes = None
    if image.labels is not None:
        boxes = boxes_of_image(image.labels, plan.choice, size_wh, stored_wh, where)
    if new is not None:
        suffix = image.path.suffix.lower()
        suffix = suffix if suffix in SUFFIXES else SUFFIX_OF.get(form, ".jpg")
        path = dataset.image_path(new, image.session, image.name, suffix)
        _write(path, data)
        if boxes is not None:
            text = format_label(boxes, size_wh)
            _write(dataset.label_path(new, image.session, image.name), text.encode())
    return size_wh, None if boxes is None else len(boxes)


def _write(path: Path, data: bytes) -> None:
    """Write a file of a folder that does not count yet; what counts is on the disk before it moves in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _count(staged: Staged, session: str, name: str, size_wh: tuple[int, int], boxes: int | None) -> None:
    staged.sizes.setdefault(session, {})[name] = list(size_wh)
    staged.images += 1
    staged.boxes += boxes or 0
    staged.unlabelled += boxes is None


def _stage_film(staged: Staged, film: PlannedImage, folder: Path, novelty: int, alone: bool) -> None:
    """Write the frames of a video or recording that show something new."""
    hashes: list[np.uint64] = []
    try:
        for frame in open_media(folder / film.path).frames():
            if frame.image is None:
                staged.skipped[str(film.path)] = str(frame.error).replace(
                    str(folder / film.path), str(film.path)
                )
                continue
            bits = perceptual_hash(frame.image)
            if hashes and int(bits_apart(np.array(hashes[-RECENT:]), bits).min()) < novelty:
                continue
            hashes.append(bits)
            height, width = frame.image.shape[:2]
            name = f"frame-{frame.index:06d}" if alone else f"{film.name}-frame-{frame.index:06d}"
            if staged.folder is not None:
                path = dataset.image_path(staged.folder, film.session, name, ".jpg")
                _write(path, encode_jpeg(frame.image))
            _count(staged, film.session, name, (width, height), None)
    except UserError as error:
        staged.skipped[str(film.path)] = str(error).replace(str(folder / film.path), str(film.path))
    except OSError as error:
        raise cannot_write(staged.folder, error) from error


# -- Sessions --------------------------------------------------------------------------------------


def _write_sessions(staged: Staged, plan: Plan, source: Path) -> None:
    """Write where each session comes from, and for what its labels were made, for `label check`."""
    assert staged.folder is not None
    imported = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    classes = {"vector": sorted(plan.choice.vector), "other": sorted(plan.choice.others)}
    for session, sizes in staged.sizes.items():
        about = {
            "source": source.name,
            "form": plan.form,
            "imported": imported,
            "vector_tl": __version__,
            "classes": classes,
            "labels_digest": moving.labels_digest(staged.folder, session),
            "sizes": sizes,
        }
        dataset.write_session(staged.folder, session, about)


def _check_writable(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{data} cannot be made: {error.strerror}; choose another --data.") from error
    if not os.access(data, os.W_OK):
        raise UserError(f"{data} cannot be written to; choose another --data.")


# -- What a person sees ----------------------------------------------------------------------------


def _say(result: dict[str, Any]) -> None:
    """Log what was left out and what else should be known."""
    plan = result["plan"]
    _some("skipped: %s", [entry["why"] for entry in result["skipped"]])
    _some("label file not used: %s", [entry["why"] for entry in plan["unused_label_files"]["files"]])
    _some("note: %s", plan["notes"])
    if others := plan["other_files"]["files"]:
        listed = ", ".join(others[:MAX_SHOWN])
        log.info("%s not read: %s", counted(plan["other_files"]["count"], "other file"), listed)
    if result["ignored_classes"]:
        listed = ", ".join(f"{name} ({count})" for name, count in result["ignored_classes"].items())
        log.warning("boxes of other classes were ignored: %s", listed)


def _some(line: str, things: list[str]) -> None:
    for thing in things[:MAX_SHOWN]:
        log.warning(line, thing)
    if len(things) > MAX_SHOWN:
        log.warning(line, f"{len(things) - MAX_SHOWN} more; --json lists all")


def describe(result: dict[str, Any]) -> str:
    """What an import did, would do or undid, for a person."""
    if "undone" in result:
        return f"undone: {', '.join(result['undone'])} ({counted(result['images'], 'image')})"
    plan = result["plan"]
    lines = ["This is what would be imported; nothing was written."] if result["dry_run"] else []
    for form, row in plan["label_files"].items():
        lines.append(f"{form}: {counted(row['files'], 'label file')}, such as {row['examples'][0]}")
    means = ", ".join(plan["classes"]["vector"]) or "no class"
    others = ", ".join(plan["classes"]["other"])
    if plan["label_files"]:
        lines.append(f"classes: {means} means Vector{f'; ignored: {others}' if others else ''}")
    for session in result["sessions"]:
        split = plan["sessions"][session]["split"]
        lines.append(f"session {session}: {f'split {split}' if split else 'in no split yet'}")
    counts = [
        f"{counted(result['images'], 'image')}, {counted(result['boxes'], 'box', 'boxes')}, "
        f"{counted(result['unlabelled'], 'image')} not labelled"
    ]
    counts += [f"{len(result['skipped'])} skipped"] * bool(result["skipped"])
    for key, what, fate in (
        ("unused_label_files", "label file", "not used"),
        ("other_files", "other file", "not read"),
    ):
        if count := plan[key]["count"]:
            counts.append(f"{counted(count, what)} {fate}")
    lines.append("; ".join(counts))
    return "\n".join(map(one_line, lines))
