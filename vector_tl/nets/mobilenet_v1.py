"""`ssd300_mobilenet_v1` in PyTorch, made from its description in `mobilenet_v1_layers.py`."""

from collections import OrderedDict
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.ssd import SSDScoringHead

from vector_tl.nets.description import NORM_EPS, Block, Convolution, Description
from vector_tl.nets.mobilenet_v1_layers import ARCH as ARCH
from vector_tl.nets.ssd import CLASS_BIAS, VectorSSD


class ConvBlock(nn.Module):
    """Convolution, BatchNorm and ReLU6, padded as TensorFlow's SAME.

    At stride 2 the odd pixel of padding goes right and below.
    """

    def __init__(self, layer: Convolution):
        super().__init__()
        self.conv = nn.Conv2d(
            layer.inputs,
            layer.outputs,
            layer.kernel,
            layer.stride,
            padding=0 if layer.stride == 2 else layer.kernel // 2,
            groups=layer.groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(layer.outputs, eps=NORM_EPS, momentum=0.05)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride), rounded up."""
        if self.conv.stride[0] == 2:
            x = F.pad(x, _same_padding(x.shape[3]) + _same_padding(x.shape[2]))
        return F.relu6(self.norm(self._convolve(x)), inplace=True)

    def _convolve(self, x: Tensor) -> Tensor:
        # on CPUs PyTorch's gradient of these takes 3 times as long in bfloat16 as in float
        slow_in_bfloat16 = self.conv.stride[0] == 2 and self.conv.groups > 1
        if slow_in_bfloat16 and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return cast(Tensor, self.conv(x.float()))
        return cast(Tensor, self.conv(x))


def _same_padding(size: int, kernel: int = 3, stride: int = 2) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Backbone(nn.Module):
    """Images (B, 3, 300, 300) to six feature maps, 19 x 19 to 1 x 1."""

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        super().__init__()
        self.layers, self.extra = nn.ModuleList(), nn.ModuleList()
        self._gives_map = [block.gives_map for block in blocks]
        for block in blocks:
            layer = cast(Convolution, block.layers[0])
            part = self.extra if layer.name.startswith("backbone.extra") else self.layers
            part.append(ConvBlock(layer))

    def blocks(self) -> list[ConvBlock]:
        """All convolutions in the order in which they run."""
        return cast(list[ConvBlock], [*self.layers, *self.extra])

    def forward(self, x: Tensor) -> "OrderedDict[str, Tensor]":
        """Images (B, 3, 300, 300), normalised, to maps (B, C, h, w) named "0" to "5"."""
        maps = []
        for block, gives_map in zip(self.blocks(), self._gives_map, strict=True):
            x = block(x)
            if gives_map:
                maps.append(x)
        return OrderedDict((str(i), m) for i, m in enumerate(maps))


class Head(nn.Module):
    """1 x 1 convolutions on every map: K class logits and 4 box codes for each anchor."""

    def __init__(self, description: Description, num_classes: int):
        super().__init__()
        self.classification_head = _scoring_head(description.class_heads(num_classes), num_classes)
        self.regression_head = _scoring_head(description.box_heads(), 4)

    def forward(self, maps: list[Tensor]) -> dict[str, Tensor]:
        """Six maps (B, C, h, w) to `bbox_regression` (B, A, 4) and `cls_logits` (B, A, K)."""
        return {"bbox_regression": self.regression_head(maps), "cls_logits": self.classification_head(maps)}


def _scoring_head(blocks: list[Block], columns: int) -> SSDScoringHead:
    layers = [cast(Convolution, layer) for block in blocks for layer in block.layers]
    return SSDScoringHead(
        nn.ModuleList(nn.Conv2d(layer.inputs, layer.outputs, layer.kernel) for layer in layers), columns
    )


def make(classes: tuple[str, ...], description: Description) -> VectorSSD:
    """The network with random weights; its convolutions by He's rule (He et al., 2015, arXiv:1502.01852)."""
    model = VectorSSD(description, Backbone(description.blocks), Head(description, len(classes)), classes)
    for block in model.backbone.blocks():
        nn.init.kaiming_normal_(block.conv.weight, mode="fan_out" if block.conv.groups == 1 else "fan_in")
    for conv in [*model.head.classification_head.module_list, *model.head.regression_head.module_list]:
        nn.init.normal_(conv.weight, std=0.01)
        nn.init.zeros_(conv.bias)
    for conv in model.head.classification_head.module_list:
        nn.init.constant_(conv.bias, CLASS_BIAS)
    return model
