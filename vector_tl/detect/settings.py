"""Settings of `vector-tl detect`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from tyro.conf import Positional, arg

from vector_tl.errors import UsageError

Engine = Literal["auto", "torch", "openvino", "cudagraph"]
AnyPrecision = Literal["auto", "fp32", "bf16", "int8"]
ENGINES: tuple[str, ...] = get_args(Engine)


@dataclass(frozen=True)
class DetectSettings:
    """Find Vectors in images, folders, videos or recordings.

    Example: vector-tl detect transfer holiday.jpg videos/ --json
    """

    model: Positional[Annotated[str, arg(metavar="MODEL")]]
    """A model file, or a name in models/."""
    inputs: Positional[Annotated[tuple[Path, ...], arg(metavar="INPUT...")]]
    """Images, folders of images, videos or recordings."""
    threshold: float | None = None
    """Confidence threshold, 0 to 1: only boxes with a higher score are given. The model's own when not
    given."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""
    engine: Engine = "auto"
    """Backend that runs the network; auto is the fastest: openvino on a CPU, cudagraph on a GPU."""
    precision: AnyPrecision = "auto"
    """What a CPU computes in: auto (the fastest of those in which the model passed a check), fp32, bf16 or
    int8."""
    tiles: bool = False
    """Look again, at twice the scale, at the part of an image with the best box below the model's threshold:
    finds more small Vectors, and takes up to twice as long (1.4 times on average)."""


def check_threshold(threshold: float | None) -> None:
    """Refuse a confidence threshold outside of 0..1.

    Raises:
        UsageError: it is, or is not a number.
    """
    if threshold is not None and not 0 <= threshold <= 1:  # NaN too
        raise UsageError(f"--threshold {threshold} must be a number from 0 to 1.")
