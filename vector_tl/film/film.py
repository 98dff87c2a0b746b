"""Two detectors on exactly the same frames, side by side, as H.264 that browsers and phones play.

vector-tl film run.mcap --left scratch --right transfer --out run.mp4
"""

import logging
import os
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace

from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.film.footage import Pacer, open_footage
from vector_tl.film.overlay import ORANGE, TEAL, compose, layout, pane
from vector_tl.film.settings import FilmSettings

log = logging.getLogger("vector_tl.film")
BT709 = 1  # the same number names its primaries, transfer and matrix


def film(settings: FilmSettings, left=None, right=None) -> dict:
    """Write the film.

    Args:
        settings: what `vector-tl film` was told.
        left: the left detector, picture (H, W, 3) uint8 RGB -> `boxes_xyxy` and `scores`; loaded by `settings.left` when not given. `right` likewise.

    Returns:
        The result, as the JSON of `vector-tl film --json`.

    Raises:
        UserError: the input or a model cannot be read, the film exists or cannot be written. Nothing is left behind then.
    """
    settings.check()
    refuse_existing(settings.out, settings.overwrite)
    footage = open_footage(settings.input)
    if left is None or right is None:
        from vector_tl.detect.engine import load

        left = left or load(settings.left, settings.device)
        right = right or load(settings.right, settings.device)
    asked = {} if settings.threshold is None else {"threshold": settings.threshold}
    captions = captions_of(left, right)
    fps = Fraction(settings.fps).limit_denominator(1001) if settings.fps else footage.fps
    plan, writer, waiting, at, counts, shown = None, None, None, 0, [0, 0], 0
    started, told = time.monotonic(), time.monotonic()
    pacer = Pacer(fps)
    try:
        for moment in footage.pictures():
            slot = pacer.slot(moment.t_s)
            if slot is None:
                continue
            if plan is None:
                height, width = moment.picture_rgb.shape[:2]
                plan = layout((width, height), settings.width)
                writer = FilmWriter(settings.out, fps, plan.size_wh)
            for _ in range(slot - at if waiting is not None else 0):  # the picture before stands until this one comes
                writer.write(waiting)
            at, shown = slot, shown + 1
            panes, notes = [], []
            for index, (detector, color) in enumerate(((left, ORANGE), (right, TEAL))):
                found = detector(moment.picture_rgb, **asked)
                counts[index] += len(found.scores) > 0
                panes.append(pane(moment.picture_rgb, found.boxes_xyxy, found.scores, plan.pane_wh, color))
                notes.append(f"seen in {counts[index]} of {shown}")
            waiting = compose(*panes, plan, captions, tuple(notes), moment.line, f"{float(slot / fps):.1f} s")
            if time.monotonic() - told > 5:
                told = time.monotonic()
                print(f"film: {slot / float(fps):.0f} s done in {told - started:.0f} s", file=sys.stderr, flush=True)
        if writer is None:
            raise UserError(f"No picture in {settings.input} can be read; nothing was written.")
        writer.write(waiting)
        frames = writer.close()
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise
    seconds = round(frames / float(fps), 3)
    return {"film": str(settings.out), "frames": frames, "fps": round(float(fps), 3), "size_wh": list(plan.size_wh), "seconds": seconds}


def captions_of(left, right) -> tuple[str, str]:
    """How the two are called on the film: by what they began with; by name as well when that is the same."""
    words = [{"scratch": "from scratch", "coco": "transfer"}.get(str(getattr(detector, "init", "")), "transfer") for detector in (left, right)]
    if words[0] == words[1]:
        words = [f"{word}: {getattr(detector, 'name', '?')}" for word, detector in zip(words, (left, right), strict=True)]
    return words[0], words[1]


class FilmWriter:
    """H.264 in MP4, yuv420p, index at the front; under a name of its own until it is whole."""

    def __init__(self, path: Path, fps: Fraction, size_wh: tuple[int, int]):
        self.path, self.frames, self._tick = Path(path), 0, 1 / fps
        self._part = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
            os.close(handle)
            self._part = Path(name)
            self._container = av.open(name, "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._container.add_stream("libx264", rate=fps, options={"crf": "21", "preset": "veryfast"})
        except (OSError, av.FFmpegError) as error:
            self.abandon()
            raise self._cannot_write(error) from error
        self._stream.width, self._stream.height = size_wh
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709

    def write(self, picture_rgb: np.ndarray) -> None:
        """Add one frame (H, W, 3) of the film's size."""
        frame = av.VideoFrame.from_ndarray(picture_rgb, format="rgb24").reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = self.frames, self._tick
        self.frames += 1
        self._mux(frame)

    def close(self) -> int:
        """Finish the film and give it its name. Returns how many frames it has."""
        self._mux(None)
        try:
            self._container.close()
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(self._part, 0o666 & ~umask)
            os.replace(self._part, self.path)
        except (OSError, av.FFmpegError) as error:
            raise self._cannot_write(error) from error
        return self.frames

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: Exception) -> UserError:
        return UserError(f"Cannot write the film {self.path}: {getattr(error, 'strerror', None) or error}. Free some space or choose another place.")
