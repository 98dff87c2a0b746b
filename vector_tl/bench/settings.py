"""The options of `vector-tl bench`, and the rows that it gives."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from vector_tl.detect.settings import AnyPrecision

SMALLER_IS_BETTER = ("ms", "s", "MiB", "cores")


@dataclass(frozen=True)
class BenchSettings:
    """Measure speed, each figure beside a baseline that is measured in the same run, as machines differ.

    Example: vector-tl bench film --json
    """

    what: tyro.conf.Positional[
        Annotated[
            Literal["detect", "train", "sim", "find", "film", "size", "growth"], tyro.conf.arg(metavar="WHAT")
        ]
    ]
    """What to measure: detect, train, sim, find, film, size (20,000 images and hours of a recording; it takes
    some minutes, whatever --seconds), or growth (boxes in an image, robots, minutes of a recording)."""
    model: str = "transfer"
    """The model to measure with: a file, or a name in models/."""
    device: str = "auto"
    """Where it runs: auto, cpu or cuda (an NVIDIA GPU)."""
    precision: AnyPrecision = "auto"
    """What a CPU computes in: auto (the fastest of those in which the model passed a check), fp32, bf16 or
    int8."""
    seconds: float = 10.0
    """About how long each measurement lasts."""


@dataclass(frozen=True)
class Row:
    """One measurement; `baseline` says in words what it is compared with."""

    what: str
    value: float
    unit: str
    baseline: str | None = None
    baseline_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Above 1 is better than the baseline, whether small values are good or large ones.

        None without a baseline.
        """
        if not self.baseline_value or not self.value:
            return None
        ratio = self.value / self.baseline_value
        return 1 / ratio if self.unit in SMALLER_IS_BETTER else ratio
