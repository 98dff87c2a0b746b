"""What a network is described by; PyTorch's and OpenVINO's form of it are both made from this."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

NORM_EPS = 1e-3  # of every BatchNorm


@dataclass(frozen=True)
class Convolution:
    """A convolution with BatchNorm and activation, or one with a bias.

    Attributes:
        name: its tensors in a model's file begin so.
        norm: those of its BatchNorm; it has a bias where this is empty.
        activation: after it.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    norm: str = ""
    activation: Literal["relu", "relu6", "hardswish", "hardsigmoid"] | None = "relu6"

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its tensors by name; a BatchNorm's counter of batches is among them."""
        shapes: dict[str, tuple[int, ...]] = {
            f"{self.name}.weight": (self.outputs, self.inputs // self.groups, self.kernel, self.kernel)
        }
        if not self.norm:
            return shapes | {f"{self.name}.bias": (self.outputs,)}
        of_norm = ("weight", "bias", "running_mean", "running_var")
        return (
            shapes
            | {f"{self.norm}.{name}": (self.outputs,) for name in of_norm}
            | {f"{self.norm}.num_batches_tracked": ()}
        )


@dataclass(frozen=True)
class Squeeze:
    """Squeeze-and-excitation (Hu et al., 2018, arXiv:1709.01507): each channel times what its mean gives."""

    down: Convolution
    up: Convolution

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """See `Convolution.tensors`."""
        return self.down.tensors() | self.up.tensors()


Layer = Convolution | Squeeze


@dataclass(frozen=True)
class Block:
    """Layers in a row.

    Attributes:
        layers: of the block.
        skip: whether its input is added to its output.
        gives_map: whether the heads look at its output.
    """

    layers: tuple[Layer, ...]
    skip: bool = False
    gives_map: bool = False


@dataclass(frozen=True)
class Description:
    """A network, from images of `size_wh` to class logits and box codes of A anchors.

    Attributes:
        arch: name of the network.
        size_wh: its input size.
        mean, std: of the input, RGB in 0..1, that become 0 and 1.
        odd_padding_last: whether, at a stride, an odd pixel of padding goes right and below (TensorFlow's
            SAME), instead of all sides being padded alike.
        blocks: the backbone.
        anchors_wh: width and height, in 0..1 of the image, of the anchors at each place of each map.
        separable_heads: whether a depthwise convolution comes before the last one of each head.
    """

    arch: str
    size_wh: tuple[int, int]
    mean: float
    std: float
    odd_padding_last: bool
    blocks: tuple[Block, ...]
    anchors_wh: list[list[tuple[float, float]]]
    separable_heads: bool

    @property
    def map_channels(self) -> list[int]:
        """Of the maps that the heads look at."""
        lasts = [block.layers[-1] for block in self.blocks if block.gives_map]
        return [layer.outputs for layer in lasts if isinstance(layer, Convolution)]

    @property
    def map_sizes_wh(self) -> list[tuple[int, int]]:
        """Of the same maps: the input's size divided by each stride in turn, rounded up."""
        (width, height), sizes = self.size_wh, []
        for block in self.blocks:
            for layer in block.layers:
                if isinstance(layer, Convolution):
                    width, height = -(-width // layer.stride), -(-height // layer.stride)
            if block.gives_map:
                sizes.append((width, height))
        return sizes

    def heads(self, columns: int, name: str) -> list[Block]:
        """For each map the convolutions that give `columns` numbers for each of its anchors."""
        heads = []
        for i, (channels, anchors) in enumerate(zip(self.map_channels, self.anchors_wh, strict=True)):
            place, outputs = f"head.{name}.module_list.{i}", columns * len(anchors)
            if self.separable_heads:
                first = Convolution(
                    f"{place}.0.0", channels, channels, 3, groups=channels, norm=f"{place}.0.1"
                )
                last = Convolution(f"{place}.1", channels, outputs, activation=None)
                heads.append(Block((first, last)))
            else:
                heads.append(Block((Convolution(place, channels, outputs, activation=None),)))
        return heads

    def class_heads(self, classes: int) -> list[Block]:
        """See `heads`: a logit for each class."""
        return self.heads(classes, "classification_head")

    def box_heads(self) -> list[Block]:
        """See `heads`: the code of a box."""
        return self.heads(4, "regression_head")

    def tensors(self, classes: int) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors of a model's file, by name."""
        blocks = [*self.blocks, *self.class_heads(classes), *self.box_heads()]
        return {
            name: shape
            for block in blocks
            for layer in block.layers
            for name, shape in layer.tensors().items()
        }

    def anchors_xyxy(self) -> np.ndarray:
        """(A, 4) float32 in 0..1 of the image, map by map, row by row, not clipped."""
        maps = []
        for (width, height), sizes in zip(self.map_sizes_wh, self.anchors_wh, strict=True):
            x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width)
            y = (np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height)
            centers = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)  # (h w, 1, 2)
            halves = np.array(sizes, np.float32) / np.float32(2)  # (n, 2)
            maps.append(np.concatenate([centers - halves, centers + halves], axis=2).reshape(-1, 4))
        return np.concatenate(maps)
