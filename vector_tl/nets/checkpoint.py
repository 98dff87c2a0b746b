"""Checkpoints on disk: safetensors in half precision, with metadata. Loading one runs no code."""

import json
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

import torch
from msgspec import Meta
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor

from vector_tl.errors import Diverged, UserError
from vector_tl.files import write_atomic
from vector_tl.forms import Count, Finite, Positive, Share, Size, check_form, parse_json
from vector_tl.nets.archs import ARCHS, VECTOR, make_network
from vector_tl.nets.ssd import VectorSSD

SUFFIX = ".safetensors"
MODELS = Path(__file__).resolve().parents[2] / "models"
DEFAULT_THRESHOLD = 0.5  # of a model without a confidence threshold of its own
REMEDY = "train it again or fetch it again"


class _Calibration(TypedDict):
    scale: Positive
    shift: Finite


class _Metadata(TypedDict, total=False):
    arch: Required[str]
    classes: Annotated[list[str], Meta(min_length=1, max_length=1000)]
    input_size: tuple[Size, Size]
    init: str
    threshold: Share | None  # of earlier versions
    thresholds: dict[str, Share | None] | None
    calibration: _Calibration | None
    sessions: list[str]
    learned_from: list[str]
    steps: Count
    hardly_trained: str | None


def save(path: Path, model: VectorSSD, metadata: dict[str, Any]) -> None:
    """Write `model` in half precision, whole or not at all.

    Args:
        path: of the file.
        model: the network; its arch, classes, input size and init are written beside the weights.
        metadata: seed, thresholds, calibration, data_digest, metrics and whatever else is worth knowing, as
            JSON beside the weights.

    Raises:
        UserError: the file cannot be written.
        Diverged: the weights hold NaN, infinity or more than 65,504.
    """
    own = {
        "arch": model.arch,
        "classes": list(model.classes),
        "input_size": list(model.size_wh),
        "init": model.init,
    }
    tensors = {
        k: (v.half() if v.is_floating_point() else v).contiguous().cpu()
        for k, v in model.state_dict().items()
    }
    if not all(torch.isfinite(v).all() for v in tensors.values()):
        raise Diverged(
            f"{path} is not written: the weights hold values that are not finite numbers in half precision; "
            "train again with a lower learning rate."
        )
    write_atomic(path, serialise(tensors, {k: json.dumps(v) for k, v in {**own, **metadata}.items()}))


def resolve(model: str | Path) -> Path:
    """The file that `model` means: a path, or a name in `models/`, with or without suffix.

    Raises:
        UserError: there is none; the message lists the models that are there.
    """
    name = str(model)
    for folder in (Path(), Path("models"), MODELS):
        for candidate in (folder / name, folder / (name + SUFFIX)):
            if candidate.is_file():
                return candidate
    there = sorted({p.stem for folder in (Path("models"), MODELS) for p in folder.glob("*" + SUFFIX)})
    known = f"is {', '.join(there)}" if there else "is none yet: train one with vector-tl train"
    raise UserError(f"There is no model {name!r}; in models/ there {known}.")


def read_metadata(model: str | Path) -> dict[str, Any]:
    """The metadata of a model file, without its weights.

    Raises:
        UserError: missing, corrupt, or not a model of this project.
    """
    path = resolve(model)
    try:
        with safe_open(path, "pt") as file:
            texts = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable model ({error}); {REMEDY}.") from error
    if "arch" not in texts:
        raise UserError(
            f"{path} is a safetensors file, but not a model of this project: its metadata names no arch; "
            "choose another."
        )
    metadata = {
        key: parse_json(text, Any, f"{path} is not a readable model: its metadata, key {key!r},", REMEDY)
        for key, text in texts.items()
    }
    check_form(metadata, _Metadata, f"{path} is not a readable model: its metadata", REMEDY)
    return metadata


def threshold_of(metadata: dict[str, Any], precision: str = "fp32") -> float:
    """The confidence threshold that a model's metadata name for a precision, or `DEFAULT_THRESHOLD`.

    Models of earlier versions have a single "threshold". A precision without one of its own has that of fp32.
    """
    thresholds = metadata.get("thresholds") or {"fp32": metadata.get("threshold")}
    return float(thresholds.get(precision) or thresholds.get("fp32") or DEFAULT_THRESHOLD)


def load(model: str | Path) -> tuple[VectorSSD, dict[str, Any]]:
    """A model (single precision, in evaluation mode) and its metadata.

    Raises:
        UserError: missing, corrupt, or not a model of this project.
    """
    path, metadata = resolve(model), read_metadata(model)
    if metadata["arch"] not in ARCHS:
        raise UserError(
            f"{path} holds the network {metadata['arch']!r}, which this version does not know; "
            "choose another model."
        )
    network = make_network(metadata["arch"], classes=tuple(metadata.get("classes", VECTOR)))
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable model ({error}); {REMEDY}.") from error
    if odd := other_tensor(network.state_dict(), tensors):
        raise UserError(
            f"{path} does not hold the weights of {metadata['arch']}: the tensor {odd} is missing, unknown "
            f"or of another shape; {REMEDY}."
        )
    for name, values in tensors.items():
        if not torch.isfinite(values).all():
            raise UserError(
                f"{path} holds weights that are not finite numbers, in the tensor {name} first; {REMEDY}."
            )
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    network.init = metadata.get("init", "unknown")
    return network.eval(), metadata


def other_tensor(own: dict[str, Tensor], given: dict[str, Tensor]) -> str | None:
    """The first tensor that only one of two state dicts has, or has in this shape; None where all agree."""
    names = (*own, *given)
    same = {name for name in own if name in given and given[name].shape == own[name].shape}
    return next((name for name in names if name not in same), None)
