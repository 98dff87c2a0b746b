"""`vector-tl bench size`: how time and memory grow with a dataset, and how a recording of hours opens.

Each figure comes from a process that does nothing else, so that its peak of memory is its own. Times per
image are the processor's, over all threads, as other programs stretch the clock's; what they are compared
with is the same at the smallest dataset. The images are hard links to a few made ones, so that `label check`
meets its worst case: every image is there hundreds of times.
"""

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.bench.measure import device_words, peak_memory_mib
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.bench.train import made_examples
from vector_tl.data.dataset import label_path, load_dataset, write_item, write_splits
from vector_tl.data.images import KEPT_WH
from vector_tl.data.media import open_media
from vector_tl.data.recording import RecordingWriter
from vector_tl.detect.detector import load
from vector_tl.detect.interface import Detections
from vector_tl.evaluate.evaluate import evaluate_detector
from vector_tl.evaluate.recorded import recorded_dataset
from vector_tl.labels.check import check_images
from vector_tl.labels.review import Desk
from vector_tl.labels.review_queue import Queue
from vector_tl.plain import counted
from vector_tl.robot.base import Frame
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

SIZES = (1_000, 5_000, 20_000)  # images
DIFFERENT, OF_A_SESSION = 64, 50  # images
BOXES = 20  # that a model finds in an image above score .01, right and wrong
FPS, HOURS, SHORT = 15, 4.0, 0.01  # of a recording; what is compared with has this share of its length
LABELS = 100_000  # label files beside the recording
GOAL_S, GOAL_MIB = 60.0, 6 * 1024


@dataclass(frozen=True)
class Cost:
    """What some work took: seconds by the clock and of the processor, and the most memory."""

    clock_s: float
    processor_s: float
    peak_mib: float


def rows(
    settings: BenchSettings, sizes: tuple[int, ...] = SIZES, hours: float = HOURS
) -> tuple[str, list[Row]]:
    """The device in words, and the rows."""
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        folders = {size: make_dataset(Path(place) / str(size), size) for size in sizes}
        for name in COMMANDS:
            table += _grown(name, {size: cost(name, folders[size], settings.model) for size in sizes})
        table += _recordings(Path(place), settings.model, hours)
    return f"{device_words('cpu')}; {DIFFERENT} different images", table


def _grown(name: str, costs: dict[int, Cost]) -> list[Row]:
    table: list[Row] = []
    smallest, largest = min(costs), max(costs)
    first_ms = 1000 * costs[smallest].processor_s / smallest
    for size, one in costs.items():
        each_ms = 1000 * one.processor_s / size
        table.append(
            Row(f"{name}_{size}_ms_per_image", each_ms, "ms", f"at {counted(smallest, 'image')}", first_ms)
        )
        table.append(Row(f"{name}_{size}_mib", one.peak_mib, "MiB", "the goal", GOAL_MIB))
    return [*table, Row(f"{name}_{largest}_s", costs[largest].clock_s, "s", "the goal", GOAL_S)]


def _recordings(place: Path, model: str, hours: float) -> list[Row]:
    long, short = (make_recording(place / f"{share}.mcap", hours * share) for share in (1.0, SHORT))
    labelled = make_recording(place / "labelled.mcap", hours * SHORT)
    make_labels(labelled.with_suffix(".labels"), LABELS if hours == HOURS else 100)
    opened = {path: cost("open", path, model) for path in (long, short, labelled)}
    brief_ms = 1000 * opened[short].processor_s
    than = f"a recording of {60 * hours * SHORT:.3g} minutes"
    words = f"{hours:g}h"
    return [
        Row(f"open_recording_{words}_ms", 1000 * opened[long].processor_s, "ms", than, brief_ms),
        Row("open_recording_100000_labels_ms", 1000 * opened[labelled].processor_s, "ms", than, brief_ms),
        Row(
            f"evaluate_recording_{words}_mib",
            cost("frames", long, model).peak_mib,
            "MiB",
            "the goal",
            GOAL_MIB,
        ),
    ]


