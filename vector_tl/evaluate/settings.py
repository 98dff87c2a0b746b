"""Settings of `vector-tl evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from vector_tl.detect.settings import AnyPrecision
from vector_tl.jobs.settings import WorkOptions


@dataclass(frozen=True)
class EvaluateSettings(WorkOptions):
    """Measure how many Vectors a model finds in labelled images, how many it misses, how often it is wrong.

    Example: vector-tl evaluate transfer --data data --split test --json
    """

    model: Positional[Annotated[str, arg(metavar="MODEL")]]
    """A model file, or a name in models/."""
    data: Path = Path("data")
    """Folder of the dataset, or a recording. A simulated recording holds its ground truth; for others the
    labels lie beside NAME.mcap, as NAME.labels/000012.txt."""
    split: str = "test"
    """Which images of the dataset: train, val, test or all."""
    threshold: float | None = None
    """Confidence threshold, 0 to 1: boxes with a higher score count for precision, recall and false
    positives. The model's own when not given."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""
    precision: AnyPrecision = "auto"
    """What a CPU computes in: auto (the fastest of those in which the model passed a check; with --cluster
    fp32, as machines differ), fp32, bf16 or int8."""
    tiles: bool = False
    """Evaluate the model as `detect --tiles` runs it: with a second look, nearer, at what it doubts."""
    check_precisions: bool = False
    """Compare bf16 and int8 with single precision on val and test instead, as far as this CPU has them, and
    write a threshold into the model's file for each that finds as much; a model is run in no other one."""
    report: Path | None = None
    """Also write a page (.html): missed Vectors, false positives and badly fitting boxes as images, by size,
    place, brightness and session, and what to capture next."""
    overwrite: bool = False
    """Replace --report if it is there already."""
