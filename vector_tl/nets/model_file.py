"""A model's file: safetensors in half precision, with metadata. Reading one needs no PyTorch."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Required, TypedDict, get_args

import numpy as np
from msgspec import Meta
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as serialise

from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.forms import Count, Finite, Positive, Share, Size, check_form, parse_json
from vector_tl.nets.archs import ARCHS, VECTOR, describe

SUFFIX = ".safetensors"
PACKAGE = Path(__file__).resolve().parents[1]
# An installed wheel has the models beside the code (setup.py), a clone at its top.
MODELS = PACKAGE / "models" if (PACKAGE / "models").is_dir() else PACKAGE.parent / "models"
Precision = Literal["fp32", "bf16", "int8"]
"""What a network on a CPU computes in."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
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


@dataclass(frozen=True)
class Weights:
    """A network by name, and its weights.

    Attributes:
        arch: name of the network.
        classes: their names.
        init: where its initial weights came from.
        tensors: by the names in PyTorch's form, float32 (counters int64).
        digest: SHA-256 of the file; empty for weights that come from none.
    """

    arch: str
    classes: tuple[str, ...]
    init: str
    tensors: dict[str, np.ndarray]
    digest: str = ""


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
        with safe_open(path, "np") as file:
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


def thresholds_of(metadata: dict[str, Any]) -> dict[str, float]:
    """The confidence thresholds that a model's metadata name, by precision; 0 is one, null is none.

    Models of earlier versions have a single "threshold".
    """
    thresholds = metadata.get("thresholds") or {"fp32": metadata.get("threshold")}
    return {name: float(value) for name, value in thresholds.items() if value is not None}


def threshold_of(metadata: dict[str, Any], precision: str = "fp32") -> float:
    """The confidence threshold of a precision: its own, else that of fp32, else `DEFAULT_THRESHOLD`."""
    thresholds = thresholds_of(metadata)
    return thresholds.get(precision, thresholds.get("fp32", DEFAULT_THRESHOLD))


def read_weights(model: str | Path) -> tuple[Weights, dict[str, Any]]:
    """A model's weights and its metadata.

    Raises:
        UserError: missing, corrupt, or not a model of this project.
    """
    path, metadata = resolve(model), read_metadata(model)
    arch, classes = metadata["arch"], tuple(metadata.get("classes", VECTOR))
    if arch not in ARCHS:
        raise UserError(
            f"{path} holds the network {arch!r}, which this version does not know; choose another model."
        )
    try:
        data = path.read_bytes()
        tensors = load_tensors(data)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} is not a readable model ({error}); {REMEDY}.") from error
    shapes = {name: values.shape for name, values in tensors.items()}
    if odd := other_tensor(describe(arch).tensors(len(classes)), shapes):
        raise UserError(
            f"{path} does not hold the weights of {arch}: the tensor {odd} is missing, unknown or of another "
            f"shape; {REMEDY}."
        )
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise UserError(
                f"{path} holds weights that are not finite numbers, in the tensor {name} first; {REMEDY}."
            )
    single = {
        name: values.astype(np.float32) if np.issubdtype(values.dtype, np.floating) else values
        for name, values in tensors.items()
    }
    digest = hashlib.sha256(data).hexdigest()
    return Weights(arch, classes, metadata.get("init", "unknown"), single, digest), metadata


def write_metadata(path: Path, changes: Mapping[str, Any]) -> None:
    """Change some of a model file's metadata; its weights stay as they are, bit for bit.

    Raises:
        UserError: the file cannot be read or written.
    """
    metadata = read_metadata(path) | dict(changes)
    tensors = load_tensors(path.read_bytes())
    write_atomic(path, serialise(tensors, {key: json.dumps(value) for key, value in metadata.items()}))


def other_tensor(own: Mapping[str, Sequence[int]], given: Mapping[str, Sequence[int]]) -> str | None:
    """The first tensor that only one of two tables of shapes has, or has so; None where all agree."""
    same = {name for name in own if name in given and tuple(given[name]) == tuple(own[name])}
    return next((name for name in (*own, *given) if name not in same), None)
