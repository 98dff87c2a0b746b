"""A network for the page, which runs it itself: no server, no download, no further library.

Weights are half precision with BatchNorm folded in, one after another in the order of `layers`: of each its
weight (O, I / groups, k, k) and then its bias (O,).
"""

import base64
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch

from vector_tl.detect.torch_engine import fold_batch_norm
from vector_tl.nets import checkpoint, mobilenet_v1, model_file, suppression
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.mobilenet_v1_layers import describe

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
    model, about = checkpoint.load(path)
    if model.arch != mobilenet_v1.ARCH or len(model.classes) != 1:
        return None
    fold_batch_norm(model.eval())
    gives_map = [block.gives_map for block in describe().blocks]
    convs = [block.conv for block in model.backbone.blocks()]
    heads = [model.head.classification_head.module_list, model.head.regression_head.module_list]
    layers = [_layer(conv, True, maps) for conv, maps in zip(convs, gives_map, strict=True)]
    layers += [_layer(conv, False, False) for some in heads for conv in some]
    everything = [*convs, *(conv for some in heads for conv in some)]
    parts = [
        part.detach().float().numpy().ravel() for conv in everything for part in (conv.weight, conv.bias)
    ]
    corners = model.anchors_xyxy.numpy()
    anchors = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    calibration = calibration_of(about)
    return Network(
        name=path.stem,
        threshold=model_file.threshold_of(about),
        size=list(model.size_wh),
        mean=describe().mean,
        std=describe().std,
        layers=layers,
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


def _layer(conv: torch.nn.Conv2d, relu6: bool, gives_map: bool) -> Layer:
    about: dict[str, Any] = {"in": conv.in_channels, "out": conv.out_channels, "kernel": conv.kernel_size[0]}
    return about | {
        "stride": conv.stride[0],
        "depthwise": conv.groups > 1,
        "relu6": relu6,
        "map": gives_map,
    }
