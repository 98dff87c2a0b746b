"""Writing files so that nothing is lost: whole or not at all, and over others only if asked to."""

import glob
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vector_tl.errors import UserError, cannot_write
from vector_tl.forms import parse_json
from vector_tl.parts import SUFFIX, Part, prefix
from vector_tl.system import HAS_LOCKS, lock_when_free

HELD_S = 10.0  # how long a folder is waited for: a program that was stopped (Ctrl-Z) may hold it


def write_atomic(path: Path, data: bytes | str, private: bool = False) -> None:
    """Write `data` to `path` through a temporary file beside it, so that nobody ever sees half a file.

    Args:
        path: the file.
        data: its new content; text in UTF-8, but for names' bytes that are not.
        private: only the user may read it, from its first byte on: for tokens, keys and invitations.

    Raises:
        UserError: the folder cannot be written or the disk is full; `path` is then as it was before.
    """
    path = Path(path)
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    try:
        with Part(path, private=private) as part:
            part.write(raw)
            part.put()
    except OSError as error:
        raise cannot_write(path, error) from error


def sweep(path: Path) -> None:
    """Remove what killed processes left of writing to `path`. Nobody may be writing there now."""
    for part in Path(path).parent.glob(f"{glob.escape(prefix(path))}*{SUFFIX}"):
        part.unlink(missing_ok=True)


def read_json(path: Path, missing: Any = None, remedy: str = "correct or delete it", form: Any = Any) -> Any:
    """The value in a JSON file; `missing` where there is no file.

    Raises:
        UserError: it cannot be read, is not JSON or has another form (see `forms.py`); the message names the
            place and ends with `remedy`.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return missing
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); {remedy}.") from error
    return parse_json(data, form, str(path), remedy)


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write `value` as JSON, whole or not at all; what is undefined (NaN, infinite) is written as null.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomic(path, json.dumps(finite(value), indent=indent, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """The same value for JSON: null for what is undefined, plain Python numbers, text for the rest."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return finite(asdict(value))
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "item"):  # of NumPy and PyTorch
        return finite(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


@contextmanager
def claimed(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock file `path` until the end of the block, or of the process, however that ends.

    The file is empty, and is removed at the end of the block; with `wait` it stays, because others may be
    waiting at it.

    Yields:
        Whether it is held; False while another process (or another block of this one) has it. With `wait`,
        always True.

    Raises:
        UserError: the file cannot be made.
    """
    path = Path(path)
    lock = FileLock(path, timeout=-1 if wait else 0, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield True
    finally:
        if not wait:
            with suppress(OSError):  # the disk was pulled: what happened before is what a person hears of
                path.unlink(missing_ok=True)
        lock.release()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder while a file in it is read, changed and written, so that no other change gets lost.

    Another process or thread that holds it is waited for, though not for ever: nobody needs it long. No file
    is made. Where the system or the disk has no locks, nothing is held.

    Raises:
        UserError: the folder cannot be made or opened.
    """
    handle = -1
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if HAS_LOCKS:
            handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        if HAS_LOCKS:
            lock_when_free(handle, HELD_S)
        yield
    finally:
        if HAS_LOCKS:
            os.close(handle)


def refuse_foreign(folder: Path, mark: str, names: tuple[str, ...]) -> None:
    """Raise `UserError` when a folder holds one of `names` without `mark`: others' work.

    Args:
        folder: where results are to be written.
        mark: the file by which a folder of this command is known.
        names: patterns of what would be overwritten.
    """
    if (folder / mark).exists():
        return
    there = [path.name for name in names for path in sorted(folder.glob(name))]
    if there:
        raise UserError(f"{folder} holds {there[0]} that was made by something else; name another --out.")


def refuse_unwritable(path: Path) -> None:
    """Raise `UserError` when `path` could not be written, before hours of work. Nothing is written."""
    folder = next(folder for folder in Path(path).absolute().parents if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise UserError(
            f"Cannot write {path}: {folder} is {'not writable' if folder.is_dir() else 'not a folder'}. "
            "Choose another place."
        )


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `UserError` when `path` exists and `overwrite` was not asked for."""
    if Path(path).exists() and not overwrite:
        raise UserError(
            f"{path} exists already; choose another name, such as {free_name(path).name}, or add --overwrite."
        )


def free_name(path: Path) -> Path:
    """The path, or with a number behind it the first that is not there."""
    names = (path, *(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, 1000)))
    return next((name for name in names if not name.exists()), path)
