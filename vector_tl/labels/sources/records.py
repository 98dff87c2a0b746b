"""What a reader makes of a label file: boxes with the names of their classes, image by image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from vector_tl.errors import UserError

REACH = 0.02  # how far out of its image, in shares of it, a box reaches that was perhaps read wrongly


@dataclass(frozen=True)
class LabelBox:
    """A region that somebody marked: `corners` are x1 y1 x2 y2, in pixels or (`normalised`) in 0..1."""

    class_name: str  # the class's number as text where `ImageLabel.unnamed`
    corners: tuple[float, float, float, float]
    normalised: bool = False
    crowd: bool = False  # several things that were not marked one by one


@dataclass
class ImageLabel:
    """What a label file says of one image.

    Attributes:
        file: the label file, relative to the source.
        where: names the place in the file, in messages.
        form: the format.
        image_name: the image as the file names it; empty where only the file's own name says it.
        hints: the image's path in other writings, which only decide between images of one name.
        boxes: of all classes.
        size_wh: of the image that the label was made for; None where the file does not say.
        classes: the names of all classes that the file could have used; an image without a box is a negative
            only if a class that means Vector is among them. None where the form lists no classes by file.
        unnamed: the classes are numbers that nothing gives a name.
        nameless: numbers that have no name, though others of the file have one -> where the first stands.
        split: the source's own, where the file says it.
        whole: classes that the file says of the whole image, without a place.
        error: why this label cannot be used.
    """

    file: PurePosixPath
    where: str
    form: str
    image_name: str = ""
    hints: tuple[str, ...] = ()
    boxes: list[LabelBox] = field(default_factory=list)
    size_wh: tuple[int, int] | None = None
    classes: frozenset[str] | None = None
    unnamed: bool = False
    nameless: dict[str, str] = field(default_factory=dict)
    split: str | None = None
    whole: set[str] = field(default_factory=set)
    error: str | None = None


@dataclass
class LabelFile:
    """A label file that was read: its format, images and classes.

    `error` says why nothing of it is used; `doubt` why the names of its classes do not fit its numbers, which
    then stand in their place; `names_file` where those names stand, if in another file.
    """

    path: PurePosixPath
    form: str
    images: list[ImageLabel] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    doubt: str = ""
    names_file: PurePosixPath | None = None


class BadEntry(ValueError):
    """An entry of a label file that has no one meaning; costs its image."""


def number(value: Any, what: str, notes: list[str] | None = None) -> float:
    """A number of a label file; text that is one is converted, with a note.

    Raises:
        BadEntry: it is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise BadEntry(f"{what} is {_shown(value)}, which is not a number")
    try:
        found = float(value)
        if isinstance(value, str) and "_" in value:
            raise ValueError  # Python takes 1_0 for 10
    except (ValueError, OverflowError):
        comma = ", write it with a point" if isinstance(value, str) and "," in value else ""
        raise BadEntry(f"{what} is {_shown(value)}, which is not a number{comma}") from None
    if not math.isfinite(found):
        raise BadEntry(f"{what} is {_shown(value)}, which is not a finite number")
    if isinstance(value, str) and notes is not None:
        note = "numbers are written as text there and were read as numbers"
        if note not in notes:
            notes.append(note)
    return found


def whole(value: Any) -> int | None:
    """A size in pixels; None for what says nothing, such as 0 or null."""
    try:
        found = round(number(value, "size"))
    except BadEntry:
        return None
    return found if found > 0 else None


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """Width and height; None unless both are said."""
    wide, high = whole(width), whole(height)
    return (wide, high) if wide and high else None


def around(points: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The corners of the box around points.

    Raises:
        BadEntry: there are fewer than two.
    """
    if len(points) < 2:
        raise BadEntry("a region of one point is not a box")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def points_of(values: Any, what: str, notes: list[str] | None = None) -> list[tuple[float, float]]:
    """Points of a list such as [[x, y], ...].

    Raises:
        BadEntry: it is not one.
    """
    if not isinstance(values, list) or not all(isinstance(p, list) and len(p) >= 2 for p in values):
        raise BadEntry(f"{what} is not a list of points")
    return [(number(p[0], what, notes), number(p[1], what, notes)) for p in values]


def seem_corners(
    rows: Sequence[tuple[float, ...]],
    corners: Sequence[tuple[float, ...]],
    sizes_wh: Sequence[tuple[float, float]],
) -> bool:
    """Whether boxes seem to be written as corners, though they were read as a place and a size.

    Args:
        rows: the four numbers of each box, as the file has them.
        corners: what they were read as, x1 y1 x2 y2.
        sizes_wh: of each box's image.

    Returns:
        Whether a box reaches far out of its image, while all of them would be right as corners.
    """
    reaches_out = any(
        x1 < -REACH * w or y1 < -REACH * h or x2 > (1 + REACH) * w or y2 > (1 + REACH) * h
        for (x1, y1, x2, y2), (w, h) in zip(corners, sizes_wh, strict=True)
    )
    return reaches_out and all(
        0 <= a < c <= w + 1e-6 and 0 <= b < d <= h + 1e-6
        for (a, b, c, d), (w, h) in zip(rows, sizes_wh, strict=True)
    )


def turned_box(
    left: float, top: float, width: float, height: float, degrees: float
) -> list[tuple[float, float]]:
    """The corners of a box turned clockwise about its upper left corner."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (left + x * cos - y * sin, top + x * sin + y * cos)
        for x, y in ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    ]


def read_text(data: bytes, where: str) -> str:
    """The text of a label file: UTF-8, or UTF-16 with its mark.

    Raises:
        UserError: it is neither.
    """
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where} is not a text file in UTF-8, at its byte {error.start}; save it as UTF-8."
        ) from None


def _shown(value: Any) -> str:
    return repr(value)[:40]
