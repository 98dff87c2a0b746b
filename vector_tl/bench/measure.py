"""What several subjects measure with: times in turn, the machine's own speed, memory, made-up images."""

import logging
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from vector_tl.nets.ssd import VectorSSD

log = logging.getLogger(__name__)
MATRIX_SIDE = {"cpu": 1536, "cuda": 8192}  # of the product whose time gives the machine's speed
MIB = 2**20


def in_turn(
    work: Mapping[str, Callable[[], object]],
    seconds: float,
    device: torch.device,
    counted: int,
    uncounted: int = 1,
    more_uncounted: Mapping[str, int] | None = None,
) -> dict[str, list[float]]:
    """Seconds of each piece of work, in turn, so that a busy machine slows all of them alike.

    Args:
        work: what to measure, by name.
        seconds: about how long all of it lasts; two rounds at least.
        device: where it runs.
        counted: how many calls of a turn count.
        uncounted: how many calls before them do not: threads of the work before still spin for a while.
        more_uncounted: `uncounted` for some names.
    """
    taken_s: dict[str, list[float]] = {name: [] for name in work}
    log.info("measuring %s in turn, for %.0f s or two rounds", ", ".join(work), seconds)
    for call in work.values():  # what comes first is slow
        call()
    until_s, rounds = time.perf_counter() + seconds, 0
    while rounds < 2 or time.perf_counter() < until_s:
        for name, call in work.items():
            for _ in range((more_uncounted or {}).get(name, uncounted)):
                call()
            _wait_for(device)
            for _ in range(counted):
                begin_s = time.perf_counter()
                call()
                _wait_for(device)
                taken_s[name].append(time.perf_counter() - begin_s)
        rounds += 1
    return taken_s


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each list."""
    return {name: float(statistics.median(values)) for name, values in taken.items()}


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def matrix_product(device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], torch.Tensor], int]:
    """A large matrix product, whose time gives the machine's speed, and how many operations it has."""
    side = MATRIX_SIDE[device.type]
    matrix = torch.rand(side, side, device=device, dtype=dtype)
    return lambda: matrix @ matrix, 2 * side**3


def operations(network: VectorSSD) -> int:
    """Additions and multiplications of one image."""
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.inference_mode(False), torch.no_grad():
        network.raw(torch.rand(1, 3, *network.size_wh[::-1], device=device))
    return counter.get_total_flops()


def device_words(device: torch.device | str) -> str:
    """The GPU's name, or how many threads of the CPU work."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} of {os.cpu_count()} cores"


def memory_mib(pid: int | str = "self") -> float:
    """Resident memory of a process (Linux), 0 elsewhere."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def processor_s(pid: int) -> float:
    """Processor time of a process so far (Linux), 0 elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory_mib() -> float:
    """The most memory that this process had so far (Linux), 0 elsewhere."""
    try:  # ru_maxrss would count what the parent had when it started this process
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def soft_noise(
    rng: np.random.Generator, size_wh: tuple[int, int], blocks_wh: tuple[int, int] = (32, 18)
) -> np.ndarray:
    """An image (H, W, 3) uint8 of soft shapes: something to compress and to look at."""
    blocks = rng.integers(0, 256, (blocks_wh[1], blocks_wh[0], 3), dtype=np.uint8)
    return cv2.resize(blocks, size_wh, interpolation=cv2.INTER_CUBIC)
