"""`vector-tl bench film`: a film of two detectors, times real time, detection included.

Its stages and the share of each; whether memory stays as it is.

The baseline is the same work one step after another in one thread: decode, detect, detect, draw, encode.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vector_tl.bench.measure import MIB, device_words, memory_mib, soft_noise
from vector_tl.bench.reference import EAGER, EagerDetector
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.data.images import encode_jpeg
from vector_tl.data.recording import RecordingWriter
from vector_tl.film.film import load_side_by_side
from vector_tl.film.footage import open_footage
from vector_tl.film.loop import FilmMoment, Films, make_films
from vector_tl.film.reel import Reel, model_line
from vector_tl.film.settings import FilmSettings
from vector_tl.film.side_by_side import SideBySide
from vector_tl.nets.devices import pick_device
from vector_tl.robot.base import Frame

FPS, SIZE_WH = 15, (640, 360)
STAGES = ("decode", "detect", "draw", "encode")
EAGER_IMAGES = 10


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows. `settings.seconds` is how long the recording is that is filmed."""
    seconds = max(settings.seconds, 2.0)
    frames = round(seconds * FPS)
    detectors = load_side_by_side([settings.model] * 2, settings.device, settings.precision)
    with tempfile.TemporaryDirectory(prefix="vector-tl-") as place:
        source = _record(Path(place) / "bench.mcap", frames)
        stage_s = _one_after_another(source, Path(place) / "plain.mp4", detectors)
        asked = FilmSettings(source, settings.model, settings.model, Path(place) / "film.mp4", no_report=True)
        reel = Reel(asked, open_footage(source), detectors)
        begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        with PeakMemory() as memory:
            reel.shoot()
        took_s, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
        eager_ms = _eager_ms(settings, source)
    plain_s = sum(stage_s.values())
    plain = "the same steps one after another in one thread"
    table = [
        Row("film_speed_x", seconds / took_s, "x", plain, seconds / plain_s),
        Row("film_frames_per_s", frames / took_s, "1/s", plain, frames / plain_s),
        Row("film_processor_ms", 1000 * cpu_s / frames, "ms"),
    ]
    for stage in STAGES:
        same = (f"{EAGER}, twice", eager_ms) if stage == "detect" else ()
        table.append(Row(f"stage_{stage}_ms", 1000 * stage_s[stage] / frames, "ms", *same))
    table += share_rows(stage_s)
    kept_mib = frames * 2 / 3 * SIZE_WH[0] * SIZE_WH[1] * 3 / MIB
    kept = "the images of the film's last two thirds, kept"
    table.append(Row("memory_growth_mib", memory.growth_mib(), "MiB", kept, kept_mib))
    where = device_words(detectors[0].device)
    return f"{where}; {detectors[0].engine}; {seconds:g} s at {FPS} frames per second", table


def share_rows(stage_s: dict[str, float]) -> list[Row]:
    """The share of each stage, in percent of all that is done one after another."""
    whole_s = sum(stage_s.values())
    return [Row(f"share_{stage}", 100 * taken_s / whole_s, "%") for stage, taken_s in stage_s.items()]


class PeakMemory:
    """Looks at the process's memory while a block runs."""

    def __enter__(self) -> "PeakMemory":
        self._mib: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def growth_mib(self) -> float:
        """How much higher the peak of the last third is than that of the second, in which all is set up.

        At least 0.
        """
        third = max(len(self._mib) // 3, 1)
        return max(0.0, max(self._mib[-third:]) - max(self._mib[third : 2 * third] or self._mib[:1]))

    def _work(self) -> None:
        while not self._ended.is_set():
            self._mib.append(memory_mib())
            self._ended.wait(0.05)


def _record(path: Path, frames: int) -> Path:
    """A recording of soft shapes that pass by as before a driving robot, with the noise of a small camera."""
    rng = np.random.default_rng(0)
    room = soft_noise(rng, (SIZE_WH[0] * 4, SIZE_WH[1]), (120, 20))
    with RecordingWriter(path) as writer:
        for index in range(frames):
            x = int((1 - np.cos(index / 90)) * 1.49 * SIZE_WH[0])
            noise = rng.integers(0, 12, (SIZE_WH[1], SIZE_WH[0], 3), dtype=np.uint8)
            jpeg = encode_jpeg(cv2.add(room[:, x : x + SIZE_WH[0]], noise), 75)
            writer.frame(Frame(index, index * 1000 // FPS, index / FPS, jpeg))
    return path


def _one_after_another(source: Path, out: Path, detectors: list) -> dict[str, float]:
    """Seconds of each stage."""
    footage, watch = open_footage(source), Stopwatch()
    names = [("model", model_line(detector, None)) for detector in detectors]
    make_films(
        watch.each("decode", footage.images()),
        TimedFilms(footage.fps, watch),
        [partial(watch.call, "detect", detector) for detector in detectors],
        TimedView([(out, [0, 1])], names, watch, footage.seconds or 0.0),
    )
    return watch.taken_s


class Stopwatch:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.taken_s = dict.fromkeys(STAGES, 0.0)

    def call(self, stage: str, work: Callable, *arguments: Any) -> Any:
        """What `work(*arguments)` gives; its time is the stage's."""
        begin_s = time.perf_counter()
        result = work(*arguments)
        self.taken_s[stage] += time.perf_counter() - begin_s
        return result

    def each(self, stage: str, items: Iterator) -> Iterator:
        """The items; the time until each of them is there is the stage's."""
        while (item := self.call(stage, next, items, None)) is not None:
            yield item


class TimedFilms(Films):
    """Films that are encoded in the caller's thread."""

    def __init__(self, fps: Fraction, watch: Stopwatch):
        super().__init__(fps, threads=False)
        self._watch = watch

    def write(self, images_rgb: list[np.ndarray], times: int = 1) -> None:
        """Add one image to each film."""
        self._watch.call("encode", super().write, images_rgb, times)

    def __exit__(self, *raised) -> None:
        self._watch.call("encode", super().__exit__, *raised)


class TimedView(SideBySide):
    """The view of `vector-tl film`."""

    def __init__(self, casts: list, names: list, watch: Stopwatch, expected_s: float):
        super().__init__(casts, names, expected_s=expected_s)
        self._watch = watch

    def draw(self, moment: FilmMoment, found: list) -> list[np.ndarray]:
        """The frame of a moment."""
        return self._watch.call("draw", super().draw, moment, found)


def _eager_ms(settings: BenchSettings, source: Path) -> float:
    """Milliseconds of two calls of torchvision's own."""
    eager = EagerDetector(settings.model, torch.device(pick_device(settings.device)))
    taken_s = []
    for shown, _ in zip(open_footage(source).images(), range(EAGER_IMAGES + 2)):
        begin_s = time.perf_counter()
        for _ in range(2):
            eager(shown.image_rgb)
        taken_s.append(time.perf_counter() - begin_s)
    return 1000 * float(np.median(taken_s[2:]))
