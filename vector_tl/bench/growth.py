"""`vector-tl bench growth`: what one more box in an image, robot or minute of a recording costs.

Each row is time for one of them, beside the same at the smallest number, so that one sees where it bends:
a ratio well below 1 means that the work grows faster than its size. How it grows with the number of images
is `vector-tl bench size`. Times are the processor's, as other programs stretch the clock's.
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from vector_tl.bench.measure import device_words, processor_s
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.bench.size import make_recording
from vector_tl.data.images import KEPT_WH
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.evaluate.recorded import recorded_dataset
from vector_tl.nets.archs import describe
from vector_tl.nets.build import build
from vector_tl.nets.loss import Targets
from vector_tl.nets.ssd import VectorSSD
from vector_tl.nets.suppression import MAX_BOXES, select_boxes
from vector_tl.robot.base import NoFreshFrame
from vector_tl.robot.link import VectorLink
from vector_tl.robot.open import open_robot
from vector_tl.robot.simulator_client import SimulatorProcess
from vector_tl.train.batches import Batches, Images

BOXES, ROBOTS, MINUTES = (1, 4, 16, 64), (1, 2, 3, 4), (1.0, 5.0, 20.0)
IMAGES = 16  # in which the boxes lie
NEAR = 5  # boxes that a network gives for each Vector, of some hundred that see nothing
REPEAT_S, REPEATS = 0.1, 3  # of the processor, for what takes less; the shortest counts
ARCH, WORLD, FPS, WARM_S = "ssd300_mobilenet_v1", 204, 15.0, 1.0


def rows(
    settings: BenchSettings,
    boxes: tuple[int, ...] = BOXES,
    robots: tuple[int, ...] = ROBOTS,
    minutes: tuple[float, ...] = MINUTES,
    camera: str = "rendered",
) -> tuple[str, list[Row]]:
    """The device in words, and the rows. `settings.seconds` is for how long the robots stream, in all."""
    table: list[Row] = []
    for name, work_of in OF_BOXES.items():
        each = {count: _processor_ms(work_of(count)) / (count * IMAGES) for count in boxes}
        table += _compared(each, f"{name}_{{}}_boxes_ms_per_box", "{} in an image")
    seconds = settings.seconds / max(1, len(robots))
    each = {count: ms_per_frame(count, seconds, camera) for count in robots}
    table += _compared(each, "sim_{}_robots_ms_per_frame", "{} robot")
    table += _recordings(minutes)
    return device_words("cpu"), table


def _compared(each_ms: dict, what: str, baseline: str) -> list[Row]:
    smallest = min(each_ms, default=0)
    return [
        Row(what.format(f"{size:g}"), ms, "ms", baseline.format(f"{smallest:g}"), each_ms[smallest])
        for size, ms in each_ms.items()
    ]


def _processor_ms(work: Callable[[], object]) -> float:
    """Processor time of one call: of some rounds the shortest."""
    work()  # what comes first is slow
    rounds = []
    for _ in range(REPEATS):
        begin_s, calls = time.process_time(), 0
        while not calls or time.process_time() - begin_s < REPEAT_S:
            work()
            calls += 1
        rounds.append((time.process_time() - begin_s) / calls)
    return 1000 * min(rounds)


# -- boxes in an image ------------------------------------------------------------------------------------


def _augment(boxes: int) -> Callable[[], object]:
    """Batches of training images."""
    pixels = torch.zeros(IMAGES, 3, *KEPT_WH[::-1], dtype=torch.uint8)
    images = Images(pixels, [_places(boxes, number) for number in range(IMAGES)])
    return Batches(images, None, IMAGES, (300, 300), 0, torch.device("cpu")).next_batch


def _loss(boxes: int) -> Callable[[], object]:
    """Matching a batch to anchors, and its loss, forward."""
    network = _network()
    with torch.no_grad():
        outputs = network.raw(torch.zeros(1, 3, *network.size_wh[::-1]))
    outputs = {name: values.expand(IMAGES, -1, -1) for name, values in outputs.items()}
    places = np.stack([_places(boxes, number) for number in range(IMAGES)])
    targets = Targets(torch.from_numpy(places).float(), torch.ones(IMAGES, boxes, dtype=torch.int64))

    def work() -> None:
        with torch.no_grad():
            network.compute_loss(targets, outputs)

    return work


def _suppression(boxes: int) -> Callable[[], object]:
    """The choice among all that a network gives."""
    anchors = len(describe(ARCH).anchors_xyxy())
    given = []
    for number in range(IMAGES):
        rng = np.random.default_rng(number)
        near = np.repeat(_places(boxes, number), NEAR, axis=0) + rng.normal(0, 0.004, (boxes * NEAR, 4))
        found = np.concatenate([near, np.tile([0.0, 0.0, 0.1, 0.1], (anchors, 1))])[:anchors]
        scores = np.full(anchors, 0.001)
        scores[: len(near)] = rng.uniform(0.5, 1, len(near))
        given.append((scores.astype(np.float32), found.astype(np.float32)))
    return lambda: [select_boxes(scores, found, 0.01, MAX_BOXES) for scores, found in given]


def _evaluate(boxes: int) -> Callable[[], object]:
    """AP, precision and recall of as many detections as there are Vectors, half of them right."""
    scale, outcomes = np.array([*KEPT_WH, *KEPT_WH]), []
    for number in range(IMAGES):
        truth = (_places(boxes, number) * scale).astype(np.float32)
        found = truth + np.where(np.arange(boxes) % 2, 40, 0)[:, None].astype(np.float32)
        scores = np.linspace(0.99, 0.1, boxes).astype(np.float32)
        outcomes.append(Outcome(KEPT_WH, truth, found, scores, scores))
    return lambda: measure(outcomes, 0.5)


def _places(boxes: int, seed: int) -> np.ndarray:
    """Boxes (n, 4) in 0..1 side by side in a grid, all of its cell but a margin."""
    side = int(np.ceil(np.sqrt(boxes)))
    cells = np.random.default_rng(seed).permutation(side * side)[:boxes]
    corner = np.stack([cells % side, cells // side], 1) / side
    return np.hstack([corner + 0.1 / side, corner + 0.8 / side])


def _network() -> VectorSSD:
    return build(ARCH, "scratch").eval()


OF_BOXES: dict[str, Callable[[int], Callable[[], object]]] = {
    "augment": _augment,
    "loss": _loss,
    "suppression": _suppression,
    "evaluate": _evaluate,
}


# -- robots, and minutes ----------------------------------------------------------------------------------


def ms_per_frame(robots: int, seconds: float, camera: str = "rendered") -> float:
    """The simulator's processor time for one frame of one of so many robots that all stream and turn."""
    with (
        SimulatorProcess(robots=robots, targets=1, world=WORLD, camera_fps=FPS, camera=camera) as simulator,
        ExitStack() as stack,
    ):
        links = [
            stack.enter_context(open_robot(serial, home=simulator.home, drives=False))
            for serial in simulator.serials
        ]
        with ThreadPoolExecutor(robots) as threads:
            list(threads.map(lambda link: frames_of(link, WARM_S), links))
            begin_s = processor_s(simulator.process.pid)
            frames = sum(threads.map(lambda link: frames_of(link, seconds), links))
            return 1000 * (processor_s(simulator.process.pid) - begin_s) / max(1, frames)


def frames_of(link: VectorLink, seconds: float) -> int:
    """How many frames a robot sends in this time."""
    until_s, frames, newest = time.monotonic() + seconds, 0, None
    while time.monotonic() < until_s:
        try:
            newest = link.next_frame(newest).image_id
        except NoFreshFrame:  # a busy machine
            continue
        frames += 1
    return frames


def _recordings(minutes: Iterable[float]) -> list[Row]:
    """Writing recordings, and reading all their frames as `evaluate` does, without the pixels."""
    wrote_ms, read_ms = {}, {}
    with tempfile.TemporaryDirectory(prefix="vector-tl-") as place:
        for length in minutes:
            path = Path(place) / f"{length:g}.mcap"
            begin_s = time.process_time()
            make_recording(path, length / 60)
            written_s = time.process_time()
            len(recorded_dataset(path).items)
            wrote_ms[length] = 1000 * (written_s - begin_s) / length
            read_ms[length] = 1000 * (time.process_time() - written_s) / length
            path.unlink()
    than = "a recording of {} minutes"
    return [
        *_compared(wrote_ms, "write_{}_minutes_ms_per_minute", than),
        *_compared(read_ms, "read_{}_minutes_ms_per_minute", than),
    ]
