"""A network for the page, which runs it itself: no server, no download, no further library.

Weights are half precision with BatchNorm folded in, one after another in the order of `layers`: of each its
weight (O, I / groups, k, k) and then its bias (O,).
"""

import base64
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from vector_tl.nets import mobilenet_v1_layers, model_file, suppression
from vector_tl.nets.archs import describe
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.description import Convolution
from vector_tl.nets.graph_form import folded

Layer = dict[str, int | bool]


class Network(TypedDict):
    """What page/network.js runs."""

    name: str
    threshold: float
    size: list[int]  # width and height of the input
    mean: float
    std: float
    layers: list[Layer]  # the backbone's, then class and box heads
    anchors: list[list[float]]  # centre and size of each, in 0..1
    calibration: list[float]  # scale and shift of the score's log-odds
    suppression: dict[str, float]
    weights: str  # base64 of float16, little endian


def network_data(path: Path) -> Network | None:
    """A model for the page; None for a network that the page cannot run.

    Raises:
        UserError: the file is not a model.
    """
    weights, about = model_file.read_weights(path)
    if weights.arch != mobilenet_v1_layers.ARCH or len(weights.classes) != 1:
        return None
    network = describe(weights.arch)
    blocks = [*network.blocks, *network.class_heads(1), *network.box_heads()]
    # a layer to a block, as MobileNetV1 has neither squeezes nor separable heads
    layers = [
        (layer, block.gives_map)
        for block in blocks
        for layer in block.layers
        if isinstance(layer, Convolution)
    ]
    parts = [part.ravel() for layer, _ in layers for part in folded(layer, weights.tensors)]
    corners = network.anchors_xyxy()
    anchors = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    calibration = calibration_of(about)
    return Network(
        name=path.stem,
        threshold=model_file.threshold_of(about),
        size=list(network.size_wh),
        mean=network.mean,
        std=network.std,
        layers=[_layer(layer, gives_map) for layer, gives_map in layers],
        anchors=anchors.round(5).tolist(),
        calibration=[calibration.scale, calibration.shift],
        suppression={
            "max_iou": suppression.MAX_IOU,
            "max_inside": suppression.MAX_SHARE_INSIDE,
            "best": suppression.BEST_SCORES,
            "spread": suppression.VOTE_SPREAD,
            "power": suppression.VOTE_POWER,
        },
        weights=base64.b64encode(np.concatenate(parts).astype("<f2").tobytes()).decode(),
    )


def _layer(layer: Convolution, gives_map: bool) -> Layer:
    about: dict[str, Any] = {"in": layer.inputs, "out": layer.outputs, "kernel": layer.kernel}
    return about | {
        "stride": layer.stride,
        "depthwise": layer.groups > 1,
        "relu6": layer.activation == "relu6",
        "map": gives_map,
    }
