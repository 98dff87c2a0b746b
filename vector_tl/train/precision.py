"""Which arithmetic the forward and backward passes of a training use."""

import contextlib

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 faster than of float: GPUs, and processors with AMX.

    AMX is in Intel's server processors since 2023.
    """
    if device.type == "cpu":
        get_capabilities = getattr(torch.cpu, "get_capabilities", None)  # older versions of torch lack it
        return bool(get_capabilities and get_capabilities().get("amx_bf16"))
    return device.type == "cuda"


def mixed(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Convolutions in bfloat16 where the device is fast at it; weights, BatchNorm and the loss stay float."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))
