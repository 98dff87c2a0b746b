"""Pictures out of whatever a person names: a picture, a folder, a video or a recording, told apart by content."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.errors import UserError
from vector_tl.labels.dataset import decode

MCAP_MAGIC = b"\x89MCAP0\r\n"


@dataclass(frozen=True)
class Source:
    """One picture of an input: uint8 (H, W, 3) RGB, or why there is none."""

    path: Path
    frame: int
    picture: np.ndarray | None
    error: str | None = None


def read_inputs(inputs: tuple[Path, ...]) -> Iterator[Source]:
    """All pictures of all inputs in order; what cannot be read comes as an error, and the others go on.

    Raises:
        UserError: an input does not exist, or a folder holds no file.
    """
    for path in map(Path, inputs):
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if not files:
                raise UserError(f"The folder {path} holds no pictures; name one that does.")
            for file in files:
                yield from _read_file(file)
        elif path.exists():
            yield from _read_file(path)
        else:
            raise UserError(f"There is no {path}; name a picture, folder, video or recording.")


def _read_file(path: Path) -> Iterator[Source]:
    try:
        with path.open("rb") as file:
            head = file.read(len(MCAP_MAGIC))
        if head == MCAP_MAGIC:
            yield from _read_recording(path)
            return
        picture = decode(path.read_bytes()) if path.stat().st_size < 100_000_000 else None
    except OSError as error:
        yield Source(path, 0, None, f"cannot be opened: {error.strerror}")
        return
    if picture is not None:
        yield Source(path, 0, picture)
    else:
        yield from _read_video(path)


def _read_recording(path: Path) -> Iterator[Source]:
    from vector_tl.film.recording import read_recording

    for index, frame in enumerate(read_recording(path)):
        picture = decode(frame.jpeg)
        yield Source(path, index, picture, None if picture is not None else "a damaged frame")


def _read_video(path: Path) -> Iterator[Source]:
    import av

    index = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError("no pictures in it")
            for index, frame in enumerate(container.decode(video=0)):
                yield Source(path, index, frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, ValueError, OSError):
        yield Source(path, index, None, "is neither a readable picture nor a video")
