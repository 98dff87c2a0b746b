"""Settings of `vector-tl detect`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


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
    """Score above which a box is told; the model's own when not given."""
    device: str = "auto"
    """cpu, cuda or auto."""
    engine: Literal["auto", "torch", "openvino", "cudagraph"] = "auto"
    """What runs the network; auto is the fastest: openvino on a CPU, cudagraph on a GPU."""
