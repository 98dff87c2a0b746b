"""Checkpoints on disk: safetensors in half precision, with metadata. Loading one runs no code."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from vector_tl.errors import Diverged, UserError
from vector_tl.files import write_atomic
from vector_tl.nets.archs import ARCHS, VECTOR, make_network
from vector_tl.nets.ssd import VectorSSD

SUFFIX = ".safetensors"
MODELS = Path(__file__).resolve().parents[2] / "models"
DEFAULT_THRESHOLD = 0.5  # of a model without a confidence threshold of its own


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
        metadata = {k: json.loads(v) for k, v in texts.items()} if "arch" in texts else {}
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is not a readable model ({error}); train it again or fetch it again."
        ) from error
    if "arch" not in metadata:
        raise UserError(
            f"{path} is a safetensors file, but not a model of this project: its metadata names no arch; "
            "choose another."
        )
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
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except (SafetensorError, OSError, RuntimeError) as error:
        raise UserError(
            f"{path} does not hold the weights of {metadata['arch']}; train it again or fetch it again."
        ) from error
    network.init = metadata.get("init", "unknown")
    if not all(torch.isfinite(v).all() for v in network.state_dict().values()):
        raise UserError(
            f"{path} holds weights that are not finite numbers; train it again or fetch it again."
        )
    return network.eval(), metadata
