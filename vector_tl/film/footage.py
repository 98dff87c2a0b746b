"""Images with times, from whatever there is: a recording, a video, a folder of images, an image."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vector_tl.data.dataset import decode
from vector_tl.data.inputs import open_video, upright
from vector_tl.data.recording import is_recording, read_recording
from vector_tl.data.schemas import CAMERA
from vector_tl.data.sidecar_labels import boxes_in_pixels, label_of_frame, label_of_image, labels_beside
from vector_tl.errors import UserError

log = logging.getLogger("vector_tl.film")
IMAGES_FPS = Fraction(2)
LONGEST_PAUSE_S = 10.0  # a longer gap between two frames is shortened to this


@dataclass(frozen=True)
class Shown:
    """One image of the footage: when, what, and a line about it."""

    t_s: float
    image_rgb: np.ndarray  # (H, W, 3) uint8
    line: str = ""
    truth_xyxy: np.ndarray | None = None  # (N, 4) in pixels, None where nobody has said what is there


@dataclass(frozen=True)
class Footage:
    """What a film is made of. `images()` begins again at each call."""

    source: Path
    fps: Fraction  # its own
    images: Callable[[], Iterator[Shown]]
    seconds: float | None = None  # how long it will be, as far as is known before
    kind: str = "video"  # recording, video, folder or image


def open_footage(source: Path) -> Footage:
    """Open a recording, video, folder or image; which it is, its content tells.

    Raises:
        UserError: there is no such thing, or nothing in it can be shown.
    """
    source = Path(source)
    if not source.exists():
        raise UserError(f"There is no {source}; give a recording, a video, a folder of images or an image.")
    if source.is_dir():
        return _folder(source)
    if is_recording(source):
        return _recording(source)
    image = decode(source.read_bytes()) if source.stat().st_size < 200 * 2**20 else None
    if image is not None:
        truth = boxes_in_pixels(label_of_image(source), image)
        return Footage(
            source,
            IMAGES_FPS,
            lambda: iter([Shown(0.0, image, source.name, truth)]),
            float(1 / IMAGES_FPS),
            "image",
        )
    return _video(source)


def own_fps(times_s: list[float], default: Fraction = IMAGES_FPS) -> Fraction:
    """The constant rate behind time stamps that jitter and have gaps: gaps count as a whole number of frames."""
    gaps = np.diff(np.asarray(times_s, float))
    gaps = gaps[gaps > 1e-4]
    if not len(gaps):
        return default
    usual = float(np.median(gaps))
    gaps = gaps[gaps < LONGEST_PAUSE_S]
    fps = float(np.maximum(np.round(gaps / usual), 1).sum() / gaps.sum())
    if abs(fps - round(fps)) * gaps.sum() < 0.1 and fps >= 1:  # a whole number, but for the stamps' rounding
        return Fraction(round(fps))
    return Fraction(min(max(fps, 0.5), 120.0)).limit_denominator(1001)


def camera_times_s(rows: list[tuple[float, float]]) -> list[float]:
    """When frames were taken, from pairs of receive time and the robot's own stamp, in seconds.

    The robot's stamps are the steadier ones, but only if they tell the same story: a robot that was started anew counts from 0 again.
    """
    if not rows:
        return []
    received, stamped = np.array(rows).T
    lag = received - stamped
    if (np.diff(stamped) > 0).all() and np.ptp(lag) < 0.5 + 0.01 * np.ptp(received):
        return list(map(float, stamped))
    return list(map(float, received))


class Pacer:
    """Gives each image its place among the frames of a film with a constant rate.

    At the footage's own rate an image that comes up to one frame early or late keeps its place in the row, so none is lost or doubled by jitter.
    Real gaps are kept (the image before stands longer), up to `LONGEST_PAUSE_S`.

    Args:
        fps: the film's rate.
        every: leave no image out: those that come in a burst are shown one by one, a little late. For the footage's own rate.
    """

    def __init__(self, fps: Fraction, every: bool = False):
        self._fps, self._every = float(fps), every
        self._slot = self._start_s = self._last_s = None

    def slot(self, t_s: float) -> int | None:
        """The film frame at which the image of time `t_s` appears, or None when it is left out."""
        if self._slot is None:
            self._slot, self._start_s, self._last_s = 0, t_s, t_s
            return 0
        self._start_s += max(0.0, t_s - self._last_s - LONGEST_PAUSE_S)
        self._last_s = t_s
        due, following = (t_s - self._start_s) * self._fps, self._slot + 1
        slot = (
            following if abs(due - following) < 1 - 1e-6 or (self._every and due < following) else round(due)
        )
        if slot <= self._slot:
            return None
        self._slot = slot
        return slot


def _recording(path: Path) -> Footage:
    recording = read_recording(path)
    times_s = camera_times_s(
        [(t_s, message["robot_time_ms"] / 1000) for _, t_s, message in recording.messages(only=CAMERA)]
    )
    if not times_s:
        raise UserError(f"{path} holds no camera frames; record again with: vector-tl find --record FILE")

    def images() -> Iterator[Shown]:
        line = ""
        for frame in recording:
            image = decode(frame.jpeg)
            line = frame.events[-1] if frame.events else line
            if image is None:
                log.warning("%s: frame %d cannot be read and is left out", path, frame.index)
                continue
            truth = (
                frame.truth_xyxy
                if labels is None
                else boxes_in_pixels(label_of_frame(labels, frame.index), image)
            )
            yield Shown(times_s[frame.index], image, line, truth)
        if recording.note:
            log.warning("%s", recording.note)

    fps, labels = own_fps(times_s), labels_beside(path)
    pacer = Pacer(fps, every=True)
    last = max((slot for slot in map(pacer.slot, times_s) if slot is not None), default=0)
    return Footage(path, fps, images, (last + 1) / float(fps), "recording")


def _video(path: Path) -> Footage:
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            seconds = (
                float(stream.duration * stream.time_base)
                if stream.duration
                else container.duration / av.time_base
                if container.duration
                else None
            )
            next(container.decode(video=0))
    except (av.FFmpegError, ValueError, StopIteration, OSError) as error:
        raise UserError(
            f"{path} is no recording, image or video that can be read; convert it, for instance to MP4."
        ) from error

    def images() -> Iterator[Shown]:
        with open_video(path) as container:
            frames = container.decode(video=0)
            index = 0
            while True:
                try:
                    frame = next(frames)
                except StopIteration:
                    return
                except av.FFmpegError as error:
                    log.warning(
                        "%s is damaged after frame %d (%s); what comes before it was read", path, index, error
                    )
                    return
                t_s = frame.time if frame.time is not None else index / float(rate or 25)
                image = upright(frame)
                yield Shown(
                    t_s,
                    image,
                    "",
                    None if labels is None else boxes_in_pixels(label_of_frame(labels, index), image),
                )
                index += 1

    labels = labels_beside(path)
    return Footage(path, Fraction(rate or 25), images, seconds)


def _folder(folder: Path) -> Footage:
    names = sorted(
        (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")), key=_natural
    )
    readable = [path for path in names if cv2.haveImageReader(str(path))]
    if not readable:
        raise UserError(f"There is no image in {folder}; give a folder of JPEG or PNG files.")

    def images() -> Iterator[Shown]:
        for index, path in enumerate(readable):
            image = decode(path.read_bytes())
            if image is None:
                log.warning("%s cannot be read and is left out", path)
                continue
            yield Shown(
                float(index / IMAGES_FPS),
                image,
                path.name,
                boxes_in_pixels(label_of_image(path), image),
            )

    return Footage(folder, IMAGES_FPS, images, float(len(readable) / IMAGES_FPS), "folder")


def _natural(path: Path) -> list:
    """image2 before image10."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", str(path).lower())
        if part
    ]
