"""One reader of recordings, videos, images and folders of them: frames in order, with times.

A file is recognised by its content, not by its name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vector_tl.data.boxes import to_pixels
from vector_tl.data.images import (
    animation_frames,
    decode_image,
    holds_image,
    is_animated_image,
    is_image_file,
    read_image,
)
from vector_tl.data.magic import is_recording
from vector_tl.data.sidecar_labels import label_of_frame, label_of_image, labels_beside
from vector_tl.errors import UserError
from vector_tl.limits import FRAMES, HOURS

if TYPE_CHECKING:
    from vector_tl.data.recording import RecordedFrame

# Formats of videos and recordings, in every command: these by their name, and all of them by their content.
FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts", ".mts", ".m2ts"),
    *(".3gp", ".flv", ".ogv", ".apng", ".mcap"),
)
MATROSKA_MAGIC = b"\x1a\x45\xdf\xa3"
MAX_FPS = 60  # of what is made of a video; faster ones are thinned out
FINE_FPS = 10  # at least, where frames stand unevenly or for long, so that a film lasts as long to 0.1 s
DEFAULT_FPS = Fraction(25)  # of a video that does not say how fast it is


@dataclass(frozen=True)
class MediaFrame:
    """One frame of a file: its image, or in `error` why there is none."""

    path: Path
    index: int  # counted from 0; 0 for an image
    image: np.ndarray | None = None  # (H, W, 3) uint8 RGB, upright
    error: str | None = None  # a sentence that names the file
    t_s: float = 0.0  # of a video by its own clock, of a recording when the frame was received
    recorded: "RecordedFrame | None" = None  # of a recording

    def truth_xyxy(self) -> np.ndarray | None:
        """The ground-truth boxes (N, 4), float32 in pixels; None where they are not known.

        They come from labels beside the file, or from the recording itself.

        Raises:
            UserError: a broken line in a label file.
        """
        if self.image is None:
            return None
        labels = labels_beside(self.path)
        if labels is None and self.recorded is not None:
            return self.recorded.truth_xyxy
        boxes_norm = label_of_image(self.path) if labels is None else label_of_frame(labels, self.index)
        height, width = self.image.shape[:2]
        return None if boxes_norm is None else to_pixels(boxes_norm, (width, height)).astype(np.float32)


@dataclass(frozen=True)
class Media:
    """A file that holds frames; `frames()` begins again at each call, damaged frames with an error."""

    path: Path
    kind: Literal["image", "video", "recording"]
    frames: Callable[[], Iterator[MediaFrame]]
    fps: Fraction | None = None  # of a video
    seconds: float | None = None  # of a video that says how long it is


def open_media(path: Path) -> Media:
    """Open a recording, a video or an image.

    Raises:
        UserError: there is no such file, or it is none of them, or damaged from the start.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"There is no {path}; name an image, a folder, a video or a recording.")
    if is_recording(path):
        return Media(path, "recording", lambda: _within_limits(path, _recording_frames(path)))
    if is_animated_image(path):
        return _open_animation(path)
    if holds_image(path):
        frame = MediaFrame(path, 0, read_image(path))
        return Media(path, "image", lambda: iter([frame]))
    return _open_video(path)


def read_frames(inputs: tuple[Path, ...]) -> Iterator[MediaFrame]:
    """All frames of all inputs in order; a file or frame that cannot be read comes as a frame with an error.

    Raises:
        UserError: an input does not exist, or a folder holds no images; before the first frame is read.
    """
    files: list[Path] = []
    for path in map(Path, inputs):
        if not path.exists():
            raise UserError(f"There is no {path}; name an image, a folder, a video or a recording.")
        files += media_files(path) if path.is_dir() else [path]
    return (frame for file in files for frame in _frames_or_error(file))


def _within_limits(path: Path, frames: Iterator[MediaFrame]) -> Iterator[MediaFrame]:
    """The frames up to the limits; one with an error instead of what is beyond."""
    begin_s: float | None = None  # a recording's times count from when its computer was started
    for frame in frames:
        if begin_s is None and frame.image is not None:
            begin_s = frame.t_s
        try:
            FRAMES.refuse(frame.index + 1, f"{path} has")
            if begin_s is not None and frame.image is not None:
                HOURS.refuse(abs(frame.t_s - begin_s) / 3600, f"{path} lasts")
        except UserError as error:
            yield MediaFrame(path, frame.index, error=str(error))
            return
        yield frame


def _frames_or_error(path: Path) -> Iterator[MediaFrame]:
    try:
        yield from open_media(path).frames()
    except UserError as error:
        yield MediaFrame(path, 0, error=str(error))


