"""Jobs for tests, as functions of a module: processes and machines import it to find them."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.errors import UserError

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Work:
    """What one job is to do; in `marks` it leaves a file when it begins.

    On the machine `doomed` it never ends, and elsewhere it waits until that one is at a job, too.
    """

    seed: int
    marks: Path
    dies_once: bool = False
    doomed: str = ""


def digest_of_noise(work: Work) -> tuple[int, str]:
    """The seed, and a digest of a thousand products of random matrices: the same bits on every run."""
    first, node = not list(work.marks.glob(f"{work.seed}-*.begun")), _node()
    (work.marks / f"{work.seed}-{node}-{time.monotonic_ns()}.begun").touch()
    if work.dies_once and first:
        os._exit(9)
    until_s = time.monotonic() + (PATIENCE_S if work.doomed else 0)
    while time.monotonic() < until_s and (
        node == work.doomed or not list(work.marks.glob(f"*-{work.doomed}-*"))
    ):
        time.sleep(0.02)
    rng = np.random.default_rng(work.seed)
    matrix = rng.normal(size=(32, 32))
    for _ in range(1000):
        matrix = matrix @ rng.normal(size=(32, 32))
        matrix /= np.abs(matrix).max()
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
