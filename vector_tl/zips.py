"""Zip files, and what is built on them (.npz, .pt, .resume): where one is damaged."""

import struct
import zipfile
import zlib
from pathlib import Path

from vector_tl.errors import UserError

# What `zipfile` raises for damaged bytes: in the directory, an entry's header, its content.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error),
    *(OSError, OverflowError),
)
_BLOCK = 1 << 20


def refuse_damaged_zip(path: Path, remedy: str) -> None:
    """Read a zip file once, and compare every entry with its checksum.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is damaged; the message names the entry and ends with `remedy`.
    """
    place = "directory"
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                place = f"entry {entry.filename!r}"
                with archive.open(entry) as file:
                    while file.read(_BLOCK):
                        pass
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise UserError(f"{path} is damaged in its {place} ({error}); {remedy}.") from error
