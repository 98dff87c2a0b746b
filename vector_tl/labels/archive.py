"""Zip files of strangers, unpacked without trust."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from vector_tl.errors import UserError

MAX_FILES, MAX_BYTES, MAX_RATIO = 200_000, 20_000_000_000, 200


def unpack(path: Path, into: Path) -> Path:
    """Unpack a zip into a new folder.

    Raises:
        UserError: no zip, broken, encrypted, a way out of the folder, links, or far larger than its file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if (
                len(entries) > MAX_FILES
                or total > MAX_BYTES
                or (total > 100_000_000 and total > MAX_RATIO * path.stat().st_size)
            ):
                raise UserError(
                    f"{path} would unpack to {len(entries)} files and {total / 1e9:.1f} GB, which no set of images needs; it is not unpacked."
                )
            for entry in entries:
                name = PurePosixPath(entry.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
                    raise UserError(
                        f"{path} holds {entry.filename!r}, which leads out of its folder; it is not unpacked."
                    )
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise UserError(f"{path} holds the link {entry.filename!r}; it is not unpacked.")
                if entry.flag_bits & 1:
                    raise UserError(f"{path} is encrypted; unpack it yourself and name the folder.")
            left = total
            for entry in entries:
                if entry.is_dir():
                    continue
                target = into / PurePosixPath(entry.filename.replace("\\", "/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as file:
                    while block := source.read(1 << 20):
                        left -= len(block)
                        if left < 0:
                            raise UserError(f"{path} unpacks to more than it says; it is not taken.")
                        file.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is not a whole zip file ({error}); download or copy it again.") from error
    except (NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{path} cannot be unpacked ({error}); unpack it yourself and name the folder."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be unpacked: {error.strerror or error}.") from error
    return into


def pack(folder: Path, out: Path) -> None:
    """All files of a folder as a zip, whole or not at all; images are stored as they are."""
    part = out.with_name(f".{out.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(path, path.relative_to(folder).as_posix())
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"Cannot write {out}: {error.strerror or error}.") from error


def remove(folder: Path) -> None:
    """A folder of our own, whatever is in it."""
    shutil.rmtree(folder, ignore_errors=True)
