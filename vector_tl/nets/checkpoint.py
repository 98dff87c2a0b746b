"""Checkpoints: a model's file as a network in PyTorch, and back."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialise

from vector_tl.errors import Diverged
from vector_tl.files import write_atomic
from vector_tl.nets.model_file import Weights, read_weights
from vector_tl.nets.networks import make_network
from vector_tl.nets.ssd import VectorSSD


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


def load(model: str | Path) -> tuple[VectorSSD, dict[str, Any]]:
    """A model (single precision, in evaluation mode) and its metadata.

    Raises:
        UserError: missing, corrupt, or not a model of this project.
    """
    weights, metadata = read_weights(model)
    return network_of(weights), metadata


def network_of(weights: Weights) -> VectorSSD:
    """The network with these weights, in evaluation mode."""
    network = make_network(weights.arch, classes=weights.classes)
    network.load_state_dict({name: torch.from_numpy(values) for name, values in weights.tensors.items()})
    network.init = weights.init
    network.eval()
    return network


def weights_of(network: VectorSSD) -> Weights:
    """The weights of a network, in single precision."""
    tensors = {name: values.detach().cpu().numpy() for name, values in network.state_dict().items()}
    return Weights(network.arch, network.classes, network.init, tensors)
