"""`vector-tl bench train`: images per second of the training loop, beside the plain form of the field (`reference.py`), and where the time goes."""

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

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vector_tl.bench.reference import Example, Reference
from vector_tl.bench.run import BenchSettings, Row
from vector_tl.data.dataset import write_item, write_splits
from vector_tl.data.images import decode_image, encode_jpeg
from vector_tl.detect.engine import pick_device
from vector_tl.errors import UserError
from vector_tl.nets.checkpoint import load
from vector_tl.train.batches import KEPT_WH, Batches, Images
from vector_tl.train.loop import CLIP_NORM, make_optimizer
from vector_tl.train.memory import keep_freed_memory
from vector_tl.train.precision import has_bfloat16, mixed
from vector_tl.train.settings import LR_TRAINED

BATCH, EXAMPLES, STANDARD = 16, 64, 685
EPOCHS, LARGE_BATCH, GOAL_S = 60, 64, 60.0  # of both arms on a GPU
MATRIX = {"cpu": 1536, "cuda": 8192}
MIN_ROUNDS, COUNTED = 2, 2
PARTS = ("batch", "forward", "backward", "update")


class Loop:
    """The steps of `vector-tl train`, one by one."""

    def __init__(self, network: nn.Module, images: Images, batch_size: int, device: torch.device):
        self.network, self.device = network.to(device, memory_format=torch.channels_last).train(), device
        self.batches = Batches(images, None, batch_size, network.size_wh, 0, device)
        self.optimizer = make_optimizer(network, 1e-4)
        self.taken_s: dict[str, list[float]] = {part: [] for part in PARTS}

    def batch(self) -> None:
        self.pixels, self.targets = self.batches.next_batch()

    def forward(self) -> None:
        with mixed(self.device):
            outputs = self.network.raw(self.pixels)
        self.loss = sum(self.network.compute_loss(self.targets, outputs).values())

    def backward(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss.backward()

    def update(self) -> None:
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.loss.item()

    def step(self) -> None:
        for part in PARTS:
            begin_s = time.perf_counter()
            getattr(self, part)()
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            self.taken_s[part].append(time.perf_counter() - begin_s)


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows."""
    device = pick_device(settings.device)
    if device.type == "cpu":
        keep_freed_memory()
    examples = made_examples(EXAMPLES)
    loop = Loop(load(settings.model)[0], kept(examples), BATCH, device)
    workers = os.cpu_count() or 1
    reference = Reference(load(settings.model)[0], examples, BATCH, 1e-4, device, workers)
    side = MATRIX[device.type]
    matrix = torch.rand(
        side, side, device=device, dtype=torch.bfloat16 if has_bfloat16(device) else torch.float32
    )
    work = {"loop": loop.step, "reference": reference.step, "matrix": lambda: matrix @ matrix}
    for step in (loop.step, reference.step):  # what comes first is slow
        step()
    peaks = {
        name: peak_mib(work[name], device)
        if device.type == "cuda"
        else peak_alone_mib(name, settings.model, workers)
        for name in ("loop", "reference")
    }
    ahead = {"reference": 2 * workers}  # batches that the workers made while something else was measured
    taken = in_turn(work, settings.seconds, device, ahead)
    reference.close()
    median = {name: statistics.median(times) for name, times in taken.items()}
    operations = 3 * BATCH * _operations(load(settings.model)[0])  # forward, and twice that backward
    floor_s = operations / (2 * side**3 / median["matrix"])
    plain = f"torchvision's reference form, {workers} DataLoader workers"
    table = [
        Row("images_per_s", BATCH / median["loop"], "1/s", plain, BATCH / median["reference"]),
        Row(
            "images_per_s_of_peak",
            BATCH / median["loop"],
            "1/s",
            "its operations at the speed of a large matrix product",
            BATCH / floor_s,
        ),
        *(Row(f"{part}_ms", 1000 * statistics.median(times), "ms") for part, times in loop.taken_s.items()),
        Row(
            "memory_while_training_mib",
            peaks["loop"],
            "MiB",
            f"{plain}, without its workers",
            peaks["reference"],
        ),
        Row("kept_images_mib", STANDARD * KEPT_WH[0] * KEPT_WH[1] * 3 / 2**20, "MiB"),
    ]
    if device.type == "cuda":  # hours on a CPU
        with tempfile.TemporaryDirectory() as folder:
            seconds = both_arms_s(Path(folder), device, STANDARD, EPOCHS, LARGE_BATCH)
        table.append(Row(f"both_arms_{EPOCHS}_epochs_s", seconds, "s", "the goal", GOAL_S))
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    return f"{where}; batches of {BATCH}", table


def both_arms_s(folder: Path, device: torch.device, images: int, epochs: float, batch_size: int) -> float:
    """Seconds that two `vector-tl train` take side by side, start-up included; both from scratch, for the first weights change nothing of that.

    Raises:
        UserError: a training fails.
    """
    examples = made_examples(EXAMPLES)
    for number in range(images):
        data, boxes = examples[number % len(examples)]
        write_item(
            folder,
            "val" if number % 6 == 5 else "train",
            f"{number:03d}",
            data,
            boxes * np.tile(KEPT_WH, 2),
            KEPT_WH,
        )
    write_splits(folder, {"train": "train", "val": "val"})
    command = [
        sys.executable,
        "-m",
        "vector_tl",
        "train",
        "--data",
        folder,
        "--init",
        "scratch",
        "--device",
        str(device),
    ]
    command = [
        *map(str, command),
        "--epochs",
        f"{epochs:g}",
        "--batch-size",
        str(batch_size),
        "--lr",
        str(LR_TRAINED),
    ]  # safe with a large batch
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
        raise UserError("A training of this benchmark failed; what it says stands above.")
    return time.perf_counter() - begin_s


def in_turn(
    work: dict[str, Callable[[], object]], seconds: float, device: torch.device, ahead: dict[str, int]
) -> dict[str, list[float]]:
    """Seconds of each piece of work, in turn, so that a busy machine slows all of them alike.

    The first calls of each turn do not count: one, or as many as `ahead` says.
    """
    taken: dict[str, list[float]] = {name: [] for name in work}
    until_s, rounds = time.perf_counter() + seconds, 0
    while rounds < MIN_ROUNDS or time.perf_counter() < until_s:
        for name, do in work.items():
            uncounted = ahead.get(name, 1)
            for call in range(uncounted + COUNTED):
                begin_s = time.perf_counter()
                do()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if call >= uncounted:
                    taken[name].append(time.perf_counter() - begin_s)
        rounds += 1
    return taken


def peak_mib(do: Callable[[], object], device: torch.device) -> float:
    """The most memory of a GPU in use meanwhile."""
    torch.cuda.reset_peak_memory_stats(device)
    do()
    return torch.cuda.max_memory_allocated(device) / 2**20


def peak_alone_mib(form: str, model: str, workers: int) -> float:
    """The most memory in use by a process that does nothing but two steps of a form on the CPU: here, what the other form had freed would count, too.

    0 where the system does not tell.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        return alone.submit(_two_steps, form, model, workers, BATCH, EXAMPLES).result()


def _two_steps(form: str, model: str, workers: int, batch_size: int, count: int) -> float:
    device, examples = torch.device("cpu"), made_examples(count)
    if form == "loop":
        keep_freed_memory()
        work = Loop(load(model)[0], kept(examples), batch_size, device)
    else:
        work = Reference(load(model)[0], examples, batch_size, 1e-4, device, workers)
    for _ in range(2):
        work.step()
    if form != "loop":
        work.close()
    try:
        status = Path(
            "/proc/self/status"
        ).read_text()  # ru_maxrss would count what the parent had when it started this process
    except OSError:
        return 0.0  # not Linux
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def made_examples(count: int) -> list[Example]:
    """Images of soft noise with a dark block, as JPEG, and its box."""
    rng, examples = np.random.default_rng(0), []
    for _ in range(count):
        image = cv2.resize(
            rng.integers(0, 256, (36, 64, 3), dtype=np.uint8), KEPT_WH, interpolation=cv2.INTER_CUBIC
        )
        x, y = rng.uniform(0, 0.6, 2)
        box = np.array([[x, y, x + rng.uniform(0.1, 0.4), y + rng.uniform(0.1, 0.4)]])
        x1, y1, x2, y2 = (box[0] * np.tile(KEPT_WH, 2)).astype(int)
        image[y1:y2, x1:x2] //= 8
        examples.append((encode_jpeg(image), box))
    return examples


def kept(examples: list[Example]) -> Images:
    """The same, decoded, as `vector-tl train` keeps them."""
    pixels = [decode_image(data, "the image") for data, _ in examples]
    return Images(
        torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), [box for _, box in examples]
    )


def _operations(network) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.raw(torch.rand(1, 3, *network.size_wh[::-1]))
    return counter.get_total_flops()
