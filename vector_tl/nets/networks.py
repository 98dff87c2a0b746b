"""The networks in PyTorch, with random weights."""

import torch

from vector_tl.nets import mobilenet_v1, mobilenet_v3
from vector_tl.nets.archs import VECTOR, describe
from vector_tl.nets.ssd import VectorSSD


def make_network(arch: str, seed: int = 0, classes: tuple[str, ...] = VECTOR) -> VectorSSD:
    """A network with random weights drawn by `seed`; the global random state is left as it was.

    Args:
        arch: one of `archs.ARCHS`.
        seed: of all random weights.
        classes: `VECTOR`, or COCO's 90 (`tflite.COCO_CLASSES`) to check the port.

    Raises:
        UsageError: an unknown `arch`.
    """
    description = describe(arch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        make = mobilenet_v1.make if arch == mobilenet_v1.ARCH else mobilenet_v3.make
        return make(classes, description)
