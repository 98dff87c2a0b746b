"""Which arithmetic a training's forward and backward passes are done in."""

import contextlib

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 faster than of float: GPUs, and processors with AMX (Intel's since 2023)."""
    if device.type == "cpu":  # older torch cannot tell
        return bool(getattr(torch.cpu, "get_capabilities", dict)().get("amx_bf16"))
    return device.type == "cuda"


def mixed(device: torch.device) -> contextlib.AbstractContextManager:
    """Convolutions in bfloat16 where the device is fast at it; weights, BatchNorm's figures and the loss stay float."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))
