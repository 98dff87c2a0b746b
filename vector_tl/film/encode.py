"""Films as files: H.264 that browsers and video sites play, encoded in a thread of its own.

GIFs and stills.
"""

import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import Colorspace

from vector_tl.data.images import encode_jpeg, encode_png
from vector_tl.errors import UserError, cannot_write
from vector_tl.files import write_atomic
from vector_tl.parts import Part

BT709 = 1  # the same number names its primaries, transfer and matrix
KEY_FRAME_S = 2  # each begins a closed group of frames
# Of x264. On a demo's film (noisy images in the dark) veryfast took 17 ms of a frame, this one 11, for files
# larger by a quarter and .4 dB; two models' films then come 1.2 times as fast.
PRESET = "superfast"
MAX_MBPS = 8.0  # at 1280x720, more for larger films; video sites accept 10 and more
WAITING_FRAMES = 6
GIF_BYTES, GIF_S = 8_000_000, 20.0
GIF_TRIES = ((640, 10), (560, 10), (480, 8), (400, 8), (320, 6), (240, 5))  # width, frames per second


class FilmWriter:
    """A film being written: H.264 in MP4, yuv420p, closed groups of frames, index at the front.

    It has a name of its own (beside `path`) until it is whole.

    Args:
        path: the film.
        fps: frames per second.
        size_wh: even numbers of pixels.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, path: Path, fps: Fraction, size_wh: tuple[int, int]):
        self.path, self.frames, self._tick = Path(path), 0, 1 / fps
        self._failed: UserError | None = None
        try:
            self._part = Part(self.path)
        except OSError as error:
            raise cannot_write(f"the film {self.path}", error) from error
        mbps = MAX_MBPS * max(1.0, size_wh[0] * size_wh[1] / (1280 * 720))
        options = {
            "crf": "21",
            "preset": PRESET,
            "profile": "high",
            "g": str(max(1, round(KEY_FRAME_S * fps))),
            "flags": "+cgop",
            "maxrate": f"{mbps:.2f}M",
            "bufsize": f"{2 * mbps:.2f}M",
        }
        try:
            self._container = av.open(
                str(self._part.path), "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream = self._container.add_stream("libx264", rate=fps, options=options)
        except (OSError, av.FFmpegError) as error:
            self.abandon()
            raise cannot_write(f"the film {self.path}", error) from error
        self._stream.width, self._stream.height = size_wh
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709

    def write(self, image_rgb: np.ndarray, times: int = 1) -> None:
        """Add an image (H, W, 3) of the film's size for `times` frames.

        Raises:
            UserError: the disk does not take it.
        """
        for _ in range(times):
            frame = av.VideoFrame.from_ndarray(image_rgb, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709
            )
            frame.pts, frame.time_base = self.frames, self._tick
            self.frames += 1
            self._mux(frame)

    def close(self) -> int:
        """Finish the film and give it its name. Returns how many frames it has.

        Raises:
            UserError: the disk does not take it.
        """
        self._mux(None)
        try:
            self._container.close()
            self._part.put()
        except (OSError, av.FFmpegError) as error:
            raise cannot_write(f"the film {self.path}", error) from error
        return self.frames

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._part.drop()

    def _mux(self, frame: av.VideoFrame | None) -> None:
        if self._failed is not None:  # FFmpeg crashes where it is given more after its header was refused
            raise self._failed
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            self._failed = cannot_write(f"the film {self.path}", error)
            raise self._failed from error


class EncodingThread:
    """A `FilmWriter` in a thread of its own: drawing continues while frames are encoded.

    What fails there is raised by a later call here.
    """

    def __init__(self, writer: FilmWriter):
        self.writer = writer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"encode {writer.path.name}")
        self._waiting: deque[Future] = deque()

    def write(self, image_rgb: np.ndarray, times: int = 1) -> None:
        """Add an image (H, W, 3) for `times` frames; it belongs to the film from now on."""
        self._waiting.append(self._pool.submit(self.writer.write, image_rgb, times))
        if len(self._waiting) > WAITING_FRAMES:
            self._waiting.popleft().result()

    def close(self) -> int:
        """Finish the film and give it its name. Returns how many frames it has."""
        while self._waiting:
            self._waiting.popleft().result()
        self._pool.shutdown()
        return self.writer.close()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._pool.shutdown(cancel_futures=True)
        self.writer.abandon()


def write_still(path: Path, image_rgb: np.ndarray) -> None:
    """Write an image (H, W, 3) as PNG or JPEG, by the path's suffix.

    Raises:
        UserError: the disk does not take it.
    """
    png = path.suffix.lower() == ".png"
    write_atomic(path, encode_png(image_rgb) if png else encode_jpeg(image_rgb, 92))


def write_gif(
    film: Path, path: Path, start_s: float = 0.0, end_s: float | None = None, max_bytes: int = GIF_BYTES
) -> dict:
    """Write the last seconds of a film, `GIF_S` at most, as a GIF, smaller and slower until it fits.

    Args:
        film: the film.
        path: the GIF.
        start_s: nothing before it is taken.
        end_s: nothing after it is taken; None for the film's end.
        max_bytes: the most that it may have.

    Returns:
        {"bytes", "size_wh", "fps", "seconds"}

    Raises:
        UserError: it cannot be written, or does not become that small.
    """
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        film_fps = stream.average_rate or Fraction(1)
        end_s = float(stream.frames / film_fps) if end_s is None else end_s
    begin_s = max(start_s, end_s - GIF_S)
    with tempfile.NamedTemporaryFile(suffix=".gif") as attempt:
        try:
            for width, max_fps in GIF_TRIES:
                fps = min(Fraction(max_fps), film_fps).limit_denominator(100)
                size_wh, frames = _gif(film, attempt.name, begin_s, end_s, width, fps)
                data = Path(attempt.name).read_bytes()
                if len(data) <= max_bytes:
                    write_atomic(path, data)
                    seconds = round(float(frames / fps), 3)
                    return {
                        "bytes": len(data),
                        "size_wh": list(size_wh),
                        "fps": round(float(fps), 3),
                        "seconds": seconds,
                    }
        except (OSError, av.FFmpegError) as error:
            raise cannot_write(f"the GIF {path}", error) from error
    raise UserError(
        f"The GIF {path} is larger than {max_bytes / 1e6:g} MB even at its smallest; leave out --gif."
    )


def _gif(
    film: Path, path: str, begin_s: float, end_s: float, width: int, fps: Fraction
) -> tuple[tuple[int, int], int]:
    """Write a GIF of one size by FFmpeg's filters.

    One palette for all frames, and only what changes is stored.

    Returns:
        Its width and height, and how many frames it has.
    """
    with av.open(str(film)) as source, av.open(path, "w", format="gif", options={"loop": "0"}) as target:
        video = source.streams.video[0]
        size_wh = width, round(width * video.height / video.width)
        graph = av.filter.Graph()
        entry = graph.add_buffer(template=video)
        paced = graph.add("fps", f"{float(fps):g}")
        scaled = graph.add("scale", f"{size_wh[0]}:{size_wh[1]}:flags=area")
        split = graph.add("split")
        palette = graph.add("palettegen", "max_colors=160:stats_mode=full")
        use = graph.add("paletteuse", "dither=none:diff_mode=rectangle")
        sink = graph.add("buffersink")
        for first, second in ((entry, paced), (paced, scaled), (scaled, split), (split, use), (use, sink)):
            first.link_to(second)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        graph.configure()
        stream = target.add_stream("gif", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size_wh, "pal8"
        for frame in source.decode(video):
            if begin_s - 1e-6 <= frame.time < end_s - 1e-6:
                entry.push(frame)
        entry.push(None)
        count = 0
        while True:
            try:
                shown = cast(av.VideoFrame, sink.pull())
            except (av.EOFError, av.BlockingIOError):
                break
            shown.pts, shown.time_base = count, 1 / fps
            count += 1
            target.mux(stream.encode(shown))
        target.mux(stream.encode(None))
    return size_wh, count
