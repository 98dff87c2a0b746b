"""Weights that are downloaded: a file is used only while its SHA-256 is the one that is written down here.

That holds for a file that lies in a cache from before, too: whoever can write there could put another one.
"""

import hashlib
import io
import logging
import os
import urllib.request
import zipfile
import zlib
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.progress import Progress

TIMEOUT_S = 20
MAX_BYTES = 100_000_000
CHUNK_BYTES = 1 << 16
WRONG = ".wrong"  # at the end of the name of a file that was set aside
TORCHVISION = "ssdlite320_mobilenet_v3_large_coco"  # torchvision's file begins so
log = logging.getLogger(__name__)


def user_cache() -> Path:
    """The user's folder for what can be made or fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def cache_folder() -> Path:
    """Where this program's downloads lie."""
    return user_cache() / "vector_tl"


def compiled_folder() -> Path:
    """Where compiled models lie, and how fast each precision was."""
    return cache_folder() / "compiled"


def measured_file() -> Path:
    """Where it is kept in which precision this processor trains faster."""
    return cache_folder() / "training.json"


def torchvision_folder() -> Path:
    """Where torchvision keeps its downloads, as `torch.hub` has it."""
    return Path(os.environ.get("TORCH_HOME") or user_cache() / "torch") / "hub" / "checkpoints"


def right_bytes(path: Path, sha256: str) -> bytes | None:
    """What a file holds, if its SHA-256 is this; None where it differs.

    Raises:
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def cached_bytes(path: Path, sha256: str) -> bytes | None:
    """What a file of a cache holds; None where there is none. A wrong one is set aside: NAME.wrong.

    Raises:
        OSError: it cannot be read, or not be set aside.
    """
    if not path.is_file():
        return None
    data = right_bytes(path, sha256)
    if data is None:
        aside = path.with_name(path.name + WRONG)
        path.replace(aside)
        log.warning(
            "%s is not the file that was released (its checksum differs); it is now %s", path, aside.name
        )
    return data


def _read(response: HTTPResponse) -> bytes:
    """What a server sends, up to `MAX_BYTES`, with a line on how far it is."""
    said, parts, size = response.headers.get("Content-Length"), [], 0
    total_mb = int(said) / 1e6 if said and said.isdecimal() else None
    with Progress("download", total_mb, "MB") as progress:
        while size < MAX_BYTES and (part := response.read(min(CHUNK_BYTES, MAX_BYTES - size))):
            parts.append(part)
            size += len(part)
            progress.reach(size / 1e6)
    return b"".join(parts)


class NotDownloaded(UserError):
    """A file could not be fetched, or is not the right one; the message is the reason alone."""


def download(url: str, path: Path, sha256: str, member: str | None = None) -> bytes:
    """Fetch a file into a cache; with `member`, the file of that name from the zip at `url`.

    Returns:
        Its content.

    Raises:
        NotDownloaded: it could not be fetched, or is not the right one.
        UserError: the cache cannot be written.
    """
    log.info("downloading %s to %s", url, path)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            data = _read(response)
        if member is not None:
            with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(member) as file:
                data = file.read(MAX_BYTES)
    except (OSError, HTTPException, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "reason", error)  # urllib wraps the system's error
        raise NotDownloaded(" ".join(str(getattr(reason, "strerror", None) or reason).split())) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise NotDownloaded("it is not the file that was released, its checksum differs")
    write_atomic(path, data)
    return data