def make_dataset(folder: Path, size: int) -> Path:
    """A dataset of `size` images in sessions; the last session is val."""
    first: list[tuple[Path, Path]] = []
    for number, (data, boxes_norm) in enumerate(made_examples(min(DIFFERENT, size))):
        boxes_xyxy = boxes_norm * np.tile(KEPT_WH, 2)
        image = write_item(folder, *_names(number), data, boxes_xyxy, KEPT_WH)
        first.append((image, label_path(folder, *_names(number))))
    for number in range(len(first), size):
        image, label = first[number % len(first)]
        session, name = _names(number)
        _same_file(image, folder / "images" / session / f"{name}.jpg")
        _same_file(label, label_path(folder, session, name))
    sessions = sorted({_names(number)[0] for number in range(size)})
    write_splits(folder, dict.fromkeys(sessions, "train") | {sessions[-1]: "val"})
    return folder


def _names(number: int) -> tuple[str, str]:
    return f"session-{number // OF_A_SESSION:04d}", f"{number % OF_A_SESSION:02d}"


def _same_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a disk without links
        shutil.copyfile(source, target)


def make_recording(path: Path, hours: float) -> Path:
    """A recording with ground truth, whose small images count by their number, not by their pixels."""
    data = [jpeg for jpeg, _ in made_examples(2)]
    with RecordingWriter(path, about={"truth": True}) as writer:
        for number in range(max(2, round(3600 * hours * FPS))):
            frame = Frame(number, number * 1000 // FPS, number / FPS, data[number % len(data)])
            writer.frame(frame)
            writer.truth(frame, np.array([[10.0, 10.0, 90.0, 90.0]]))
    return path


def make_labels(folder: Path, count: int) -> None:
    """Label files of the frames of a recording, all the same."""
    folder.mkdir()
    (folder / "000000.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    for number in range(1, count):
        _same_file(folder / "000000.txt", folder / f"{number:06d}.txt")


# -- the work, each in a process of its own ---------------------------------------------------------------


def cost(name: str, path: Path, model: str) -> Cost:
    """What one of the pieces of work below takes."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        return alone.submit(_cost, name, path, model).result()


def _cost(name: str, path: Path, model: str) -> Cost:
    begin_s, begin_processor_s = time.perf_counter(), time.process_time()
    (COMMANDS | OPENINGS)[name](path, model)
    taken_s, processor_s = time.perf_counter() - begin_s, time.process_time() - begin_processor_s
    return Cost(taken_s, processor_s, peak_memory_mib())


def _review(folder: Path, _model: str) -> None:
    """Until the page has its list of images."""
    desk = Desk(folder)
    Queue(folder).listed("all", None)
    desk.close()


def _check(folder: Path, _model: str) -> None:
    check_images(folder)


def _train(folder: Path, model: str) -> None:
    """A step, and the evaluation of one session."""
    out = folder / "trained.safetensors"
    train(TrainSettings(data=folder, out=out, init=model, steps=1, evaluations=1, device="cpu"))


def _evaluate(folder: Path, model: str) -> None:
    """All but the network's own time: that is `vector-tl bench detect`."""
    dataset = load_dataset(folder, "all")
    load(model, "cpu")(dataset.items[0].image())
    evaluate_detector(_Sure(), dataset)


def _open(path: Path, _model: str) -> None:
    """Until the first image of a recording is there, for `evaluate`, and for all that read films."""
    next(iter(recorded_dataset(path).items)).image()
    next(open_media(path).frames())


def _frames(path: Path, _model: str) -> None:
    """All frames of a recording as `evaluate` finds them, without their pixels."""
    len(recorded_dataset(path).items)


class _Sure:
    """A detector that takes no time and finds as many boxes as a real one, at the same places."""

    name = arch = init = "none"
    threshold = 0.5

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        corner = rng.uniform(0, 200, (BOXES, 2)).astype(np.float32)
        self._found = Detections(
            np.hstack([corner, corner + 60]), np.linspace(0.99, 0.02, BOXES, dtype=np.float32)
        )

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        return self._found


Work = Callable[[Path, str], None]
COMMANDS: dict[str, Work] = {"review": _review, "check": _check, "train": _train, "evaluate": _evaluate}
OPENINGS: dict[str, Work] = {"open": _open, "frames": _frames}
