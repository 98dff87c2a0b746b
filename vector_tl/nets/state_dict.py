"""Weights from elsewhere: state dicts of torchvision's networks and training scripts. No code is run."""

import logging
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from vector_tl.errors import UserError

log = logging.getLogger(__name__)
SUFFIXES = (".pt", ".pth")
WRAPPINGS = ("model", "state_dict")  # the keys under which training scripts keep it in a checkpoint
DISTRIBUTED = "module."  # DistributedDataParallel's prefix of each name
CLASS_HEAD = ".classification_head."  # other classes: always left at its random weights
MAX_NAMES = 12  # of tensors in a line of the log
MIN_SHARE = 0.5  # of the tensors outside of the class head; where fewer fit, it is another network


def load_state_dict(model: nn.Module, path: Path) -> tuple[list[str], list[str], list[str]]:
    """Copy the tensors that fit from a state dict on disk into `model`, and log which.

    Returns:
        The names copied, those that keep the model's own weights, and those of the file that were left out.

    Raises:
        UserError: the file is missing, holds no weights, weights of another network, or values that are not
            finite.
    """
    state = _read(path)
    copied, kept = load_same_shapes(model, state)
    left_out = sorted(set(state) - set(copied))
    body = [name for name in (*copied, *kept) if CLASS_HEAD not in name]
    if len(copied) < MIN_SHARE * len(body):
        raise UserError(
            f"{path} holds weights of another network: only {len(copied)} of {len(body)} tensors fit; "
            "choose another file or --arch."
        )
    for name in copied:
        if state[name].is_floating_point() and not torch.isfinite(state[name]).all():
            raise UserError(
                f"{path} holds values that are not finite numbers, in {name} first; choose another file."
            )
    head = sum(CLASS_HEAD in name for name in kept)
    log.info(
        "%s: %d tensors loaded; %d of the class head and %d others keep random weights; %d left out",
        path,
        len(copied),
        head,
        len(kept) - head,
        len(left_out),
    )
    for what, names in (("random weights", kept), ("left out", left_out)):
        if names:
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            log.info("%s: %s%s", what, ", ".join(names[:MAX_NAMES]), more)
    return copied, kept, left_out


def load_same_shapes(model: nn.Module, state: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Copy the tensors of `state` that fit, without the class head.

    Returns:
        The names copied, and those that keep the model's own weights.
    """
    own = model.state_dict()
    copied = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape and CLASS_HEAD not in k}
    model.load_state_dict(copied, strict=False)
    return sorted(copied), sorted(set(own) - set(copied))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path} with initial weights.") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path} cannot be read as weights only; "
            "save the state dict with torch.save(model.state_dict(), ...) and try again."
        ) from error
    for wrapping in WRAPPINGS:
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
    tensors = isinstance(state, dict) and all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    )
    if not state or not tensors:
        raise UserError(
            f"{path} holds no state dict; save it with torch.save(model.state_dict(), ...) and try again."
        )
    return {name.removeprefix(DISTRIBUTED): values for name, values in state.items()}
