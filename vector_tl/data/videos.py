"""Videos, which PyAV reads. Only `data.media` imports this, where it meets one: PyAV is slow to import."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from vector_tl.errors import UserError
from vector_tl.limits import FRAMES, HOURS, PIXELS, refuse_pixels
from vector_tl.plain import counted

DAMAGE = (av.FFmpegError, ValueError, OSError)


def rate_and_length(path: Path) -> tuple[Fraction | None, float | None]:
    """A video's frame rate and its length in seconds, as far as it says them, once a frame could be decoded.

    Raises:
        UserError: it is no video, or damaged from the start.
    """
    try:
        with _opened(path) as container:
            stream = container.streams.video[0]
            fps = stream.average_rate or stream.guessed_rate
            length = stream.duration or container.duration
            unit = stream.time_base if stream.duration else Fraction(1, av.time_base)
            if length and not stream.duration and "matroska" in container.format.name:
                length -= container.start_time or 0  # its duration counts from 0, not from the first frame
            seconds = float(length * unit) if length and unit else None
            FRAMES.refuse(stream.frames, f"{path} has")
            HOURS.refuse((seconds or 0) / 3600, f"{path} lasts")
            next(container.decode(video=0))
    except StopIteration:
        raise UserError(f"{path} is a video without images; name another one.") from None
    except PermissionError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except DAMAGE as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path} cannot be read as an image, video or recording ({reason}); it may be damaged: copy it "
            "again."
        ) from error
    return Fraction(fps) if fps else None, seconds


def images(path: Path) -> Iterator[tuple[float | None, np.ndarray]]:
    """A video's frames one after another: when each appears in seconds, if it says so, and its image.

    Yields:
        Time and image (H, W, 3) uint8 RGB, upright.

    Raises:
        UserError: it is damaged from here on.
    """
    count = 0
    try:
        with _opened(path) as container:
            for frame in container.decode(video=0):
                yield frame.time, _upright(frame)
                count += 1
    except DAMAGE as error:
        raise UserError(
            f"{path} is a damaged video after {counted(count, 'frame')} ({error}); what comes "
            "before was read: copy it again, if it is whole elsewhere."
        ) from error


def frame_times_s(path: Path) -> np.ndarray:
    """When each frame appears (N,), in seconds, without decoding; those before a damaged place."""
    times_s = []
    try:
        with _opened(path) as container:
            for packet in container.demux(video=0):
                if packet.pts is not None and packet.time_base is not None:
                    times_s.append(float(packet.pts * packet.time_base))
                if len(times_s) > FRAMES.value:
                    break
    except DAMAGE:
        pass  # what comes before is enough
    return np.array(times_s)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """PyAV's container of a video file, ready to decode.

    Raises:
        ValueError, OSError, av.FFmpegError: it is none.
    """
    # a playlist posing as a video must not make FFmpeg reach for the network
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        kind = container.format.name
        # text that FFmpeg would draw as a terminal, and images that OpenCV refused, are no videos
        if not container.streams.video or kind in ("tty", "image2") or kind.endswith("_pipe"):
            raise ValueError(f"{path} is no video")
        codec = container.streams.video[0].codec_context
        if codec is None:
            raise ValueError("its codec is not known")
        refuse_pixels(codec.width, codec.height, str(path))
        codec.options = {"max_pixels": str(int(PIXELS.value * 1e6))}  # of later frames, which may be larger
        codec.thread_type = "AUTO"
        yield container


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """A video's frame as a player shows it: phones store every film lying and note the turn beside it."""
    image = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image
