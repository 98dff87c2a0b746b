"""Images with times, from whatever there is: a recording, a video, a folder of images, an image."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.data.images import holds_image
from vector_tl.data.media import Media, media_files, open_media, video_fps
from vector_tl.data.recording import read_recording
from vector_tl.data.schemas import CAMERA
from vector_tl.errors import UserError
from vector_tl.film.moment_words import MomentLines
from vector_tl.film.pace import IMAGES_FPS, Pacer, camera_times_s, own_fps
from vector_tl.plain import few

log = logging.getLogger("vector_tl.film")


@dataclass(frozen=True)
class FootageFrame:
    """One image of the footage: when, what, and a line about it."""

    t_s: float
    image_rgb: np.ndarray  # (H, W, 3) uint8
    line: str = ""
    caption: str = ""  # the same in fewer words, which stay true for longer
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
    simulated: bool = False  # known to be a recording of simulated robots


def open_footage(source: Path) -> Footage:
    """Open a recording, video, folder or image; whichever it is by its content.

    Raises:
        UserError: there is no such thing, or nothing in it can be shown.
    """
    source = Path(source)
    if source.is_dir():
        return _folder(source)
    media = open_media(source)
    if media.kind == "recording":
        return _recording(media)
    if media.kind == "image":
        return Footage(
            source, IMAGES_FPS, lambda: _footage(media, named=True), float(1 / IMAGES_FPS), "image"
        )
    return Footage(source, video_fps(media), lambda: _footage(media), media.seconds)


def _recording(media: Media) -> Footage:
    recording = read_recording(media.path)
    messages = recording.messages(only=CAMERA)
    times_s = camera_times_s([(t_s, message["robot_time_ms"] / 1000) for _, t_s, message in messages])
    if not times_s:
        raise UserError(
            f"{media.path} holds no camera frames; record again with: vector-tl find --record FILE"
        )
    fps = own_fps(times_s)
    pacer = Pacer(fps, every=True)
    last = max((slot for slot in map(pacer.slot, times_s) if slot is not None), default=0)
    seconds = (last + 1) / float(fps)
    simulated = _is_simulated(recording.about)
    return Footage(media.path, fps, lambda: _footage(media, times_s), seconds, "recording", simulated)


def _is_simulated(about: dict[str, Any]) -> bool:
    """Whether a recording says of itself that it comes from the simulator, which alone knows the truth."""
    settings = about.get("settings")
    return bool(about.get("truth")) or (isinstance(settings, dict) and settings.get("robot") == "sim")


def _folder(folder: Path) -> Footage:
    """The images of a folder, one after another; what else is in it is left out, which is said."""
    there = media_files(folder)
    files = [path for path in there if holds_image(path)]
    if not files:
        raise UserError(f"There is no image in {folder}; give a folder of JPEG or PNG files.")
    if other := [path.relative_to(folder).as_posix() for path in there if path not in set(files)]:
        log.warning(
            "Left out, as no single image: %s; film videos and animations each by itself.", few(other)
        )

    def images() -> Iterator[FootageFrame]:
        for number, path in enumerate(files):
            try:
                yield from _footage(open_media(path), [float(number / IMAGES_FPS)], named=True)
            except UserError as error:
                log.warning("%s", error)

    return Footage(folder, IMAGES_FPS, images, float(len(files) / IMAGES_FPS), "folder")


def _footage(media: Media, times_s: list[float] | None = None, named: bool = False) -> Iterator[FootageFrame]:
    """The frames that can be read, each with what the robot does in it, or with its file's name.

    Args:
        media: what is read.
        times_s: when each frame was taken; as the media say when None.
        named: give the file's name instead of a line.
    """
    lines, line = MomentLines(), media.path.name if named else ""
    caption = line
    for frame in media.frames():
        if frame.recorded is not None:
            line, caption = lines.line(frame.recorded), lines.caption(frame.recorded)
        if frame.image is None:
            log.warning("%s", frame.error)
            continue
        t_s = frame.t_s if times_s is None else times_s[frame.index]
        yield FootageFrame(t_s, frame.image, line, caption, frame.truth_xyxy())
