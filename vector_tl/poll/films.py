"""The two films of a poll: the same frames, each model alone, nothing in them that says whose it is.

No caption, name, title or end card; one colour, one threshold, one encoder; names drawn at random; no metadata, and equal file times.
"""

import os
import secrets
import sys
import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from vector_tl.errors import UserError
from vector_tl.film.film import FilmWriter
from vector_tl.film.footage import Pacer, open_footage
from vector_tl.film.overlay import layout, pane

YELLOW = (255, 221, 64)  # of neither side of a captioned film


def render(
    source: Path,
    folder: Path,
    detectors: tuple,
    threshold: float = 0.5,
    fps: float | None = None,
    width: int = 640,
) -> tuple[list[str], dict]:
    """Write both films into `folder`.

    Args:
        source: a recording, a video, a folder of images.
        detectors: two, each image (H, W, 3) uint8 RGB and threshold -> `boxes_xyxy`, `scores`.
        threshold: the score from which on boxes are drawn, for both.
        fps: frames a second; the source's own when None.
        width: of each film in pixels.

    Returns:
        The films' file names in the order of `detectors`, and facts about both: frames, fps, seconds, size_wh.

    Raises:
        UserError: nothing in the source can be shown, or the folder cannot be written.
    """
    footage = open_footage(source)
    rate = Fraction(fps).limit_denominator(1001) if fps else footage.fps
    names = [f"{secrets.token_hex(8)}.mp4" for _ in detectors]
    pacer, told, started = Pacer(rate), time.monotonic(), time.monotonic()
    writers, waiting, size_wh, at = [], [], None, 0
    with ExitStack() as cleaning:
        for moment in footage.images():
            slot = pacer.slot(moment.t_s)
            if slot is None:
                continue
            if not writers:
                height, wide = moment.image_rgb.shape[:2]
                size_wh = layout((wide, height), 2 * width).pane_wh
                for name in names:
                    writers.append(FilmWriter(folder / name, rate, size_wh))
                    cleaning.callback(writers[-1].abandon)
            for _ in range(slot - at if waiting else 0):  # the image before stands until this one comes
                _write(writers, waiting)
            at, waiting = slot, []
            for detector in detectors:
                found = detector(moment.image_rgb, threshold=threshold)
                waiting.append(pane(moment.image_rgb, found.boxes_xyxy, found.scores, size_wh, YELLOW))
            if time.monotonic() - told > 5:
                told = time.monotonic()
                print(
                    f"poll: {slot / float(rate):.0f} s of the films done in {told - started:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
        if not writers:
            raise UserError(f"No image in {source} can be read; no poll was made.")
        _write(writers, waiting)
        frames = [writer.close() for writer in writers]
        cleaning.pop_all()
    for name in names:
        strip(folder / name)
    for name in names:  # when each was made would tell the order
        os.utime(folder / name, (0, 0))
    return names, {
        "frames": frames[0],
        "fps": round(float(rate), 3),
        "seconds": round(frames[0] / float(rate), 3),
        "size_wh": list(size_wh),
    }


def strip(path: Path) -> None:
    """Rewrite a film's container without tags, times and the encoder's own words; the images stay as they are."""
    bare = path.with_name(f".{path.name}.part")
    try:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(path)) as source, av.open(str(bare), "w", format="mp4", options=options) as target:
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            copy.metadata.clear()
            no_words = BitStreamFilterContext(
                "filter_units=remove_types=6", stream, copy
            )  # 6: SEI, where x264 signs
            for packet in source.demux(stream):
                for part in no_words.filter(packet if packet.dts is not None else None):
                    part.stream = copy
                    target.mux(part)
        os.replace(bare, path)
    except (OSError, av.FFmpegError) as error:
        raise UserError(
            f"Cannot write the film {path}: {getattr(error, 'strerror', None) or error}. Free some space or choose another place."
        ) from error
    finally:
        bare.unlink(missing_ok=True)


def _write(writers: list[FilmWriter], images: list[np.ndarray]) -> None:
    for writer, image in zip(writers, images, strict=True):
        writer.write(image)
