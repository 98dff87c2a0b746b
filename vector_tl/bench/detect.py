"""`vector-tl bench detect`: from an image, or its JPEG, to boxes, beside torchvision with the same network.

The images hold Vectors. Wall and processor time are measured back to back and at the camera's rate.

A mark to compare with is what the network's operations would take at the speed of one large matrix product,
and its bytes at the speed of one large copy, both measured in the same run: no way of running the same layers
one by one can be faster than the slower of the two.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vector_tl.bench.measure import (
    MIB,
    device_words,
    in_turn,
    matrix_product,
    medians,
    operations,
)
from vector_tl.bench.paced import CAMERA_FPS, images_with_vectors, take_times
from vector_tl.bench.reference import EAGER, EagerDetector
from vector_tl.bench.settings import BenchSettings, Row
from vector_tl.data.images import decode_image, encode_jpeg
from vector_tl.detect.detector import Detector, load
from vector_tl.detect.engine import NetworkEngine
from vector_tl.detect.interface import Detections
from vector_tl.detect.many import in_order
from vector_tl.detect.settings import ENGINES
from vector_tl.detect.torch_engine import fold_batch_norm
from vector_tl.errors import UserError
from vector_tl.nets.checkpoint import load as load_network
from vector_tl.nets.devices import pick_device
from vector_tl.nets.model_file import PRECISIONS
from vector_tl.nets.ssd import VectorSSD

UNCOUNTED, COUNTED = 3, 8  # calls in a row
COPIED_BYTES = 256 * MIB  # beyond any cache
IMAGES = 8
MANY = 24  # images of a folder


def rows(settings: BenchSettings) -> tuple[str, list[Row]]:
    """The device in words, and the rows."""
    device = torch.device(pick_device(settings.device))
    eager = EagerDetector(settings.model, device)
    ours = load(settings.model, settings.device, precision=settings.precision)
    detectors = _detectors(settings)
    network = load_network(settings.model)[0]
    images, shown = images_with_vectors(IMAGES)
    image = images[0]
    endless = cycle(images)
    jpegs = cycle([encode_jpeg(each) for each in images])
    small = cv2.resize(image, network.size_wh)[None]  # (1, h, w, 3)
    dtype = torch.float16 if device.type == "cuda" else torch.float32  # as the fastest engine computes
    multiply, multiplied = matrix_product(device, dtype)

    def decode() -> np.ndarray:
        return decode_image(next(jpegs), "the image")

    work: dict[str, Callable[[], object]] = {
        "eager": lambda: eager(next(endless)),
        "ours": lambda: ours(next(endless)),
        "jpeg": lambda: ours(decode()),
        "jpeg eager": lambda: eager(decode()),
        "decode": decode,
        "matrix": multiply,
        "copy": torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device).clone,
    }
    for name, detector in detectors.items():
        work[f"{name} detector"] = partial(detector, image)
        if isinstance(detector._engine, NetworkEngine):
            work[f"{name} network"] = partial(detector._engine.scores_and_boxes, small)
    with torch.inference_mode():
        taken_s = in_turn(work, settings.seconds, device, COUNTED, UNCOUNTED)
    taken_ms = {name: [1000 * taken for taken in times] for name, times in taken_s.items()}
    median_ms = medians(taken_ms)
    p99_ms = {name: float(np.percentile(times, 99)) for name, times in taken_ms.items()}
    done, moved = operations(network), _bytes(network, dtype)
    done_per_s, moved_per_s = 1000 * multiplied / median_ms["matrix"], 2000 * COPIED_BYTES / median_ms["copy"]
    floor_ms = 1000 * max(done / done_per_s, moved / moved_per_s)
    against, floor = (
        "the same, JPEG decoded before",
        "the floor: its operations, or its bytes if they take longer",
    )
    table = [
        Row("image_to_boxes_ms", median_ms["ours"], "ms", f"{EAGER}, {network.arch}", median_ms["eager"]),
        Row("jpeg_to_boxes_ms", median_ms["jpeg"], "ms", against, median_ms["jpeg eager"]),
        Row("jpeg_to_boxes_p99_ms", p99_ms["jpeg"], "ms", against, p99_ms["jpeg eager"]),
        Row("decode_ms", median_ms["decode"], "ms"),
        Row("network_operations_gflop", done / 1e9, "GFLOP"),
        Row("matrix_product_gflops", done_per_s / 1e9, "GFLOP/s"),
        Row("network_bytes_mb", moved / 1e6, "MB"),
        Row("copy_gb_per_s", moved_per_s / 1e9, "GB/s"),
    ]
    for name in detectors:
        if f"{name} network" in median_ms:
            table.append(Row(f"network_{name}_ms", median_ms[f"{name} network"], "ms", floor, floor_ms))
        table.append(
            Row(f"detector_{name}_ms", median_ms[f"{name} detector"], "ms", EAGER, median_ms["eager"])
        )
    table += _paced(eager, ours, endless, settings.seconds)
    if device.type == "cpu":
        table += _side_by_side(settings, ours, images)
    return f"{device_words(device)}; {ours.engine}; {shown}", table


def _paced(eager: EagerDetector, ours: Detector, images: Iterator[np.ndarray], seconds: float) -> list[Row]:
    """Wall and processor time back to back and at the camera's rate."""
    work = {"eager": lambda: eager(next(images)), "ours": lambda: ours(next(images))}
    table = []
    for name, fps in (("back_to_back", None), ("at_camera_rate", CAMERA_FPS)):
        taken = take_times(work, seconds, fps)
        mine, theirs = taken["ours"], taken["eager"]
        table.append(Row(f"{name}_ms", mine.wall_ms, "ms", EAGER, theirs.wall_ms))
        table.append(Row(f"{name}_processor_ms", mine.cpu_ms, "ms", EAGER, theirs.cpu_ms))
    return table


def _side_by_side(settings: BenchSettings, ours: Detector, images: list[np.ndarray]) -> list[Row]:
    """Images a second of a folder, whose JPEGs are decoded, against one after another."""
    many = load(settings.model, "cpu", precision=settings.precision, side_by_side=True)
    jpegs = [encode_jpeg(image) for image in images] * (MANY // len(images))

    def all_of(detector: Detector) -> list[Detections]:
        return list(in_order(lambda jpeg: detector(decode_image(jpeg, "it")), jpegs, detector.lanes))

    taken = take_times({"one": partial(all_of, ours), "many": partial(all_of, many)}, settings.seconds)
    per_s = {name: 1000 * len(jpegs) / each.wall_ms for name, each in taken.items()}
    return [Row("folder_images_per_s", per_s["many"], "1/s", "one after another", per_s["one"])]


def _detectors(settings: BenchSettings) -> dict[str, Detector]:
    """One for each engine that runs on this device, in each precision that it has."""
    detectors = {}
    for engine in ENGINES[1:]:
        for precision in PRECISIONS if engine == "openvino" else ("auto",):
            name = f"{engine}_{precision}".removesuffix("_auto")
            try:
                detectors[name] = load(settings.model, settings.device, engine, precision=precision)
            except UserError:  # not on this device
                continue
    return detectors


def _bytes(network: VectorSSD, dtype: torch.dtype) -> int:
    """What the convolutions of one image read and write: weights, maps in and maps out.

    BatchNorm is folded into them, and ReLU costs nothing.
    """
    numbers = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal numbers
        weights = sum(parameter.numel() for parameter in layer.parameters())
        numbers += weights + inputs[0].numel() + output.numel()

    network = fold_batch_norm(network.eval())
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.raw(torch.rand(1, 3, *network.size_wh[::-1]))
    return numbers * dtype.itemsize
