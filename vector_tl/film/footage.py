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

from vector_tl.data.images import decode_or_none
from vector_tl.data.media import open_video, upright
from vector_tl.data.recording import is_recording, read_recording
from vector_tl.data.schemas import CAMERA
from vector_tl.data.sidecar_labels import boxes_in_pixels, label_of_frame, label_of_image, labels_beside
from vector_tl.errors import UserError
from vector_tl.film.pace import IMAGES_FPS, Pacer, camera_times_s, own_fps

log = logging.getLogger("vector_tl.film")


@dataclass(frozen=True)
class FootageFrame:
    """One image of the footage: when, what, and a line about it."""

    t_s: float
    image_rgb: np.ndarray  # (H, W, 3) uint8
    line: str = ""
    truth_xyxy: np.ndarray | None = None  # (N, 4) in pixels, None where there is no label
    found: tuple = ()  # detections that came with it, beside those of the film's own detectors


@dataclass(frozen=True)
class Footage:
    """What a film is made of. `images()` begins again at each call."""

    source: Path
    fps: Fraction  # its own
    images: Callable[[], Iterator[FootageFrame]]
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
    image = decode_or_none(source.read_bytes()) if source.stat().st_size < 200 * 2**20 else None
    if image is not None:
        truth = boxes_in_pixels(label_of_image(source), image)
        return Footage(
            source,
            IMAGES_FPS,
            lambda: iter([FootageFrame(0.0, image, source.name, truth)]),
            float(1 / IMAGES_FPS),
            "image",
        )
    return _video(source)


def _recording(path: Path) -> Footage:
    recording = read_recording(path)
    times_s = camera_times_s(
        [(t_s, message["robot_time_ms"] / 1000) for _, t_s, message in recording.messages(only=CAMERA)]
    )
    if not times_s:
        raise UserError(f"{path} holds no camera frames; record again with: vector-tl find --record FILE")

    def images() -> Iterator[FootageFrame]:
        line = ""
        for frame in recording:
            image = decode_or_none(frame.jpeg)
            line = frame.events[-1] if frame.events else line
            if image is None:
                log.warning("%s: frame %d cannot be read and is left out", path, frame.index)
                continue
            truth = (
                frame.truth_xyxy
                if labels is None
                else boxes_in_pixels(label_of_frame(labels, frame.index), image)
            )
            yield FootageFrame(times_s[frame.index], image, line, truth)
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

    def images() -> Iterator[FootageFrame]:
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
                yield FootageFrame(
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

    def images() -> Iterator[FootageFrame]:
        for index, path in enumerate(readable):
            image = decode_or_none(path.read_bytes())
            if image is None:
                log.warning("%s cannot be read and is left out", path)
                continue
            yield FootageFrame(
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