def media_files(folder: Path) -> list[Path]:
    """The images, videos and recordings below a folder, image2 before image10; without hidden files.

    Raises:
        UserError: there are none.
    """
    visible = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    files = sorted(filter(is_media_file, visible), key=_natural)
    if not files:
        raise UserError(f"The folder {folder} holds no images; name one that does.")
    return files


def is_media_file(path: Path) -> bool:
    """Whether a file is an image, a video or a recording, or named like one and perhaps damaged."""
    return is_image_file(path) or is_film_file(path)


def is_film_file(path: Path) -> bool:
    """Whether a file is a video, an animated image or a recording, or named like one and perhaps damaged."""
    if path.suffix.lower() in FILM_SUFFIXES or is_animated_image(path) or is_recording(path):
        return True
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    if head[4:8] == b"ftyp" and holds_image(path):
        return False
    return head.startswith(MATROSKA_MAGIC) or head[4:8] == b"ftyp" or head[:4] + head[8:] == b"RIFFAVI "


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sorts image2 before image10."""
    parts = re.split(r"(\d+)", str(path).lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _recording_frames(path: Path) -> Iterator[MediaFrame]:
    from vector_tl.data.recording import read_recording  # brings MCAP's reader, which images do without

    recording, index = read_recording(path), -1
    for frame in recording:
        index = frame.index
        image, error = None, None
        try:
            image = decode_image(frame.jpeg, f"Frame {index} of {path}")
        except UserError as damaged:
            error = str(damaged)
        yield MediaFrame(path, index, image, error, frame.t_s, frame)
    if recording.note or index < 0:
        note = recording.note or f"{path} is a recording without camera frames."
        yield MediaFrame(path, index + 1, error=note)


def _open_video(path: Path) -> Media:
    from vector_tl.data import videos  # brings PyAV, which images do without

    said_fps, seconds = videos.rate_and_length(path)
    fps = said_fps or DEFAULT_FPS

    def frames() -> Iterator[MediaFrame]:
        index = -1
        try:
            for index, (t_s, image) in enumerate(videos.images(path)):
                yield MediaFrame(path, index, image, t_s=float(index / fps) if t_s is None else t_s)
        except UserError as error:
            yield MediaFrame(path, index + 1, error=str(error))

    return Media(path, "video", lambda: _within_limits(path, frames()), fps, seconds)


def _open_animation(path: Path) -> Media:
    stands_s = []
    for number, (_, stands_for_s, _) in enumerate(animation_frames(path), 1):
        FRAMES.refuse(number, f"{path} has")
        stands_s.append(stands_for_s)
    seconds = sum(stands_s)
    HOURS.refuse(seconds / 3600, f"{path} lasts")
    fps = Fraction(len(stands_s) / seconds).limit_denominator(1001) if seconds else DEFAULT_FPS

    def frames() -> Iterator[MediaFrame]:
        index = -1
        try:
            for index, (t_s, _, image) in enumerate(animation_frames(path)):
                yield MediaFrame(path, index, image, t_s=t_s)
        except UserError as error:
            yield MediaFrame(path, index + 1, error=str(error))

    return Media(path, "video", lambda: _within_limits(path, frames()), fps, seconds)


def video_fps(media: Media) -> Fraction:
    """The constant rate at which a video's frames each have a place of their own, at most `MAX_FPS`.

    That is its average rate when its frames are evenly spaced; otherwise the rate of its fast parts, since
    the average of a video with pauses says nothing about them.
    """
    average = media.fps or DEFAULT_FPS
    times_s = np.sort(_frame_times_s(media.path))
    gaps = np.diff(times_s)
    gaps = gaps[gaps > 1e-4]
    if len(gaps):
        usual, own = float(np.median(gaps)), float(average)
        if (np.abs(gaps - usual) > 0.3 * usual + 0.0011).any():
            own = max(1 / float(np.percentile(gaps, 10)), float(FINE_FPS))
        elif abs(own * usual - 1) > 0.05:  # the last frame's time counts too much in short videos
            own = 1 / float(gaps.mean())
        if own != float(average):
            whole = own >= 1 and abs(own - round(own)) < 0.02 * own
            average = Fraction(round(own)) if whole else Fraction(own).limit_denominator(1001)
    return min(average if average >= Fraction(1, 2) else Fraction(FINE_FPS), Fraction(MAX_FPS))


def _frame_times_s(path: Path) -> np.ndarray:
    """When each frame of a video appears (N,), in seconds, without decoding; empty when it does not say."""
    if is_animated_image(path):
        return np.array([t_s for t_s, _, _ in animation_frames(path)])
    from vector_tl.data import videos  # brings PyAV, which images do without

    return videos.frame_times_s(path)
