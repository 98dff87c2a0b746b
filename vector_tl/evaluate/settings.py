"""Settings of `vector-tl evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class EvaluateSettings:
    """Measure a model on labelled images: AP, precision, recall by size, false alarms.

    Example: vector-tl evaluate transfer --data data --split test --json
    """

    model: Positional[Annotated[str, arg(metavar="MODEL")]]
    """A model file, or a name in models/."""
    data: Path = Path("data")
    """Folder of the dataset, or a recording: a simulated one holds its truth, others take labels from NAME.labels/000012.txt beside NAME.mcap."""
    split: str = "test"
    """train, val, test or all."""
    threshold: float | None = None
    """Score above which a box counts for precision, recall and false alarms; the model's own when not given."""
    device: str = "auto"
    """cpu, cuda or auto."""
    report: Path | None = None
    """Also write a page (.html): misses, false positives and loose boxes as images, by size, place, brightness and session, and what to capture next."""
    overwrite: bool = False
    """Replace --report if it is there already."""
