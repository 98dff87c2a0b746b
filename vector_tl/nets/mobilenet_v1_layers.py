"""`ssd300_mobilenet_v1` described: TensorFlow's SSD-MobileNetV1 (300 x 300, width 0.75).

Layers, padding, anchors and box code follow TensorFlow's release
`coco_ssd_mobilenet_v1_1.0_quant_2018_06_29`, so that its weights fit (see `tflite.py`). The tables are
what one changes for other layers: channels, map sizes and anchors of both forms follow.
"""

from itertools import pairwise

from vector_tl.nets.description import Block, Convolution, Description

ARCH = "ssd300_mobilenet_v1"
STEM = 24
# (channels, stride) of the 13 depthwise-separable blocks at width 0.75
SEPARABLE = [(48, 1), (96, 2), (96, 1), (192, 2), (192, 1), (384, 2), *[(384, 1)] * 5, (768, 2), (768, 1)]
FIRST_MAP = 11  # the separable block, counted from 1, that gives the first map; the last one gives the second
EXTRA = [(192, 384), (96, 192), (96, 192), (48, 96)]  # 1x1 then 3x3 stride 2, each gives a map


def describe() -> Description:
    """The network as the tables have it now."""
    blocks, inputs = [_block("layers.0", 3, STEM, 3, 2)], STEM
    for number, (outputs, stride) in enumerate(SEPARABLE, 1):
        blocks.append(_block(f"layers.{2 * number - 1}", inputs, inputs, 3, stride, inputs))
        gives_map = number in (FIRST_MAP, len(SEPARABLE))
        blocks.append(_block(f"layers.{2 * number}", inputs, outputs, gives_map=gives_map))
        inputs = outputs
    for i, (middle, outputs) in enumerate(EXTRA):
        blocks.append(_block(f"extra.{2 * i}", inputs, middle))
        blocks.append(_block(f"extra.{2 * i + 1}", middle, outputs, 3, 2, gives_map=True))
        inputs = outputs
    half = 128 / 255  # the file's quantisation record: (q - 128) / 128
    return Description(ARCH, (300, 300), half, half, True, tuple(blocks), _anchors(), False)


def _block(
    name: str,
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    gives_map: bool = False,
) -> Block:
    place = f"backbone.{name}"
    layer = Convolution(f"{place}.conv", inputs, outputs, kernel, stride, groups, f"{place}.norm")
    return Block((layer,), gives_map=gives_map)


def _anchors() -> list[list[tuple[float, float]]]:
    """TensorFlow's: of scales .2 to .95, fewer in the lowest layer, not clipped."""
    scales = [0.2 + 0.75 * k / 5 for k in range(6)] + [1.0]
    layers = [[(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]]
    for here, above in list(pairwise(scales))[1:]:
        ratios = [(here, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 1 / 3)]
        layers.append([*ratios, ((here * above) ** 0.5, 1.0)])
    return [[(s * r**0.5, s / r**0.5) for s, r in layer] for layer in layers]
