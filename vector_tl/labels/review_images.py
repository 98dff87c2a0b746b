"""The images that the review page shows: where they lie, their size, and their bytes for a browser."""

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import cv2

from vector_tl.data import dataset
from vector_tl.data.images import encode_jpeg, image_about, image_bytes, is_image_file, read_image
from vector_tl.errors import UserError

# what browsers show as it is: a file's first bytes and its media type
MEDIA_TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"RIFF": "image/webp",
}
QUALITY = 92  # of the JPEG that a smaller image is sent as


def find_image(root: Path, session: str, name: str) -> Path | None:
    """The file of an image of a dataset or of its bin, whatever its suffix."""
    folder = dataset.image_path(root, session, name).parent
    with suppress(OSError):
        for entry in os.scandir(folder):
            if Path(entry.name).stem == name and is_image_file(Path(entry.path)):
                return Path(entry.path)
    return None


def refuse_taken(root: Path, session: str, name: str) -> None:
    """Raise `UserError` when a dataset or its bin has an image or label of that name."""
    if find_image(root, session, name) is not None or dataset.label_path(root, session, name).exists():
        raise UserError(f"{root} has another image or label {session}/{name}; move that one away first.")


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image.

    Raises:
        UserError: it cannot be read.
    """
    return _size_of(path, path.stat().st_mtime_ns)


@lru_cache(4096)
def _size_of(path: Path, _mtime_ns: int) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    return width, height


def for_browser(path: Path, max_width_px: int) -> tuple[bytes, str]:
    """An image's encoded bytes and media type, no wider than `max_width_px`; a small one as it is on disk.

    Raises:
        UserError: it cannot be read.
    """
    width, height = size_of(path)
    data = image_bytes(path)
    if width <= max_width_px and image_about(data, str(path))[1] == 1:  # not all browsers turn all formats
        for magic, kind in MEDIA_TYPES.items():
            if data.startswith(magic):
                return data, kind
    image = read_image(path)
    if width > max_width_px:
        size_wh = max_width_px, max(round(height * max_width_px / width), 1)
        image = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return encode_jpeg(image, QUALITY), "image/jpeg"
