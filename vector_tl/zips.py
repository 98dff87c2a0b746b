"""Zip files, and what is built on them (.npz, .pt, .resume): where one is damaged."""

import struct
import zipfile
import zlib
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.limits import refuse_swelling

# What `zipfile` raises for damaged bytes: in the directory, an entry's header, its content. A RuntimeError is
# an entry that is encrypted, or packed in a way that it does not know.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error, OverflowError)
_BLOCK = 1 << 20


def refuse_damaged_zip(path: Path, remedy: str) -> None:
    """Read a zip file once, and compare every entry with its checksum.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is damaged (the message names the entry and ends with `remedy`), or unpacks to too much.
    """
    place = "directory"
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked_bytes = sum(entry.file_size for entry in entries)
            refuse_swelling(str(path), len(entries), unpacked_bytes, path.stat().st_size)
            for entry in entries:
                place = f"entry {entry.filename!r}"
                with archive.open(entry) as file:
                    while file.read(_BLOCK):
                        pass
    except FileNotFoundError:
        raise
    except (*DAMAGE, OSError) as error:
        raise UserError(f"{path} is damaged in its {place} ({error}); {remedy}.") from error
