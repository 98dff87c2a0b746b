"""From the CPU's memory to the device that trains, without a wait."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def upload(
    values: np.ndarray | Tensor | Sequence[Any], device: torch.device, dtype: torch.dtype | None = None
) -> Tensor:
    """Values as a tensor on a device; on the CPU it may share their memory.

    A GPU takes them from pinned memory, in its own time. From other memory PyTorch first waits until the GPU
    has done all that it was asked for, so that nothing is prepared meanwhile.
    """
    tensor = torch.as_tensor(values, dtype=dtype)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
