"""What the forms of a network for other programs have in common: the walk over its description.

A form adds nodes to a graph of its own kind, ONNX's or TFLite's. `Node` is what it knows a node's output by.
"""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np

from vector_tl.nets.description import NORM_EPS, Block, Convolution, Description, Squeeze

CODE_SCALES = (10.0, 10.0, 5.0, 5.0)  # of a box's code (tx, ty, tw, th)
MAX_SIZE_CODE = 4.0  # the logarithm of how often as large as its anchor a box can be
Tensors = dict[str, np.ndarray]
Node = TypeVar("Node")


class GraphForm(ABC, Generic[Node]):
    """A network as a graph.

    Args:
        description: of the network.
        tensors: float32, as `description.tensors(classes)` names them.
        classes: how many there are.
    """

    def __init__(self, description: Description, tensors: Tensors, classes: int):
        self.description, self.tensors, self.classes = description, tensors, classes

    @abstractmethod
    def constant(self, value: np.ndarray) -> Node:
        """A float32 tensor of the file."""

    @abstractmethod
    def binary(self, operation: str, a: Node, b: Node) -> Node:
        """Add, Sub, Mul, Min or Max of two tensors, with broadcasting."""

    @abstractmethod
    def unary(self, operation: str, x: Node) -> Node:
        """Exp or Sigmoid."""

    @abstractmethod
    def convolve(self, x: Node, layer: Convolution, weight: np.ndarray, bias: np.ndarray) -> Node:
        """A convolution with weight (O, I / groups, k, k), bias (O,) and activation."""

    @abstractmethod
    def mean_of_places(self, x: Node) -> Node:
        """The mean of each channel, as a map of one place."""

    @abstractmethod
    def rows(self, x: Node, columns: int) -> Node:
        """A map of h x w places with `n * columns` channels as (1, h w n, columns), place by place."""

    @abstractmethod
    def join(self, parts: list[Node], axis: int) -> Node:
        """Tensors (1, n, m), one after another along an axis."""

    @abstractmethod
    def columns(self, x: Node, first: int, last: int) -> Node:
        """Columns `first` to before `last` of (1, n, m)."""

    @abstractmethod
    def best_class(self, logits: Node) -> Node:
        """(1, A, K) to the highest of each row, (1, A)."""

    def logits_and_boxes(self, pixels: Node) -> tuple[Node, Node]:
        """From the normalised image to logits (1, A) of the best class, and boxes xyxy (1, A, 4) in 0..1."""
        x, maps = pixels, []
        for block in self.description.blocks:
            x = self._block(x, block)
            if block.gives_map:
                maps.append(x)
        logits = self._heads(maps, self.description.class_heads(self.classes), self.classes)
        codes = self._heads(maps, self.description.box_heads(), 4)
        return self.best_class(logits), self._decode(codes)

    def scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """What makes bytes of an image what the network takes: bytes * scale + shift."""
        description = self.description
        scale = np.float32(1 / (255 * description.std))
        return np.array(scale), np.array(np.float32(-description.mean / description.std))

    def _block(self, x: Node, block: Block) -> Node:
        y = x
        for layer in block.layers:
            y = self._squeeze(y, layer) if isinstance(layer, Squeeze) else self._convolution(y, layer)
        return self.binary("Add", x, y) if block.skip else y

    def _squeeze(self, x: Node, layer: Squeeze) -> Node:
        mean = self.mean_of_places(x)
        return self.binary("Mul", x, self._convolution(self._convolution(mean, layer.down), layer.up))

    def _convolution(self, x: Node, layer: Convolution) -> Node:
        return self.convolve(x, layer, *folded(layer, self.tensors))

    def _heads(self, maps: list[Node], blocks: list[Block], columns: int) -> Node:
        rows = [self.rows(self._block(x, block), columns) for x, block in zip(maps, blocks, strict=True)]
        return self.join(rows, 1)

    def _decode(self, codes: Node) -> Node:
        """Codes (1, A, 4) to corners (1, A, 4) in 0..1, clipped; see `ssd.VectorSSD`."""
        anchors = self.description.anchors_xyxy()[None]
        size = anchors[..., 2:] - anchors[..., :2]
        middle = anchors[..., :2] + size / 2
        factors = (1 / np.array(CODE_SCALES, np.float32)).astype(np.float32)
        shift = self.binary("Mul", self.columns(codes, 0, 2), self.constant(size * factors[:2]))
        center = self.binary("Add", shift, self.constant(middle))
        growth = self.binary("Mul", self.columns(codes, 2, 4), self.constant(factors[2:]))
        growth = self.binary("Min", growth, self.constant(np.array([MAX_SIZE_CODE])))
        half = self.binary("Mul", self.unary("Exp", growth), self.constant(size / 2))
        corners = self.join([self.binary("Sub", center, half), self.binary("Add", center, half)], 2)
        corners = self.binary("Max", corners, self.constant(np.array([0.0])))
        return self.binary("Min", corners, self.constant(np.array([1.0])))


def folded(layer: Convolution, tensors: Tensors) -> tuple[np.ndarray, np.ndarray]:
    """Weight (O, I, k, k) and bias (O,) of a convolution with its BatchNorm."""
    weight = tensors[f"{layer.name}.weight"]
    if not layer.norm:
        return weight, tensors[f"{layer.name}.bias"]
    gamma, beta, mean, variance = (
        tensors[f"{layer.norm}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + NORM_EPS)
    bias = beta - mean * factor
    return (weight * factor[:, None, None, None]).astype(np.float32), bias.astype(np.float32)
