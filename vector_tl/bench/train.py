"""`vector-tl bench train`: images per second of the training loop, and where the time goes.

The baseline is the plain form of the field (`reference.py`).
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from vector_tl.bench.measure import (
    MIB,
    device_words,
    in_turn,
    matrix_product,
    medians,
    operations,
    peak_memory_mib,
    soft_noise,
)
from vector_tl.bench.reference import Example, Reference
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.data.dataset import write_item, write_splits
from vector_tl.data.images import KEPT_WH, decode_image, encode_jpeg
from vector_tl.errors import UserError
from vector_tl.nets.checkpoint import load
from vector_tl.nets.devices import pick_device
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.batches import Batches, Images
from vector_tl.train.memory import keep_freed_memory
from vector_tl.train.precision import faster_in_bfloat16
from vector_tl.train.ranks import Ranks
from vector_tl.train.settings import LR_TRAINED
from vector_tl.train.step import Step, make_optimizer

BATCH, EXAMPLES, STANDARD = 16, 64, 685
EPOCHS, LARGE_BATCH, GOAL_S = 60, 64, 60.0  # of both arms on a GPU
COUNTED, LR = 2, 1e-4
WORKERS = os.cpu_count() or 1  # of the reference's DataLoader
AT_ONCE = 20  # steps of a GPU between two looks at the clock


class TrainSteps:
    """The steps of `vector-tl train`, part by part.

    On a GPU, where a step is one CUDA graph, its parts cannot be told apart.
    """

    def __init__(self, network: VectorSSD, images: Images, batch_size: int, device: torch.device):
        self.device, self.batch_size = device, batch_size
        network.to(device, memory_format=torch.channels_last)
        self.batches = Batches(images, None, batch_size, network.size_wh, 0, device)
        captured, self.bfloat16 = device.type == "cuda", faster_in_bfloat16(network, device)
        optimizer = make_optimizer(network, LR, captured)
        self.train_on = Step(network, Ranks().parallel(network), optimizer, captured, self.bfloat16)
        self.parts = ("batch", "graph") if captured else ("batch", "forward", "backward", "update")
        self.taken_s: dict[str, list[float]] = {part: [] for part in self.parts}

    def batch(self) -> None:
        """Make a batch."""
        self.pixels, self.targets = self.batches.next_batch()

    def graph(self) -> None:
        """From the batch to new weights."""
        self.train_on(self.pixels, self.targets, LR)

    def forward(self) -> None:
        """From the batch to its loss."""
        self.loss = self.train_on.loss(self.pixels, self.targets)

    def backward(self) -> None:
        """From the loss to gradients."""
        self.train_on.backward(self.loss)

    def update(self) -> None:
        """From gradients to new weights."""
        self.train_on.update()
        self.loss.item()

    def step(self) -> None:
        """All parts of one step; their times are kept."""
        for part in self.parts:
            begin_s = time.perf_counter()
            getattr(self, part)()
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            self.taken_s[part].append(time.perf_counter() - begin_s)

    def several(self) -> None:
        """`AT_ONCE` steps as the loop makes them: the next batch is prepared while a GPU is at a step."""
        for _ in range(AT_ONCE):
            self.batch()
            self.graph()


def several_per_s(steps: TrainSteps, seconds: float) -> float:
    """Images per second of `TrainSteps.several`, on a GPU."""
    taken_s = in_turn({"several": steps.several}, seconds, steps.device, COUNTED)["several"]
    return AT_ONCE * steps.batch_size / statistics.median(taken_s)


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows."""
    device = torch.device(pick_device(settings.device))
    if device.type == "cpu":
        keep_freed_memory()
    examples = made_examples(EXAMPLES)
    loop = TrainSteps(load(settings.model)[0], kept(examples), BATCH, device)
    reference = Reference(load(settings.model)[0], examples, BATCH, 1e-4, device, WORKERS)
    multiply, multiplied = matrix_product(device, torch.bfloat16 if loop.bfloat16 else torch.float32)
    steps: dict[str, Callable[[], object]] = {"loop": loop.step, "reference": reference.step}
    for step in steps.values():  # what comes first is slow
        step()
    if device.type == "cuda":
        peaks = {name: peak_mib(step, device) for name, step in steps.items()}
    else:
        peaks = {name: peak_alone_mib(name, settings.model, WORKERS) for name in steps}
    waiting = {"reference": 2 * WORKERS}  # batches that the workers made while something else was measured
    taken_s = in_turn(steps | {"matrix": multiply}, settings.seconds, device, COUNTED, more_uncounted=waiting)
    reference.close()
    median_s, part_s = medians(taken_s), medians(loop.taken_s)
    done = 3 * BATCH * operations(load(settings.model)[0])  # forward, and twice that backward
    floor_s = done * median_s["matrix"] / multiplied
    plain = f"torchvision's reference form, {WORKERS} DataLoader workers"
    floor = "its operations at the speed of a large matrix product"
    on_gpu = device.type == "cuda"
    images_per_s = several_per_s(loop, settings.seconds) if on_gpu else BATCH / median_s["loop"]
    table = [
        Row("train_images_per_s", images_per_s, "1/s", plain, BATCH / median_s["reference"]),
        Row("train_images_per_s_of_peak", images_per_s, "1/s", floor, BATCH / floor_s),
        *(Row(f"{part}_ms", 1000 * seconds, "ms") for part, seconds in part_s.items()),
        Row("memory_while_training_mib", peaks["loop"], "MiB", f"{plain} not counted", peaks["reference"]),
        Row("kept_images_mib", STANDARD * KEPT_WH[0] * KEPT_WH[1] * 3 / MIB, "MiB"),
    ]
    if on_gpu:
        large = TrainSteps(load(settings.model)[0], kept(examples), LARGE_BATCH, device)
        many_per_s = several_per_s(large, settings.seconds)
        table.append(Row(f"train_images_per_s_in_batches_of_{LARGE_BATCH}", many_per_s, "1/s"))
        # hours on a CPU
        with tempfile.TemporaryDirectory(prefix="vector-tl-") as folder:
            seconds = both_arms_s(Path(folder), device, STANDARD, EPOCHS, LARGE_BATCH)
        table.append(Row(f"both_arms_{EPOCHS}_epochs_s", seconds, "s", "the goal", GOAL_S))
    return f"{device_words(device)}; batches of {BATCH}", table


