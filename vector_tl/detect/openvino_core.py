"""OpenVINO itself, and what its CPU plugin says of the processor."""

import functools
from typing import Any

import openvino

from vector_tl.nets.devices import cpu_flags
from vector_tl.nets.model_file import Precision

# integer products that are summed up in 32 bits; without them OpenVINO's sums may saturate at 16
VNNI = {"avx512_vnni", "avx_vnni"}


@functools.cache
def core() -> Any:
    """OpenVINO's one core, kept until the process ends.

    When the last one goes, its CPU plugin frees the signal stack that it gave to the thread which made it,
    even if another thread drops it: the next signal then kills the process (seen with 2026.4), where Ctrl-C
    should stop the wheels.
    """
    return openvino.Core()


def precisions_here() -> tuple[Precision, ...]:
    """What this processor computes in without loss of speed or of right sums; fp32 everywhere."""
    able: list[Precision] = ["fp32"]
    if "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        able.append("bf16")
    if VNNI & cpu_flags():
        able.append("int8")
    return tuple(able)


def here() -> list[str]:
    """What compiled models and their speed depend on: OpenVINO's build, the processor and what it can do."""
    name = core().get_property("CPU", "FULL_DEVICE_NAME")
    return [openvino.get_version(), name, *sorted(cpu_flags())]
