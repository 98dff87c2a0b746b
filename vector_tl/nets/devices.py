"""Where networks run. PyTorch is imported only where there is an NVIDIA GPU, or one was asked for."""

import ctypes
import functools
import importlib.util
import os
import re
import sys
from pathlib import Path

from vector_tl.errors import UsageError, UserError

CUDA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
CPU_INFO = "/proc/cpuinfo"
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def pick_device(device: str = "auto") -> str:
    """The device of a name: cpu, cuda, cuda:1 for the second GPU, or auto, which is CUDA where there is one.

    Raises:
        UsageError: it is no device that this runs on.
        UserError: CUDA was asked for and is not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"--device is auto, cpu, cuda, or cuda:1 for the second GPU; not {device!r}.")
    if device == "cpu" or (device == "auto" and not _may_have_cuda()):
        return "cpu"
    import torch  # here: a CPU does without

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.cuda.is_available():
        raise UserError(
            "This machine has no CUDA device that PyTorch can use; leave out --device or use --device cpu."
        )
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UserError(f"There is no {device}: this machine has {count} CUDA devices, counted from 0.")
    return device


def _may_have_cuda() -> bool:
    """Whether PyTorch is installed and NVIDIA's driver loads; asking PyTorch itself takes seconds."""
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        return False
    try:
        ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return False
    return True


@functools.cache
def cpu_flags() -> frozenset[str]:
    """What the processor can do, in Linux's words (avx512_vnni); none where the system does not say."""
    try:
        about = Path(CPU_INFO).read_text()
    except OSError:
        return frozenset()
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", about, re.MULTILINE)
    return frozenset(line[1].split() if line else ())


def cpu_threads() -> int:
    """How many threads a network gets on the CPU: OMP_NUM_THREADS, else one for each core of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return os.cpu_count() or 1
    own = os.sched_getaffinity(0)
    try:  # a core's second thread brings nothing
        return len({Path(SIBLINGS.format(number)).read_text() for number in own})
    except OSError:
        return len(own)
