"""Settings of `vector-tl detect`."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class DetectSettings:
    """Find Vectors in pictures, folders, videos or recordings.

    Example: vector-tl detect transfer holiday.jpg videos/ --json
    """

    model: tyro.conf.Positional[str]
    """A model file, or a name in models/."""
    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures, folders of pictures, videos or recordings."""
    threshold: float | None = None
    """Score above which a box is told; the model's own when not given."""
    device: str = "auto"
    """cpu, cuda or auto."""
