"""Which arithmetic the forward and backward passes of a training use.

Convolutions are in bfloat16 where that is faster; weights, BatchNorm, the heads and the loss stay float.
Whether it is faster on a CPU that has it is measured once for each processor and network, and remembered, so
that a seed gives the same training again.
"""

import contextlib
import copy
import json
import logging
import time
from pathlib import Path

import torch

from vector_tl.errors import UserError
from vector_tl.files import read_json, write_json
from vector_tl.forms import Positive
from vector_tl.nets.downloads import measured_file
from vector_tl.nets.ssd import VectorSSD

# Intel's server processors since 2023 have both; AMD's since 2022 (Zen 4) and Intel's of 2020 the second
INSTRUCTIONS = ("amx_bf16", "avx512_bf16")
MIN_GAIN = 1.1  # times as fast as in float, or float stays
ROUNDS, IMAGES = 3, 2  # of the measurement
log = logging.getLogger(__name__)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 by instructions of their own; all GPUs count."""
    if device.type == "cpu":
        get_capabilities = getattr(torch.cpu, "get_capabilities", None)  # older versions of torch lack it
        capabilities = get_capabilities() if get_capabilities else {}
        return any(capabilities.get(name) for name in INSTRUCTIONS)
    return device.type == "cuda"


def mixed(device: torch.device, bfloat16: bool | None = None) -> contextlib.AbstractContextManager[None]:
    """Convolutions in bfloat16, or not; when None, where the device has it."""
    enabled = has_bfloat16(device) if bfloat16 is None else bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def faster_in_bfloat16(network: VectorSSD, device: torch.device) -> bool:
    """Whether a network is trained faster in bfloat16 there; a CPU that has it needs seconds to say, once."""
    if device.type != "cpu" or not has_bfloat16(device):
        return has_bfloat16(device)
    path, key = measured_file(), _key(network)
    gain = _known(path).get(key)
    if gain is None:
        log.info("measuring once whether training is faster in bfloat16 here")
        gain = measure_gain(network)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(path, _known(path) | {key: gain})
        except (UserError, OSError) as error:  # a full or read-only disk: it is measured each time
            log.info("what was measured is not kept: %s", error)
    return gain >= MIN_GAIN


def measure_gain(network: VectorSSD) -> float:
    """How many times as fast passes forward and backward are in bfloat16 on this CPU, by the best of some.

    One thread's own processor time counts, which other programs at work hardly change.
    """
    network = copy.deepcopy(network).train()
    device, taken_s = torch.device("cpu"), {False: float("inf"), True: float("inf")}
    images = torch.rand(IMAGES, 3, *network.size_wh[::-1], generator=torch.Generator().manual_seed(0))
    images = images.contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in range(1 + ROUNDS):  # what comes first is slow
            for bfloat16 in taken_s:
                begin_s = time.thread_time()
                with mixed(device, bfloat16):
                    outputs = network.raw(images)
                torch.stack([values.sum() for values in outputs.values()]).sum().backward()
                if number:
                    taken_s[bfloat16] = min(taken_s[bfloat16], time.thread_time() - begin_s)
    finally:
        torch.set_num_threads(threads)
    return taken_s[False] / taken_s[True]


def _known(path: Path) -> dict[str, float]:
    try:
        found: dict[str, float] = read_json(path, missing={}, form=dict[str, Positive])
    except UserError:  # damaged: it is measured again
        return {}
    return found


def _key(network: VectorSSD) -> str:
    capabilities = torch.cpu.get_capabilities()
    processor = [capabilities.get("cpu_name"), *(capabilities.get(name) for name in INSTRUCTIONS)]
    return json.dumps([network.arch, torch.__version__, *processor])
