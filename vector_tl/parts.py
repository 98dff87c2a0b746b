"""Temporary files and folders, beside what they become, and what killed runs left of them.

They are called `.NAME.XXXXXXXX.part`, and whoever makes one holds a lock on it, which ends with the process
however that ends: one without a lock is a leftover. A process looks for leftovers in each folder in which it
makes one, before the first.
"""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vector_tl.system import HAS_LOCKS, lock

SUFFIX = ".part"
NAME = re.compile(r"\..+\.([a-z0-9_]{8}|\d+)\.part")  # with a number: films of earlier versions
NAME_BYTES = 240  # of the 255 that file systems take; the rest is for what is around NAME
LOCKED_AFTER_S = 1.0  # between making and locking one
LEFT_AFTER_S = 86400.0  # without locks (Windows), one that nobody has touched for so long is a leftover
_swept: set[Path] = set()


class Part:
    """A temporary file or folder, locked, that becomes `path` by `put` or is gone by `drop`.

    As a context manager it is dropped at the block's end, unless it was put.

    Args:
        path: what it becomes.
        folder: make a folder.
        private: only the user may read it; else everybody whom the umask lets.

    Attributes:
        path: where it lies until then.

    Raises:
        OSError: it cannot be made; nothing is left.
    """

    def __init__(self, path: Path, folder: bool = False, private: bool = False):
        self._goal = Path(path)
        self._goal.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(self._goal.parent)
        names: dict[str, Any] = {"prefix": prefix(path), "suffix": SUFFIX, "dir": self._goal.parent}
        if folder:
            self.path = Path(tempfile.mkdtemp(**names))
            self._lock = os.open(self.path, os.O_RDONLY) if HAS_LOCKS else -1
        else:
            self._lock, made = tempfile.mkstemp(**names)
            self.path = Path(made)
        self._is_there = True
        lock(self._lock)  # some file systems have no locks
        if not private:  # it is made for the user alone
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(self.path, (0o777 if folder else 0o666) & ~umask)

    def write(self, data: bytes) -> None:
        """Write the whole content of a file, and wait until it is on the disk.

        Raises:
            OSError: it cannot be written.
        """
        with open(self._lock, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(self._lock)

    def put(self) -> None:
        """Give it its name, over a file, or an empty folder, that has it.

        Raises:
            OSError: that cannot be done.
        """
        if not HAS_LOCKS:  # Windows renames no open file
            self._unlock()
        os.replace(self.path, self._goal)
        self._unlock()
        self._is_there = False

    def drop(self) -> None:
        """Remove it, unless it has its name already."""
        if self._is_there:
            if not HAS_LOCKS:  # nor does it remove one
                self._unlock()
            remove(self.path)
            self._unlock()
            self._is_there = False

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *_error: object) -> None:
        self.drop()


def prefix(path: Path) -> str:
    """How the names of temporary files begin that become `path`; a long name is cut short."""
    name = Path(path).name
    if len(os.fsencode(name)) > NAME_BYTES:
        name = os.fsencode(name)[:NAME_BYTES].decode("utf-8", "ignore")
    return f".{name}."


def leftovers(folder: Path) -> Iterator[Path]:
    """What killed runs left right in a folder; nothing where it cannot be read."""
    try:
        names = [entry.name for entry in os.scandir(folder) if NAME.fullmatch(entry.name)]
    except OSError:
        return
    yield from (Path(folder) / name for name in sorted(names) if _is_left(Path(folder) / name))


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _sweep_once(folder: Path) -> None:
    folder = folder.absolute()
    if folder not in _swept:
        _swept.add(folder)
        for path in leftovers(folder):
            remove(path)


def _is_left(path: Path) -> bool:
    """Whether nobody holds its lock."""
    try:
        age_s = abs(time.time() - path.lstat().st_mtime)  # abs: the clock may have been set back
        if not HAS_LOCKS or age_s < LOCKED_AFTER_S:
            return age_s > LEFT_AFTER_S
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return lock(handle)
    finally:
        os.close(handle)
