"""The two films of a poll: the same frames, each model alone, nothing in them that says whose it is.

No caption, name, title or end card; one colour, one threshold, one encoder; random file names; no metadata,
and equal file times.
"""

import os
import secrets
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from vector_tl.errors import UserError, cannot_write
from vector_tl.film.footage import FootageFrame, open_footage
from vector_tl.film.loop import FilmMoment, Films, make_films
from vector_tl.film.overlay import pane, pane_size
from vector_tl.parts import Part
from vector_tl.progress import SECONDS, Progress

YELLOW = (255, 221, 64)  # of neither side of a captioned film


def render(
    source: Path,
    folder: Path,
    detectors: list,
    threshold: float = 0.5,
    fps: float | None = None,
    width: int = 640,
) -> tuple[list[str], dict]:
    """Write both films.

    Args:
        source: a recording, a video, a folder of images.
        folder: where they are written.
        detectors: two, each image (H, W, 3) uint8 RGB and threshold -> `boxes_xyxy` (N, 4), `scores` (N,).
        threshold: the confidence threshold, for both.
        fps: frames per second; the source's own when None.
        width: of each film in pixels.

    Returns:
        The films' file names in the order of `detectors`, and facts about both: frames, fps, seconds,
        size_wh.

    Raises:
        UserError: nothing in the source can be shown, or the folder cannot be written.
    """
    footage = open_footage(source)
    rate = Fraction(fps).limit_denominator(1001) if fps else footage.fps
    names = [f"{secrets.token_hex(8)}.mp4" for _ in detectors]
    view = _Blind([folder / name for name in names], width)
    frames = make_films(
        footage.images(),
        Films(rate),
        detectors,
        view,
        every=False,
        threshold=threshold,
        progress=Progress("poll", footage.seconds, SECONDS),
    )
    if not frames:
        raise UserError(f"No image in {source} can be read; no poll was made.")
    for name in names:
        strip(folder / name)
    for name in names:  # when each was made would give the order away
        os.utime(folder / name, (0, 0))
    return names, {
        "frames": frames,
        "fps": round(float(rate), 3),
        "seconds": round(frames / float(rate), 3),
        "size_wh": list(view.size_wh),
    }


class _Blind:
    """A view for `make_films`: a film for each detector that shows its boxes and nothing else."""

    def __init__(self, paths: list[Path], width: int):
        self._paths, self._width = paths, width
        self.size_wh = (0, 0)

    def begin(self, first: FootageFrame, films: Films) -> None:
        height, width = first.image_rgb.shape[:2]
        self.size_wh = pane_size((width, height), self._width)
        for path in self._paths:
            films.open(path, self.size_wh)

    def draw(self, moment: FilmMoment, found: list) -> list[np.ndarray]:
        image_rgb = moment.shown.image_rgb
        return [pane(image_rgb, f.boxes_xyxy, f.scores, self.size_wh, YELLOW) for f in found]

    def stands(self, at: int, until: int) -> int:
        return until - at

    def end(self, films: Films) -> None:
        pass


def strip(path: Path) -> None:
    """Rewrite a film's container without tags, times and the encoder's name; the images stay as they are.

    Raises:
        UserError: the disk does not take it.
    """
    try:
        with Part(path) as bare:
            _copy_bare(path, bare.path)
            bare.put()
    except (OSError, av.FFmpegError) as error:
        raise cannot_write(f"the film {path}", error) from error


def _copy_bare(path: Path, bare: Path) -> None:
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path)) as source, av.open(str(bare), "w", format="mp4", options=options) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        copy.metadata.clear()
        # 6: SEI, where x264 writes its name
        unsigned = BitStreamFilterContext("filter_units=remove_types=6", stream, copy)
        for packet in source.demux(stream):
            for part in unsigned.filter(packet if packet.dts is not None else None):
                part.stream = copy
                target.mux(part)
