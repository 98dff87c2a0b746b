"""Films as files: H.264 that browsers play and sites for posts take, in a thread of its own; GIFs and stills made of it."""

import os
import queue
import tempfile
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace

from vector_tl.data.images import encode_jpeg, encode_png
from vector_tl.errors import UserError
from vector_tl.files import write_atomic

BT709 = 1  # the same number names its primaries, transfer and matrix
KEY_FRAME_S = 2  # each begins a closed group of images
MAX_MBPS = 8.0  # at 1280x720, more for larger films; sites for posts take 10 and more
WAITING_FRAMES = 6
GIF_BYTES, GIF_S = 8_000_000, 20.0
GIF_TRIES = ((640, 10), (560, 10), (480, 8), (400, 8), (320, 6), (240, 5))  # width, frames a second


class FilmWriter:
    """H.264 in MP4, yuv420p, closed groups of images, index at the front; under a name of its own until it is whole."""

    def __init__(self, path: Path, fps: Fraction, size_wh: tuple[int, int]):
        self.path, self.frames, self._tick = Path(path), 0, 1 / fps
        self._part = None
        mbps = MAX_MBPS * max(1.0, size_wh[0] * size_wh[1] / (1280 * 720))
        options = {
            "crf": "21",
            "preset": "veryfast",
            "profile": "high",
            "g": str(max(1, round(KEY_FRAME_S * fps))),
            "flags": "+cgop",
        }
        options |= {"maxrate": f"{mbps:.2f}M", "bufsize": f"{2 * mbps:.2f}M"}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part"
            )
            os.close(handle)
            self._part = Path(name)
            self._container = av.open(name, "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._container.add_stream("libx264", rate=fps, options=options)
        except (OSError, av.FFmpegError) as error:
            self.abandon()
            raise self._cannot_write(error) from error
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
        return UserError(
            f"Cannot write the film {self.path}: {getattr(error, 'strerror', None) or error}. Free some space or choose another place."
        )


class EncodingThread:
    """A `FilmWriter` in a thread of its own: drawing goes on while frames are encoded. What fails there is raised at the next call here."""

    def __init__(self, writer: FilmWriter):
        self.writer = writer
        self._waiting: queue.Queue = queue.Queue(WAITING_FRAMES)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"encode {writer.path.name}", daemon=True)
        self._thread.start()

    def write(self, image_rgb: np.ndarray, times: int = 1) -> None:
        """Add one frame, `times` times; the image belongs to the film from now on."""
        if self._error is not None:
            raise self._error
        self._waiting.put((image_rgb, times))

    def close(self) -> int:
        """Finish the film. Returns how many frames it has."""
        self._end()
        if self._error is not None:
            raise self._error
        return self.writer.close()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._error = self._error or RuntimeError("given up")  # frames that wait are passed over
        self._end()
        self.writer.abandon()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (frame := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self.writer.write(*frame)
                except BaseException as error:
                    self._error = error


def write_still(path: Path, image_rgb: np.ndarray) -> None:
    """An image as PNG or JPEG, by the path's suffix."""
    png = path.suffix.lower() == ".png"
    write_atomic(path, encode_png(image_rgb) if png else encode_jpeg(image_rgb, 92))


def write_gif(
    film: Path, path: Path, start_s: float = 0.0, end_s: float | None = None, most_bytes: int = GIF_BYTES
) -> dict:
    """The last `GIF_S` seconds of a film between two times as a GIF of at most `most_bytes`, smaller and slower until it fits.

    Returns:
        {"bytes", "size_wh", "fps", "seconds"}

    Raises:
        UserError: it cannot be written, or does not get that small.
    """
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        end_s = float(stream.duration * stream.time_base) if end_s is None else end_s
        film_fps = float(stream.average_rate)
    begin_s = max(start_s, end_s - GIF_S)
    handle, name = tempfile.mkstemp(suffix=".gif")
    os.close(handle)
    try:
        for width, fps in GIF_TRIES:
            fps = min(fps, film_fps)
            size_wh, frames = _gif(film, Path(name), begin_s, end_s, width, fps)
            data = Path(name).read_bytes()
            if len(data) <= most_bytes:
                write_atomic(path, data)
                return {
                    "bytes": len(data),
                    "size_wh": list(size_wh),
                    "fps": round(fps, 3),
                    "seconds": round(frames / fps, 3),
                }
    except (OSError, av.FFmpegError) as error:
        raise UserError(
            f"Cannot write the GIF {path}: {getattr(error, 'strerror', None) or error}."
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)
    raise UserError(f"The GIF {path} stays above {most_bytes / 1e6:g} MB at its smallest; leave out --gif.")


def _gif(
    film: Path, path: Path, begin_s: float, end_s: float, width: int, fps: float
) -> tuple[tuple[int, int], int]:
    """One try, through FFmpeg's filters: one palette for all frames, and only what changes is stored."""
    with av.open(str(film)) as source, av.open(str(path), "w", format="gif", options={"loop": "0"}) as target:
        video = source.streams.video[0]
        wide, high = width, round(width * video.height / video.width)
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(template=video), graph.add("fps", f"{fps:g}"), graph.add("scale", f"{wide}:{high}:flags=area"), graph.add("split"),
        ]  # fmt: skip
        palette, use, sink = (
            graph.add("palettegen", "max_colors=160:stats_mode=full"),
            graph.add("paletteuse", "dither=none:diff_mode=rectangle"),
            None,
        )
        sink = graph.add("buffersink")
        for first, second in zip(nodes, nodes[1:]):
            first.link_to(second)
        nodes[-1].link_to(use, 0, 0)
        nodes[-1].link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        stream = target.add_stream("gif", rate=Fraction(fps).limit_denominator(100))
        stream.width, stream.height, stream.pix_fmt = wide, high, "pal8"
        for frame in source.decode(video):
            if begin_s - 1e-6 <= frame.time < end_s - 1e-6:
                nodes[0].push(frame)
        nodes[0].push(None)
        count = 0
        while True:
            try:
                frame = sink.pull()
            except (av.EOFError, av.BlockingIOError):
                break
            frame.pts, frame.time_base = count, 1 / Fraction(fps).limit_denominator(100)
            count += 1
            for packet in stream.encode(frame):
                target.mux(packet)
        for packet in stream.encode(None):
            target.mux(packet)
    return (wide, high), count
