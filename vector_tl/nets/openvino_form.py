"""A network in OpenVINO's operations, made from its description and the tensors of a model's file.

PyTorch is not needed for it. BatchNorm is folded into the convolution before it.

For int8 the inputs and weights of each convolution but those that give boxes are rounded, to 256 and 255
levels (FakeQuantize nodes, which OpenVINO turns into integer arithmetic). The ranges need no calibration
images: ReLU6 gives 0 to 6, the image is bytes, and weights have a scale for each output channel
(Krishnamoorthi, 2018, arXiv:1806.08342).
"""

from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from vector_tl.nets.calibration import UNCALIBRATED, Calibration
from vector_tl.nets.description import Block, Convolution, Description, Squeeze
from vector_tl.nets.graph_form import CODE_SCALES, MAX_SIZE_CODE, Tensors, folded

LEVELS, WEIGHT_LEVELS = 256, 255  # of int8; weights' levels lie evenly on both sides of 0


def openvino_form(
    description: Description,
    tensors: Tensors,
    classes: int,
    quantised: bool = False,
    calibration: Calibration = UNCALIBRATED,
) -> Any:
    """The network from bytes to scores and boxes, for one image at a time.

    Args:
        description: of the network.
        tensors: float32, as `description.tensors(classes)` names them.
        classes: how many there are.
        quantised: whether convolutions are computed in int8; see `can_be_quantised`.
        calibration: of the scores.

    Returns:
        An `openvino.Model` from images uint8 (1, h, w, 3) RGB to scores (1, A) of the best class and
        boxes_xyxy (1, A, 4) in 0..1 of the image, clipped.
    """
    width, height = description.size_wh
    images = ops.parameter([1, height, width, 3], np.uint8, name="images")
    pixels = ops.transpose(ops.convert(images, "f32"), np.array([0, 3, 1, 2]))  # (1, 3, h, w)
    scale = np.float32(1 / (255 * description.std))
    x = ops.subtract(
        ops.multiply(pixels, _number(scale)), _number(np.float32(description.mean / description.std))
    )
    form, maps = _Form(description, tensors, quantised), []
    for block in description.blocks:
        x = form.block(x, block)
        if block.gives_map:
            maps.append(x)
    logits = form.heads(maps, description.class_heads(classes), classes)  # (1, A, K)
    # as they are, also for int8: in 256 levels the corners would lie worse, and it takes no longer
    codes = _Form(description, tensors, quantised=False).heads(maps, description.box_heads(), 4)  # (1, A, 4)
    best = ops.reduce_max(logits, np.array([2]))  # (1, A)
    if calibration != UNCALIBRATED:
        best = ops.add(ops.multiply(best, _number(np.float32(calibration.scale))),
                       _number(np.float32(calibration.shift)))  # fmt: skip
    scores = ops.sigmoid(best)
    return openvino.Model([scores, _decode(codes, description.anchors_xyxy())], [images], description.arch)


def can_be_quantised(description: Description) -> bool:
    """Whether what each convolution of the backbone gives has known bounds: it ends in ReLU6."""
    return all(
        isinstance(layer, Convolution) and layer.activation == "relu6"
        for block in description.blocks
        for layer in block.layers
    ) and not any(block.skip for block in description.blocks)


class _Form:
    """The parts of one network."""

    def __init__(self, description: Description, tensors: Tensors, quantised: bool):
        self._description, self._tensors, self._quantised = description, tensors, quantised
        self._first = description.blocks[0].layers[0]

    def block(self, x: Any, block: Block) -> Any:
        y = x
        for layer in block.layers:
            y = self._squeeze(y, layer) if isinstance(layer, Squeeze) else self._convolution(y, layer)
        return ops.add(x, y) if block.skip else y

    def heads(self, maps: list[Any], blocks: list[Block], columns: int) -> Any:
        """Six maps (1, C, h, w) to (1, A, columns)."""
        found = []
        for x, block in zip(maps, blocks, strict=True):
            y = ops.transpose(self.block(x, block), np.array([0, 2, 3, 1]))  # (1, h, w, anchors x columns)
            found.append(ops.reshape(y, np.array([1, -1, columns]), special_zero=False))
        return ops.concat(found, 1)

    def _squeeze(self, x: Any, layer: Squeeze) -> Any:
        mean = ops.reduce_mean(x, np.array([2, 3]), keep_dims=True)
        return ops.multiply(x, self._convolution(self._convolution(mean, layer.down), layer.up))

    def _convolution(self, x: Any, layer: Convolution) -> Any:
        weight, bias = folded(layer, self._tensors)
        around = [0 if self._description.odd_padding_last else layer.kernel // 2] * 2
        how = {
            "strides": [layer.stride] * 2,
            "pads_begin": around,
            "pads_end": around,
            "dilations": [1, 1],
            "auto_pad": "same_upper" if self._description.odd_padding_last else "explicit",
        }
        if self._quantised:
            x = self._rounded(x, layer)
        if layer.groups > 1:
            grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])  # (groups, O / groups, I, k, k)
            x = ops.group_convolution(x, self._weight(grouped, 2), **how)
        else:
            x = ops.convolution(x, self._weight(weight, 1), **how)
        return _activate(ops.add(x, _number(bias.reshape(1, -1, 1, 1))), layer.activation)

    def _rounded(self, x: Any, layer: Convolution) -> Any:
        """What a convolution gets, in 256 levels: bytes of the image, or what ReLU6 gave."""
        low, high = 0.0, 6.0
        if layer is self._first:
            low, high = ((end - self._description.mean) / self._description.std for end in (0.0, 1.0))
        low, high = _number(np.float32(low)), _number(np.float32(high))
        return ops.fake_quantize(x, low, high, low, high, LEVELS)

    def _weight(self, values: np.ndarray, channel_axes: int) -> Any:
        """A weight; for int8 in 255 levels for each channel, by which its first axes count."""
        if not self._quantised:
            return _number(values)
        rest = tuple(range(channel_axes, values.ndim))
        high = np.maximum(np.abs(values).max(axis=rest, keepdims=True), np.float32(1e-12))
        low = _number(-high)
        return ops.fake_quantize(_number(values), low, _number(high), low, _number(high), WEIGHT_LEVELS)


def _activate(x: Any, activation: str | None) -> Any:
    if activation is None:
        return x
    if activation == "relu6":
        return ops.clamp(x, 0.0, 6.0)
    return {"relu": ops.relu, "hardswish": ops.hswish, "hardsigmoid": ops.hsigmoid}[activation](x)


def _decode(codes: Any, anchors_xyxy: np.ndarray) -> Any:
    """Codes (1, A, 4) to corners (1, A, 4) in 0..1; see `ssd.VectorSSD`."""
    size = anchors_xyxy[:, 2:] - anchors_xyxy[:, :2]
    middle = anchors_xyxy[:, :2] + size / 2
    shift, growth = ops.split(ops.divide(codes, _number(np.array(CODE_SCALES, np.float32))), 2, 2).outputs()
    center = ops.add(_number(middle), ops.multiply(shift, _number(size)))
    growth = ops.minimum(growth, _number(np.float32(MAX_SIZE_CODE)))
    half = ops.multiply(ops.exp(growth), _number(size / 2))
    corners = ops.concat([ops.subtract(center, half), ops.add(center, half)], 2)
    return ops.clamp(corners, 0.0, 1.0)


def _number(value: np.ndarray | np.float32) -> Any:
    return ops.constant(np.asarray(value, np.float32))
