"""The learning curve on disk: a .csv beside the model, with a row for each evaluation."""

import csv
import io
from pathlib import Path

from vector_tl.files import write_atomic
from vector_tl.nets import checkpoint

COUNTS = ("step", "images_seen")
OLD_COLUMNS = {"pictures_seen": "images_seen"}  # old name


def write_curve(path: Path, curve: list[dict]) -> None:
    """Write rows of step, images_seen, loss, ap50 and ap50_95; what is undefined is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    write_atomic(path, text.getvalue())


def read_curve(path: Path) -> list[dict]:
    """The rows of a curve as numbers, None for what is undefined; old names of columns are read, too."""
    with path.open(newline="") as file:
        return [
            {
                name: (int if name in COUNTS else float)(value) if value else None
                for name, value in row.items()
            }
            for row in map(with_new_names, csv.DictReader(file))
        ]


def with_new_names(row: dict) -> dict:
    """A row of a curve with the columns' names of today."""
    return {OLD_COLUMNS.get(name, name): value for name, value in row.items()}


def finished(out: Path) -> bool:
    """Whether a training came to its last step.

    Neither a model nor a missing .resume shows it: a full disk or a kill leaves the first best model alone.
    """
    curve_path = out.with_suffix(".csv")
    if not (out.exists() and curve_path.exists()) or out.with_suffix(".resume").exists():
        return False
    with curve_path.open() as file:
        last = max((int(row.get("step") or 0) for row in csv.DictReader(file)), default=0)
    return last == checkpoint.read_metadata(out).get("steps")
