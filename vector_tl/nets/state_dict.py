"""Weights from elsewhere: state dicts of torchvision's networks and training scripts. No code is run."""

import logging
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vector_tl.errors import UserError
from vector_tl.forms import misfit
from vector_tl.plain import few
from vector_tl.zips import refuse_damaged_zip

log = logging.getLogger(__name__)
SUFFIXES = (".pt", ".pth")
_ZIP_MAGIC = b"PK\x03\x04"
# What PyTorch's reader raises for damaged bytes of the old form, which has no checksums, and for code.
_DAMAGE = (
    *(OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AssertionError, struct.error),
    pickle.UnpicklingError,
)
WRAPPINGS = ("model", "state_dict")  # the keys under which training scripts keep it in a checkpoint
DISTRIBUTED = "module."  # DistributedDataParallel's prefix of each name
CLASS_HEAD = ".classification_head."  # other classes: always left at its random weights
MAX_NAMES = 12  # of tensors in a line of the log
REMEDY = "save it with torch.save(model.state_dict(), ...) and try again"
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
            log.info("%s: %s", what, few(names, MAX_NAMES))
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


def load_tensors(path: Path, remedy: str) -> Any:
    """What `torch.save` wrote, on the CPU. No code of the file is run.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is damaged, or holds more than tensors, numbers, text, lists and dicts; the message ends
            with `remedy`.
    """
    path = Path(path)
    with path.open("rb") as file:
        if file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:  # else of a PyTorch before 1.6, without checksums
            refuse_damaged_zip(path, remedy)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        found = re.search(r"WeightsUnpickler error: ([^\n]+)", str(error))
        reason = found[1] if found else str(error).partition("\n")[0]
        raise UserError(
            f"{path} cannot be read as weights only (entry data.pkl: {reason[:200]}); {remedy}."
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = load_tensors(path, REMEDY)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path} with initial weights.") from error
    for wrapping in WRAPPINGS:
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
    problem = misfit(state, dict[str, Tensor]) if state else "it is empty, at its top level"
    if problem:
        raise UserError(f"{path} holds no weights: {problem}; {REMEDY}.")
    return {name.removeprefix(DISTRIBUTED): values for name, values in state.items()}
