"""Wall and processor time of calls, back to back or at a camera's rate.

A thread that spins on after a call costs processor time, which the wall does not show at a camera's rate, and
slows what comes next back to back.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vector_tl.bench.measure import soft_noise
from vector_tl.bulk.run import draw
from vector_tl.bulk.settings import BulkSettings
from vector_tl.data.dataset import load_dataset
from vector_tl.errors import UserError

CAMERA_FPS = 15
UNCOUNTED = 3  # calls before each block: threads of the work before still spin for a while
BLOCK_S = 1.0
ROOM_SEED = 5


class Taken(NamedTuple):
    """Milliseconds of one call: the median on the wall, the mean of all processor time."""

    wall_ms: float
    cpu_ms: float


def take_times(
    work: Mapping[str, Callable[[], object]], seconds: float, fps: float | None = None
) -> dict[str, Taken]:
    """What each piece of work takes, in turn, so that a busy machine slows all of them alike.

    Args:
        work: by name.
        seconds: about how long all of it lasts; two blocks of each at least.
        fps: calls a second; None for back to back.
    """
    wall_s: dict[str, list[float]] = {name: [] for name in work}
    cpu_s = dict.fromkeys(work, 0.0)
    block_s = min(BLOCK_S, seconds / (2 * len(work)))
    until_s, rounds = time.perf_counter() + seconds, 0
    while rounds < 2 or time.perf_counter() < until_s:
        for name, call in work.items():
            for _ in range(UNCOUNTED):
                call()
            end_s, busy_s = time.perf_counter() + block_s, time.process_time()
            while (begin_s := time.perf_counter()) < end_s:
                call()
                took_s = time.perf_counter() - begin_s
                wall_s[name].append(took_s)
                if fps:
                    time.sleep(max(0.0, 1 / fps - took_s))
            cpu_s[name] += time.process_time() - busy_s
        rounds += 1
    return {
        name: Taken(1000 * statistics.median(times), 1000 * cpu_s[name] / len(times))
        for name, times in wall_s.items()
    }


def images_with_vectors(count: int) -> tuple[list[np.ndarray], str]:
    """Simulated images (360, 640, 3) that hold Vectors, and what they are in words.

    An image without one leaves out the choice of boxes. Where nothing can be drawn they are noise.
    """
    with tempfile.TemporaryDirectory(prefix="vector-tl-") as place:
        try:
            asked = BulkSettings(Path(place), count, ROOM_SEED, negative_share=0, moving=0, val=0, test=1)
            draw(asked)
            items = load_dataset(asked.data).items
            return [item.image() for item in items], "simulated images of Vectors"
        except (UserError, ImportError) as error:
            noise = [soft_noise(np.random.default_rng(seed), (640, 360)) for seed in range(count)]
            return noise, f"noise, as nothing can be drawn ({error})"
