"""Images out of whatever a person names: an image, a folder, a video or a recording, told apart by content."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.errors import UserError

MCAP_MAGIC = b"\x89MCAP0\r\n"
LARGEST_IMAGE_BYTES = 200 * 2**20
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
FILM_SUFFIXES = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".gif", ".mcap"}


@dataclass(frozen=True)
class Source:
    """One image of an input: uint8 (H, W, 3) RGB, or why there is none."""

    path: Path
    frame: int
    image: np.ndarray | None
    error: str | None = None


def read_inputs(inputs: tuple[Path, ...]) -> Iterator[Source]:
    """All images of all inputs in order; what cannot be read comes as an error, and the others go on.

    Raises:
        UserError: an input does not exist, or a folder holds no image; before the first image is read.
    """
    files = [file for path in inputs for file in _files(Path(path))]
    return (source for file in files for source in _read_file(file))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(
            p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".") and _is_footage(p)
        )
        if not files:
            raise UserError(f"The folder {path} holds no images; name one that does.")
        return files
    if not path.exists():
        raise UserError(f"There is no {path}; name an image, folder, video or recording.")
    return [path]


def _is_footage(path: Path) -> bool:
    """Whether a file of a folder is to be looked at, and told of when it is damaged; its notes and label files are not."""
    if path.suffix.lower() in IMAGE_SUFFIXES | FILM_SUFFIXES:
        return True
    head = _head(path)
    films = (
        head.startswith((MCAP_MAGIC, b"\x1a\x45\xdf\xa3"))
        or head[4:8] == b"ftyp"
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
    )
    return films or cv2.haveImageReader(str(path))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError:
        return b""


def _read_file(path: Path) -> Iterator[Source]:
    if _head(path).startswith(MCAP_MAGIC):
        yield from _read_recording(path)
        return
    try:
        image = decode_or_none(path.read_bytes()) if path.stat().st_size <= LARGEST_IMAGE_BYTES else None
    except OSError as error:
        yield Source(path, 0, None, f"cannot be opened: {error.strerror or error}")
        return
    if image is not None:
        yield Source(path, 0, image)
    elif cv2.haveImageReader(str(path)):
        yield Source(path, 0, None, "is a damaged image")
    else:
        yield from _read_video(path)


def _read_recording(path: Path) -> Iterator[Source]:
    from vector_tl.data.recording import read_recording

    recording, count = read_recording(path), 0
    for frame in recording:
        image = decode_or_none(frame.jpeg)
        count += 1
        yield Source(
            path, frame.index, image, None if image is not None else f"frame {frame.index} is damaged"
        )
    if recording.note or not count:
        yield Source(path, count, None, recording.note or "is a recording without camera frames")


def _read_video(path: Path) -> Iterator[Source]:
    import av

    count = 0
    try:
        with open_video(path) as container:
            for frame in container.decode(video=0):
                yield Source(path, count, upright(frame))
                count += 1
        error = None if count else "is a video without images"
    except (av.FFmpegError, ValueError, OSError):
        error = (
            f"is a damaged video after {count} frames"
            if count
            else "is neither a readable image nor a readable video"
        )
    if error:
        yield Source(path, count, None, error)


@contextmanager
def open_video(path: Path):
    """PyAV's container of a video file, ready to decode.

    Raises:
        ValueError, OSError, av.FFmpegError: it is none.
    """
    import av

    # a playlist posing as a video must not make FFmpeg reach for the network
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        kind = container.format.name
        if (
            not container.streams.video or kind in ("tty", "image2") or kind.endswith("_pipe")
        ):  # text drawn as video; images that OpenCV refused
            raise ValueError(f"{path} is no video")
        container.streams.video[0].thread_type = "AUTO"
        yield container


def upright(frame) -> np.ndarray:
    """A video's frame as a player shows it, uint8 (H, W, 3): phones store every film lying and note the turn beside it."""
    image = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image
