"""`vector-tl bench`: what is fast and what is not, always beside a baseline that is measured in the same run."""

import importlib
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class BenchSettings:
    """Measure speed; each value stands beside a baseline of the same run, for times on one machine vary.

    Example: vector-tl bench film --json
    """

    what: tyro.conf.Positional[
        Annotated[Literal["detect", "train", "sim", "find", "film"], tyro.conf.arg(metavar="WHAT")]
    ]
    """detect, train, sim, find or film."""
    model: str = "transfer"
    """The model to measure with: a checkpoint's path, or a name in models/."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seconds: float = 10.0
    """About how long each measurement lasts."""


@dataclass(frozen=True)
class Row:
    """One measurement. `ratio` above 1 is better than the baseline, whichever way the unit points; None where there is no baseline."""

    what: str
    value: float
    unit: str
    baseline: str | None = None
    baseline_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Times are better when small, rates when large."""
        if not self.baseline_value or not self.value:
            return None
        return (
            self.baseline_value / self.value
            if self.unit in ("ms", "s", "MiB")
            else self.value / self.baseline_value
        )


def bench(settings: BenchSettings) -> dict:
    """The rows of one room's `bench.py`: `rows(settings) -> (device in words, list[Row])`."""
    device, rows = importlib.import_module(f"vector_tl.bench.{settings.what}").rows(settings)
    return {"device": device, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
