"""In which precision a CPU runs a network: the fastest of those that the model was checked in.

A model's metadata name a threshold for each precision in which it finds as much as in single precision (see
`evaluate.precisions`). Which of these is the fastest is measured once for each processor, network and number
of threads, and remembered.
"""

import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.detect.engine import OnCpu
from vector_tl.detect.openvino_core import here, precisions_here
from vector_tl.detect.openvino_engine import OpenVinoEngine
from vector_tl.errors import UserError
from vector_tl.files import read_json, write_json
from vector_tl.forms import Positive
from vector_tl.nets.archs import describe
from vector_tl.nets.devices import cpu_threads
from vector_tl.nets.downloads import compiled_folder
from vector_tl.nets.model_file import PRECISIONS, Precision, Weights, thresholds_of
from vector_tl.nets.openvino_form import can_be_quantised

ROUNDS = 12
MIN_GAIN = 1.1  # times as fast as in single precision, or that stays
SPEEDS = "speeds.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A precision and why it is this one, in words; `held_back` where the model allows no faster one."""

    precision: Precision
    why: str
    held_back: bool = False


def choose_precision(
    asked: str,
    weights: Weights,
    metadata: dict[str, Any],
    threads: int | None = None,
    measure: bool = True,
) -> Choice:
    """The precision of a network on this CPU.

    Args:
        asked: one of `PRECISIONS`, or auto: the fastest that the model was checked in.
        weights: of the network.
        metadata: of its file.
        threads: of the CPU; `cpu_threads` when None.
        measure: whether to measure what is not known yet. For a single image that takes longer than it
            brings: then it is the one that is the fastest as a rule.

    Raises:
        UserError: this processor, or this network, has not the precision that was asked for.
    """
    able = precisions_of(weights)
    checked = set(thresholds_of(metadata))
    if asked != "auto":
        precision = next((name for name in able if name == asked), None)
        if precision is None:
            raise UserError(
                f"--precision {asked}: {weights.arch} cannot be run so on this processor; choose "
                f"{', '.join(able)}, or auto."
            )
        if precision not in {"fp32", *checked}:
            log.info("the model has passed no check in %s: it may find less, or what is not there", asked)
        return Choice(precision, "that was asked for")
    allowed = tuple(name for name in able if name == "fp32" or name in checked)
    if len(allowed) == 1:
        left_out = [name for name in able if name not in allowed]
        if left_out:
            why = f"no check in {' or '.join(left_out)} was passed (evaluate --check-precisions)"
            return Choice("fp32", why, True)
        return Choice("fp32", "this processor, or this network, has no other")
    if not measure and _known_ms(weights, threads) is None:
        return Choice(allowed[-1], "that is the fastest as a rule; it was not measured here yet")
    return _fastest(allowed, speeds_ms(weights, threads))


def precisions_of(weights: Weights) -> tuple[Precision, ...]:
    """Those in which this processor can run a network."""
    whole = can_be_quantised(describe(weights.arch))
    return tuple(name for name in precisions_here() if name != "int8" or whole)


def _fastest(allowed: tuple[Precision, ...], taken_ms: dict[Precision, float]) -> Choice:
    best = min(allowed, key=lambda name: taken_ms[name])
    gain = taken_ms["fp32"] / taken_ms[best]
    if gain < MIN_GAIN:
        return Choice("fp32", "no other one is faster here")
    return Choice(best, f"{gain:.1f} times as fast as fp32 when it was measured here")


def speeds_ms(weights: Weights, threads: int | None = None) -> dict[Precision, float]:
    """How long one image takes in each precision that this processor has, measured once and remembered."""
    if (known := _known_ms(weights, threads)) is not None:
        return known
    log.info("once on this computer: measuring in which precision this model runs fastest")
    measured = _measure_ms(weights, precisions_of(weights), threads)
    path, key = compiled_folder() / SPEEDS, _key(weights, threads)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(path, _known(path) | {key: {name: measured.get(name) for name in PRECISIONS}})
    except (UserError, OSError) as error:  # a full or read-only disk: it is measured each time
        log.info("what was measured is not kept: %s", error)
    return measured


def _known_ms(weights: Weights, threads: int | None) -> dict[Precision, float] | None:
    """What was measured here before of all precisions that this processor has; None where one is missing."""
    known = _known(compiled_folder() / SPEEDS).get(_key(weights, threads), {})
    able = precisions_of(weights)
    return {name: known[name] for name in able} if all(known.get(name) for name in able) else None


def _known(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = read_json(path, missing={}, form=dict[str, dict[str, Positive | None]])
    except UserError:  # damaged: it is measured again
        return {}
    return found


def _key(weights: Weights, threads: int | None) -> str:
    layers = hashlib.sha256(repr(describe(weights.arch)).encode()).hexdigest()
    parts = [layers, threads or cpu_threads(), *here()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _measure_ms(
    weights: Weights, precisions: tuple[Precision, ...], threads: int | None
) -> dict[Precision, float]:
    """The shortest time of some rounds, in turn, as other programs may be at work."""
    width, height = describe(weights.arch).size_wh
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    engines = {name: OpenVinoEngine(weights, OnCpu(threads, name)) for name in precisions}
    taken_ms: dict[Precision, float] = dict.fromkeys(precisions, float("inf"))
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            begin_s = time.perf_counter()
            engine.scores_and_boxes(image)
            taken_ms[name] = min(taken_ms[name], 1000 * (time.perf_counter() - begin_s))
    return taken_ms
