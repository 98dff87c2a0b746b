"""Writing files so that nothing is lost: whole or not at all, and never over what is there without being told to."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vector_tl.errors import UserError


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` through a temporary file beside it, so a reader (or a crash) never sees half a file.

    Raises:
        UserError: the folder cannot be written or the disk is full; `path` is then as it was before.
    """
    path = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes 0600
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise UserError(
            f"Cannot write {path}: {error.strerror or error}. Free some space or choose another place."
        ) from error


def sweep(path: Path) -> None:
    """Remove what killed processes left of files that they were writing to `path`; only for who knows that nobody is writing there now."""
    for part in Path(path).parent.glob(f".{Path(path).name}.*.part"):
        part.unlink(missing_ok=True)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether nobody else holds `path`, an empty file that is made for that; held until the end of the block, or of the process, however that ends.

    Raises:
        UserError: the file cannot be made.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}. Choose another place.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def refuse_foreign(folder: Path, mark: str, names: tuple[str, ...]) -> None:
    """Raise `UserError` when a folder that is to be filled holds one of `names` (patterns), but not the file that says what it is made of: another's work."""
    if (folder / mark).exists():
        return
    there = [path.name for name in names for path in sorted(folder.glob(name))]
    if there:
        raise UserError(f"{folder} holds {there[0]} that was made by something else; name another --out.")


def refuse_unwritable(path: Path) -> None:
    """Raise `UserError` when `path` cannot be made: rather now than after an hour's work. Nothing is written."""
    folder = next(folder for folder in Path(path).absolute().parents if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise UserError(
            f"Cannot write {path}: {folder} is {'not writable' if folder.is_dir() else 'no folder'}. Choose another place."
        )


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `UserError` when `path` exists and `overwrite` was not asked for."""
    if Path(path).exists() and not overwrite:
        raise UserError(f"{path} exists already; choose another name or add --overwrite.")
