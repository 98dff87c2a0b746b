"""`ssdlite320_mobilenet_v3_large` described: torchvision's network.

The table of blocks is table 1 of Howard et al., 2019, arXiv:1905.02244, with half the channels from the last
stride on, as torchvision's ssdlite has it. It is what one changes for other layers: channels, map sizes and
anchors of both forms follow.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

from vector_tl.nets.description import Block, Convolution, Description, Layer, Squeeze

ARCH = "ssdlite320_mobilenet_v3_large"


class Residual(NamedTuple):
    """An inverted residual block: to `expanded` channels, depthwise, squeeze-and-excitation, to `outputs`."""

    kernel: int
    expanded: int
    outputs: int
    squeezes: bool
    activation: Literal["relu", "hardswish"]
    stride: int


STEM, LAST = 16, 480
RESIDUALS = [
    Residual(3, 16, 16, False, "relu", 1),
    Residual(3, 64, 24, False, "relu", 2),
    Residual(3, 72, 24, False, "relu", 1),
    Residual(5, 72, 40, True, "relu", 2),
    Residual(5, 120, 40, True, "relu", 1),
    Residual(5, 120, 40, True, "relu", 1),
    Residual(3, 240, 80, False, "hardswish", 2),
    Residual(3, 200, 80, False, "hardswish", 1),
    Residual(3, 184, 80, False, "hardswish", 1),
    Residual(3, 184, 80, False, "hardswish", 1),
    Residual(3, 480, 112, True, "hardswish", 1),
    Residual(3, 672, 112, True, "hardswish", 1),
    Residual(5, 672, 80, True, "hardswish", 2),
    Residual(5, 480, 80, True, "hardswish", 1),
    Residual(5, 480, 80, True, "hardswish", 1),
]
SPLIT = 12  # the block whose first convolution gives the first map
EXTRA = [512, 256, 256, 128]  # torchvision's: 1x1, depthwise 3x3 stride 2, 1x1


def describe() -> Description:
    """The network as the tables have it now."""
    blocks, inputs = [Block((_layer("features.0.0", 3, STEM, 3, 2, activation="hardswish"),))], STEM
    for number, residual in enumerate(RESIDUALS):
        blocks += _residual_blocks(number, residual, inputs)
        inputs = residual.outputs
    last = f"features.1.{len(RESIDUALS) - SPLIT}"
    blocks.append(Block((_layer(last, inputs, LAST, activation="hardswish"),), gives_map=True))
    inputs = LAST
    for i, outputs in enumerate(EXTRA):
        middle = outputs // 2
        layers = (
            _layer(f"extra.{i}.0", inputs, middle),
            _layer(f"extra.{i}.1", middle, middle, 3, 2, middle),
            _layer(f"extra.{i}.2", middle, outputs),
        )
        blocks.append(Block(layers, gives_map=True))
        inputs = outputs
    return Description(ARCH, (320, 320), 0.5, 0.5, False, tuple(blocks), _anchors(), True)


def _residual_blocks(number: int, residual: Residual, inputs: int) -> list[Block]:
    """One block; two where the first convolution gives a map."""
    kernel, expanded, outputs, squeezes, activation, stride = residual
    split = number == SPLIT
    # torchvision divides its layers into those up to the first map and those after it
    first, rest = f"features.0.{number + 1}", f"features.{int(number >= SPLIT)}"
    place = f"{rest}.0" if split else f"{rest}.{number - SPLIT if number > SPLIT else number + 1}.block"
    layers: list[Layer] = []
    if expanded != inputs:
        layers.append(_layer(first if split else f"{place}.0", inputs, expanded, activation=activation))
    at = len(layers)
    layers.append(
        _layer(f"{place}.{at}", expanded, expanded, kernel, stride, expanded, activation=activation)
    )
    if squeezes:
        at += 1
        squeezed = squeezed_channels(expanded)
        name = f"backbone.{place}.{at}"
        down = Convolution(f"{name}.fc1", expanded, squeezed, activation="relu")
        layers.append(Squeeze(down, Convolution(f"{name}.fc2", squeezed, expanded, activation="hardsigmoid")))
    layers.append(_layer(f"{place}.{at + 1}", expanded, outputs, activation=None))
    if split:
        return [Block((layers[0],), gives_map=True), Block(tuple(layers[1:]))]
    return [Block(tuple(layers), skip=stride == 1 and inputs == outputs)]


def squeezed_channels(expanded: int) -> int:
    """A quarter, as a multiple of 8, at most a tenth below the quarter."""
    quarter = expanded // 4
    nearest = max(8, (quarter + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * quarter else nearest + 8


def _layer(
    name: str,
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: Literal["relu", "relu6", "hardswish"] | None = "relu6",
) -> Convolution:
    place = f"backbone.{name}"
    return Convolution(f"{place}.0", inputs, outputs, kernel, stride, groups, f"{place}.1", activation)


def _anchors() -> list[list[tuple[float, float]]]:
    """Those of Liu et al., 2016, arXiv:1512.02325, of scales .2 to .95, no side longer than the image's."""
    scales = [0.2 + 0.75 * k / 5 for k in range(6)] + [1.0]
    layers = []
    for here, above in pairwise(scales):
        between = (here * above) ** 0.5
        sizes = [(here, here), (between, between)]
        for root in (2**0.5, 3**0.5):
            sizes += [(here * root, here / root), (here / root, here * root)]
        layers.append([(min(w, 1.0), min(h, 1.0)) for w, h in sizes])
    return layers
