"""Jobs for tests, as functions of a module: processes and machines import it to find them."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.errors import UserError


@dataclass(frozen=True)
class Work:
    """What one job is to do; in `marks` it leaves a file when it begins and when it ends."""

    seed: int
    marks: Path
    lasts_s: float = 0.0
    dies_once: bool = False


def digest_of_noise(work: Work) -> tuple[int, str]:
    """The seed, and a digest of a thousand products of random matrices: the same bits on every run."""
    begun = work.marks / f"{work.seed}-{_node()}-{time.monotonic_ns()}.begun"
    first = not list(work.marks.glob(f"{work.seed}-*.begun"))
    begun.touch()
    if work.dies_once and first:
        os._exit(9)
    rng, until_s = np.random.default_rng(work.seed), time.monotonic() + work.lasts_s
    matrix = rng.normal(size=(32, 32))
    for _ in range(1000):
        matrix = matrix @ rng.normal(size=(32, 32))
        matrix /= np.abs(matrix).max()
    while time.monotonic() < until_s:
        time.sleep(0.01)
    begun.with_suffix(".ended").touch()
    return work.seed, hashlib.sha256(matrix.tobytes()).hexdigest()


def _node() -> str:
    try:
        import ray
    except ModuleNotFoundError:
        return "here"
    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else "here"


def fails(work: Work) -> None:
    """A job whose work cannot be done."""
    raise UserError(f"seed {work.seed} has no image; name another.")


def always_dies(_work: Work) -> None:
    """A job whose process ends, as for want of memory."""
    os._exit(9)
