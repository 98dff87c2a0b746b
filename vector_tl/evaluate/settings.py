"""Settings of `vector-tl evaluate`."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class EvaluateSettings:
    """Measure a model on labelled pictures: average precision, recall by size, false alarms.

    Example: vector-tl evaluate transfer --data data --split val --json
    """

    model: tyro.conf.Positional[str]
    """A model file, or a name in models/."""
    data: Path
    """Data set folder."""
    split: str = "test"
    """train, val, test, or all."""
    threshold: float | None = None
    """Score from which a box counts; the model's own when not given."""
    device: str = "auto"
    """cpu, cuda or auto."""