def both_arms_s(folder: Path, device: torch.device, images: int, epochs: float, batch_size: int) -> float:
    """Seconds that two `vector-tl train` take side by side, start-up included.

    Both train from scratch, as other initial weights would not change the time.

    Raises:
        UserError: a training fails.
    """
    examples = made_examples(EXAMPLES)
    for number in range(images):
        data, boxes_norm = examples[number % len(examples)]
        session = "val" if number % 6 == 5 else "train"
        boxes_xyxy = boxes_norm * np.tile(KEPT_WH, 2)
        write_item(folder, session, f"{number:03d}", data, boxes_xyxy, KEPT_WH)
    write_splits(folder, {"train": "train", "val": "val"})
    command = [sys.executable, "-m", "vector_tl", "train", "--data", str(folder), "--init", "scratch"]
    command += ["--device", str(device), "--epochs", f"{epochs:g}", "--batch-size", str(batch_size)]
    command += ["--lr", str(LR_TRAINED)]  # safe with a large batch
    begin_s = time.perf_counter()
    arms = [
        subprocess.Popen(
            [*command, "--seed", str(seed), "--out", str(folder / f"{seed}.safetensors")],
            stdout=subprocess.DEVNULL,
        )
        for seed in range(2)
    ]
    failed = [arm.wait() for arm in arms]
    if any(failed):
        raise UserError("A training of this benchmark failed; its error stands above.")
    return time.perf_counter() - begin_s


def peak_mib(do: Callable[[], object], device: torch.device) -> float:
    """The most memory of a GPU in use meanwhile."""
    torch.cuda.reset_peak_memory_stats(device)
    do()
    return torch.cuda.max_memory_allocated(device) / 2**20


def peak_alone_mib(form: str, model: str, workers: int) -> float:
    """The most memory of a process that does nothing but two steps of a form on the CPU.

    0 where the system cannot say.

    In this process, what the other form has freed would count, too.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        return alone.submit(_two_steps, form, model, workers, BATCH, EXAMPLES).result()


def _two_steps(form: str, model: str, workers: int, batch_size: int, count: int) -> float:
    device, examples = torch.device("cpu"), made_examples(count)
    network = load(model)[0]
    if form == "loop":
        keep_freed_memory()
        steps = TrainSteps(network, kept(examples), batch_size, device)
        for _ in range(2):
            steps.step()
    else:
        reference = Reference(network, examples, batch_size, 1e-4, device, workers)
        for _ in range(2):
            reference.step()
        reference.close()
    return peak_memory_mib()


def made_examples(count: int) -> list[Example]:
    """Images of soft noise with a dark block, as JPEG, and its box (1, 4) in 0..1."""
    rng, examples = np.random.default_rng(0), []
    for _ in range(count):
        image = soft_noise(rng, KEPT_WH, (64, 36))
        x, y = rng.uniform(0, 0.6, 2)
        box = np.array([[x, y, x + rng.uniform(0.1, 0.4), y + rng.uniform(0.1, 0.4)]])
        x1, y1, x2, y2 = (box[0] * np.tile(KEPT_WH, 2)).astype(int)
        image[y1:y2, x1:x2] = image[y1:y2, x1:x2] // 8
        examples.append((encode_jpeg(image), box))
    return examples


def kept(examples: list[Example]) -> Images:
    """The same, decoded, as `vector-tl train` keeps them."""
    pixels = [decode_image(data, "the image") for data, _ in examples]
    return Images(
        torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), [box for _, box in examples]
    )
