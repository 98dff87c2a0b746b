"""Weights from elsewhere: what torchvision's networks and training scripts leave behind, loaded as weights only (no code is run)."""

import logging
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from vector_tl.errors import UserError

log = logging.getLogger(__name__)
SUFFIXES = (".pt", ".pth")
WRAPPINGS = ("model", "state_dict")  # where training scripts keep it in a checkpoint
DISTRIBUTED = "module."  # what DistributedDataParallel puts before each name
CLASS_HEAD = ".classification_head."  # other classes: always begun anew
NAMED = 12  # names of tensors that are said at most
MIN_SHARE = 0.5  # of the weights outside of the class head; with fewer it is another network


def take_over(model: nn.Module, path: Path) -> tuple[list[str], list[str], list[str]]:
    """Copy what fits from a state dict on disk into `model`, and say what that was.

    Returns:
        The names taken over, those that stay as they were in `model`, and those of the file that are left out.

    Raises:
        UserError: the file is missing, holds no weights, weights of another network, or values that are not finite.
    """
    state = _read(path)
    taken, fresh = load_same_shapes(model, state)
    left_out = sorted(set(state) - set(taken))
    body = [name for name in (*taken, *fresh) if CLASS_HEAD not in name]
    if len(taken) < MIN_SHARE * len(body):
        raise UserError(
            f"{path} holds weights of another network: only {len(taken)} of {len(body)} fit; choose another file or --arch."
        )
    bad = [
        name for name in taken if state[name].is_floating_point() and not torch.isfinite(state[name]).all()
    ]
    if bad:
        raise UserError(
            f"{path} holds values that are not finite numbers, in {bad[0]} first; choose another file."
        )
    head = sum(CLASS_HEAD in name for name in fresh)
    log.info(
        "%s: %d tensors taken over, %d of the class head and %d others begun anew, %d left out",
        path,
        len(taken),
        head,
        len(fresh) - head,
        len(left_out),
    )
    for what, names in (("begun anew", fresh), ("left out", left_out)):
        if names:
            log.info(
                "%s: %s",
                what,
                ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else ""),
            )
    return taken, fresh, left_out


def load_same_shapes(model: nn.Module, state: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Copy what fits of `state` but the class head; the names taken over and those left as they were."""
    own = model.state_dict()
    taken = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape and CLASS_HEAD not in k}
    model.load_state_dict(taken, strict=False)
    return sorted(taken), sorted(set(own) - set(taken))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path} to begin with.") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path} cannot be read as weights only; save the state dict with torch.save(model.state_dict(), ...) and try again."
        ) from error
    for wrapping in WRAPPINGS:
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    ):
        raise UserError(
            f"{path} holds no state dict; save it with torch.save(model.state_dict(), ...) and try again."
        )
    return {name.removeprefix(DISTRIBUTED): values for name, values in state.items()}
