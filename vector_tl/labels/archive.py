"""Zip files: those of strangers are unpacked without trusting them, our own are written whole."""

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from vector_tl.errors import UserError, cannot_write, writing_remedy
from vector_tl.limits import refuse_swelling
from vector_tl.parts import Part
from vector_tl.zips import DAMAGE


def unpack(path: Path, into: Path) -> Path:
    """Unpack a zip into a new folder.

    Raises:
        UserError: not a zip, damaged, encrypted, with links or with paths out of its folder, or far larger
            than its file.
    """
    place = "directory"
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _refuse_dangerous(path, entries)
            left = sum(entry.file_size for entry in entries)
            for entry in entries:
                if entry.is_dir():
                    continue
                place = f"entry {entry.filename!r}"
                target = into / _name(entry)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as file:
                    while block := source.read(1 << 20):
                        left -= len(block)
                        if left < 0:
                            raise UserError(f"{path} unpacks to more than it says; it is not unpacked.")
                        file.write(block)
    except DAMAGE as error:
        raise UserError(
            f"{path} is not a whole zip file: its {place} cannot be unpacked ({error}); download or copy it "
            "again, or unpack it yourself and name the folder."
        ) from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be unpacked, at its {place}: {error.strerror or error}; "
            f"{writing_remedy(error, 'unpack it yourself and name the folder')}."
        ) from error
    return into


def _refuse_dangerous(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    refuse_swelling(str(path), len(entries), sum(entry.file_size for entry in entries), path.stat().st_size)
    for entry in entries:
        name = _name(entry)
        where = f"{path} holds the entry {entry.filename!r}"
        if not name.parts:
            raise UserError(f"{where}, which has no name; unpack it yourself and name the folder.")
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            raise UserError(
                f"{where}, which leads out of its folder; it is not unpacked. Remove it from there."
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise UserError(f"{where}, which is a link; it is not unpacked. Remove it there.")
        if entry.flag_bits & 1:
            raise UserError(f"{path} is encrypted; unpack it yourself and name the folder.")


def _name(entry: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(entry.filename.replace("\\", "/"))


def pack(folder: Path, out: Path) -> None:
    """Write all files of a folder into a zip, whole or not at all; nothing is compressed.

    Raises:
        UserError: the zip cannot be written.
    """
    try:
        with Part(out) as part:
            with zipfile.ZipFile(part.path, "w", zipfile.ZIP_STORED) as archive:
                for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                    archive.write(path, path.relative_to(folder).as_posix())
            part.put()
    except OSError as error:
        raise cannot_write(out, error) from error


def remove(folder: Path) -> None:
    """Remove a folder of our own with everything in it."""
    shutil.rmtree(folder, ignore_errors=True)
