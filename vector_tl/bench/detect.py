"""`vector-tl bench detect`: from an image, or its JPEG, to boxes, beside torchvision's own eager call of the same network.

A mark to compare with is what the network's operations would take at the speed of one large matrix product, and its bytes at the
speed of one large copy, both measured in the same run: no way of running the same layers one by one can be faster than the slower of the two.
"""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vector_tl.bench.run import BenchSettings, Row
from vector_tl.data.images import decode_image, encode_jpeg
from vector_tl.detect.engine import Detector, pick_device
from vector_tl.detect.engines import ENGINES, NetworkEngine, fold_batch_norm
from vector_tl.errors import UserError
from vector_tl.nets.checkpoint import load

UNCOUNTED, COUNTED = 3, 8  # calls in a row
MATRIX = {"cpu": 1536, "cuda": 8192}  # side of the product that tells the machine's speed
COPIED_BYTES = 1 << 28  # beyond any cache


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows."""
    device = pick_device(settings.device)
    network, about = load(settings.model)
    eager = network.to(device).eval()
    detectors = {}
    for engine in ENGINES[1:]:
        try:
            detectors[engine] = Detector(
                load(settings.model)[0], settings.model, float(about.get("threshold") or 0.5), device, engine
            )
        except UserError:  # not on this device
            continue
    ours = Detector(load(settings.model)[0], settings.model, float(about.get("threshold") or 0.5), device)
    image = _image()
    jpeg = encode_jpeg(image)
    small = cv2.resize(image, network.size_wh)[None]
    side, dtype = (
        MATRIX[device.type],
        torch.float16 if device.type == "cuda" else torch.float32,
    )  # as the fastest engine computes
    matrix = torch.rand(side, side, device=device, dtype=dtype)
    heap = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device)

    def decoded() -> np.ndarray:
        return decode_image(jpeg, "the image")

    work = {
        "eager": lambda: eager([torch.from_numpy(image).to(device).permute(2, 0, 1).float() / 255]),
        "ours": lambda: ours(image),
        "jpeg": lambda: ours(decoded()),
        "jpeg eager": lambda: eager([torch.from_numpy(decoded()).to(device).permute(2, 0, 1).float() / 255]),
        "decode": decoded,
        "matrix": lambda: matrix @ matrix,
        "copy": heap.clone,
        **{
            f"{name} network": lambda engine=detector._engine: engine.scores_and_boxes(small)
            for name, detector in detectors.items()
            if isinstance(detector._engine, NetworkEngine)
        },
        **{
            f"{name} detector": lambda detector=detector: detector(image)
            for name, detector in detectors.items()
        },
    }
    taken = measure(work, settings.seconds, device)
    median = {name: statistics.median(times) for name, times in taken.items()}
    operations = _operations(network, device)
    speed = 2 * side**3 / (median["matrix"] / 1000)
    moved, copied = _bytes(load(settings.model)[0], dtype), 2 * COPIED_BYTES / (median["copy"] / 1000)
    floor = 1000 * max(operations / speed, moved / copied)
    table = [
        Row(
            "image_to_boxes_ms",
            median["ours"],
            "ms",
            f"torchvision's eager model([image]), {network.arch}",
            median["eager"],
        ),
        Row("jpeg_to_boxes_ms", median["jpeg"], "ms", "the same, JPEG decoded before", median["jpeg eager"]),
        Row(
            "jpeg_to_boxes_p99_ms",
            p99(taken["jpeg"]),
            "ms",
            "the same, JPEG decoded before",
            p99(taken["jpeg eager"]),
        ),
        Row("decode_ms", median["decode"], "ms"),
        Row("network_operations_gflop", operations / 1e9, "GFLOP"),
        Row("matrix_product_gflops", speed / 1e9, "GFLOP/s"),
        Row("network_bytes_mb", moved / 1e6, "MB"),
        Row("copy_gb_per_s", copied / 1e9, "GB/s"),
    ]
    for name in detectors:
        if f"{name} network" in median:
            table.append(
                Row(
                    f"network_{name}_ms",
                    median[f"{name} network"],
                    "ms",
                    "the floor: its operations, or its bytes if they take longer",
                    floor,
                )
            )
        table.append(
            Row(
                f"detector_{name}_ms",
                median[f"{name} detector"],
                "ms",
                "torchvision's eager model([image])",
                median["eager"],
            )
        )
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    return f"{where}; {ours.engine}", table


@torch.inference_mode()
def measure(
    work: dict[str, Callable[[], object]], seconds: float, device: torch.device
) -> dict[str, list[float]]:
    """Milliseconds of each piece of work, in turn, so that a busy machine slows all of them alike.

    Each gets a few calls in a row, of which the first do not count: the idle threads of the library before it still spin for a while.
    """
    taken: dict[str, list[float]] = {name: [] for name in work}
    until_s, rounds = time.perf_counter() + seconds, 0
    while rounds < 3 or time.perf_counter() < until_s:
        for name, do in work.items():
            for call in range(UNCOUNTED + COUNTED):
                begin_s = time.perf_counter()
                do()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if rounds and call >= UNCOUNTED:
                    taken[name].append(1000 * (time.perf_counter() - begin_s))
        rounds += 1
    return taken


def p99(times: list[float]) -> float:
    """The 99th of a hundred."""
    return float(np.percentile(times, 99))


def _operations(network, device: torch.device) -> int:
    """Additions and multiplications of one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode(False), torch.no_grad():
        network.raw(torch.rand(1, 3, *network.size_wh[::-1], device=device))
    return counter.get_total_flops()


def _bytes(network, dtype: torch.dtype) -> int:
    """What the convolutions of one image read and write: weights, maps in and maps out, BatchNorm folded and ReLU for nothing."""
    numbers = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal numbers
        numbers += (
            sum(parameter.numel() for parameter in layer.parameters()) + inputs[0].numel() + output.numel()
        )

    network = fold_batch_norm(network.eval())
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.raw(torch.rand(1, 3, *network.size_wh[::-1]))
    return numbers * dtype.itemsize


def _image() -> np.ndarray:
    """(360, 640, 3) of soft noise: something to compress and to look at."""
    noise = np.random.default_rng(0).integers(0, 256, (18, 32, 3), dtype=np.uint8)
    return cv2.resize(noise, (640, 360), interpolation=cv2.INTER_CUBIC)
