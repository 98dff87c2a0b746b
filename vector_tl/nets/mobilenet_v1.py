"""`ssd300_mobilenet_v1`: TensorFlow's SSD-MobileNetV1 (300 x 300, width 0.75) as a float network in PyTorch.

Layers, padding, anchors and box code follow TensorFlow's release
`coco_ssd_mobilenet_v1_1.0_quant_2018_06_29`, so that its weights fit (see `tflite.py`).
"""

from collections import OrderedDict
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSDScoringHead

from vector_tl.nets.ssd import CLASS_BIAS, VectorSSD

ARCH = "ssd300_mobilenet_v1"
SIZE_WH = (300, 300)
MAP_SIZES = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
MAP_CHANNELS = [384, 768, 384, 192, 192, 96]
INPUT_MEAN = INPUT_STD = 128 / 255  # the file's quantisation record: (q - 128) / 128
# (channels, stride) of the 13 depthwise-separable blocks at width 0.75
SEPARABLE = [(48, 1), (96, 2), (96, 1), (192, 2), (192, 1), (384, 2), *[(384, 1)] * 5, (768, 2), (768, 1)]
EXTRA = [(192, 384), (96, 192), (96, 192), (48, 96)]  # 1x1 then 3x3 stride 2


class ConvBlock(nn.Module):
    """Convolution, BatchNorm and ReLU6, padded as TensorFlow's SAME.

    At stride 2 the odd pixel of padding goes right and below.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride,
            padding=0 if stride == 2 else kernel // 2,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.05)

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

    def __init__(self) -> None:
        super().__init__()
        layers, inputs = [ConvBlock(3, 24, 3, stride=2)], 24
        for outputs, stride in SEPARABLE:
            layers += [ConvBlock(inputs, inputs, 3, stride, groups=inputs), ConvBlock(inputs, outputs, 1)]
            inputs = outputs
        self.layers = nn.ModuleList(layers)
        self.extra = nn.ModuleList()
        for middle, outputs in EXTRA:
            self.extra += [ConvBlock(inputs, middle, 1), ConvBlock(middle, outputs, 3, stride=2)]
            inputs = outputs

    def blocks(self) -> list[ConvBlock]:
        """All convolutions in the order in which they run."""
        return cast(list[ConvBlock], [*self.layers, *self.extra])

    def forward(self, x: Tensor) -> "OrderedDict[str, Tensor]":
        """Images (B, 3, 300, 300), normalised, to maps (B, C, h, w) named "0" to "5"."""
        maps = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == 22:  # pointwise 11: (B, 384, 19, 19)
                maps.append(x)
        maps.append(x)  # (B, 768, 10, 10)
        for index, layer in enumerate(self.extra):
            x = layer(x)
            if index % 2:
                maps.append(x)
        return OrderedDict((str(i), m) for i, m in enumerate(maps))


class AnchorBoxes(DefaultBoxGenerator):
    """TensorFlow's SSD anchors: 1,917 in all, of scales .2 to .95, fewer in the lowest layer, not clipped."""

    def __init__(self) -> None:
        super().__init__([[2]] + [[2, 3]] * 5, clip=False)

    def _generate_wh_pairs(
        self, num_outputs: int, dtype: torch.dtype = torch.float32, device: Any = None
    ) -> list[Tensor]:
        scales = [0.2 + 0.75 * k / 5 for k in range(6)] + [1.0]
        layers = [[(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]]
        for k in range(1, 6):
            layers.append(
                [(scales[k], ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 1 / 3)]
                + [((scales[k] * scales[k + 1]) ** 0.5, 1.0)]
            )
        return [
            torch.tensor([(s * r**0.5, s / r**0.5) for s, r in layer], dtype=dtype, device=device)
            for layer in layers
        ]

    def num_anchors_per_location(self) -> list[int]:
        """How many boxes each place of a map has, for each of the six maps."""
        return [3, 6, 6, 6, 6, 6]


class Head(nn.Module):
    """1 x 1 convolutions on every map: K class logits and 4 box codes for each anchor."""

    def __init__(self, num_classes: int, anchors: list[int]):
        super().__init__()
        pairs = list(zip(MAP_CHANNELS, anchors, strict=True))
        self.classification_head = SSDScoringHead(
            nn.ModuleList(nn.Conv2d(c, a * num_classes, 1) for c, a in pairs), num_classes
        )
        self.regression_head = SSDScoringHead(nn.ModuleList(nn.Conv2d(c, a * 4, 1) for c, a in pairs), 4)

    def forward(self, maps: list[Tensor]) -> dict[str, Tensor]:
        """Six maps (B, C, h, w) to `bbox_regression` (B, A, 4) and `cls_logits` (B, A, K)."""
        return {"bbox_regression": self.regression_head(maps), "cls_logits": self.classification_head(maps)}


def make(classes: tuple[str, ...]) -> VectorSSD:
    """The network with random weights; its convolutions by He's rule (He et al., 2015, arXiv:1502.01852)."""
    anchors = AnchorBoxes()
    model = VectorSSD(
        ARCH,
        Backbone(),
        anchors,
        Head(len(classes), anchors.num_anchors_per_location()),
        SIZE_WH,
        classes,
        INPUT_MEAN,
        INPUT_STD,
        MAP_SIZES,
    )
    for block in model.backbone.blocks():
        nn.init.kaiming_normal_(block.conv.weight, mode="fan_out" if block.conv.groups == 1 else "fan_in")
    for conv in [*model.head.classification_head.module_list, *model.head.regression_head.module_list]:
        nn.init.normal_(conv.weight, std=0.01)
        nn.init.zeros_(conv.bias)
    for conv in model.head.classification_head.module_list:
        nn.init.constant_(conv.bias, CLASS_BIAS)
    return model
