"""The learning curve on disk: a .csv beside the model, with a row for each evaluation."""

import csv
import io
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.forms import Count, Finite, Share, check_form
from vector_tl.nets import model_file

REMEDY = "remove it together with its model, and train again"
COLUMNS = ("step", "images_seen", "loss", "ap50", "ap50_95")
COUNTS = ("step", "images_seen")
OLD_COLUMNS = {"pictures_seen": "images_seen"}  # old name


class _Heights(TypedDict):
    images_seen: Annotated[int, Meta(ge=1, le=10**12)]
    loss: Finite | None
    ap50: Share | None
    ap50_95: Share | None


class Point(_Heights):
    """A point of a curve in a training's result; version 0.1 wrote no step there."""

    step: NotRequired[Count]


class Row(_Heights):
    """A row of a curve."""

    step: Count


class _Step(TypedDict):
    step: NotRequired[Count]


def write_curve(path: Path, curve: list[dict]) -> None:
    """Write rows of step, images_seen, loss, ap50 and ap50_95; what is undefined is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    write_atomic(path, text.getvalue())


def read_curve(path: Path, form: Any = Row) -> list[dict[str, Any]]:
    """The rows of a curve as numbers, None for what is undefined; old names of columns are read, too.

    Args:
        path: of the curve.
        form: what a row must hold.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is no such curve; the message names the line.
    """
    try:
        text = io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a learning curve ({error}); {REMEDY}.") from error
    curve, reader = [], csv.DictReader(text)
    try:
        for cells in reader:
            where = f"{path}, line {reader.line_num},"
            row = {name: _number(name, cell, where) for name, cell in with_new_names(cells).items()}
            curve.append(check_form(row, form, where, REMEDY))
    except csv.Error as error:
        raise UserError(
            f"{path} is not a learning curve, from line {reader.line_num} on ({error}); {REMEDY}."
        ) from error
    return curve


def _number(name: str | None, cell: str | list[str] | None, where: str) -> int | float | None:
    if name is None or isinstance(cell, list):
        raise UserError(f"{where} has more columns than the first line names; {REMEDY}.")
    if not cell:
        return None
    try:
        return int(cell) if name in COUNTS else float(cell)
    except ValueError as error:
        raise UserError(
            f"{where} has no number in the column {name!r} but {cell[:40]!r}; {REMEDY}."
        ) from error


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
    last = max((row.get("step", 0) for row in read_curve(curve_path, _Step)), default=0)
    return last == model_file.read_metadata(out).get("steps")
