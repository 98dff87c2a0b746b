"""The networks by name."""

from vector_tl.errors import UsageError
from vector_tl.nets import mobilenet_v1_layers, mobilenet_v3_layers
from vector_tl.nets.description import Description

ARCHS = (mobilenet_v1_layers.ARCH, mobilenet_v3_layers.ARCH)
VECTOR = ("vector",)


def describe(arch: str) -> Description:
    """The description of a network.

    Raises:
        UsageError: an unknown `arch`.
    """
    if arch not in ARCHS:
        raise UsageError(f"There is no network {arch!r}; choose one of {', '.join(ARCHS)}.")
    if arch == mobilenet_v1_layers.ARCH:
        return mobilenet_v1_layers.describe()
    return mobilenet_v3_layers.describe()
