"""A label file's text: YOLO lines `class cx cy w h`, all but the class in 0..1 of the image."""

import math
from pathlib import Path

import numpy as np

from vector_tl.data.boxes import clip_boxes, from_cxcywh, sides, to_cxcywh, to_norm
from vector_tl.errors import UserError

CLASS_NAMES = ("vector",)
EDGE = 1e-3  # how far rounding may carry a box over the image's edge


def parse_label(data: bytes | str, path: Path) -> np.ndarray:
    """Boxes (N, 4), xyxy in 0..1, clipped to the image, float64.

    Args:
        data: the file's content.
        path: named in errors.

    Raises:
        UserError: a line is not `0 cx cy w h` with numbers in 0..1 and a width and height above 0.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file ({error}); label the image again.") from error
    lines = [
        (line.split(), f"{path}, line {n}") for n, line in enumerate(text.splitlines(), 1) if line.strip()
    ]
    boxes = clip_boxes(from_cxcywh([_parse_line(words, where) for words, where in lines]), (1, 1))
    for (words, where), (width, height) in zip(lines, sides(boxes), strict=True):
        if width <= 0 or height <= 0:
            raise UserError(
                f"{where}: {_shown(words)} is a box outside the image; correct the line or delete the file."
            )
    return boxes


def _shown(words: list[str]) -> str:
    return repr(" ".join(words)[:60])


def _parse_line(words: list[str], where: str) -> tuple[float, float, float, float]:
    """Centre, width and height of a line's box, in 0..1."""
    shown = _shown(words)
    if len(words) != 5:
        raise UserError(
            f"{where}: {shown} has {len(words)} values, not the 5 of 'class cx cy w h'; correct the line "
            "or delete the file."
        )
    try:
        index, (cx, cy, w, h) = int(words[0]), (float(word) for word in words[1:])
    except ValueError as error:
        raise UserError(
            f"{where}: {shown} is not numbers 'class cx cy w h'; correct the line or delete the file."
        ) from error
    if not 0 <= index < len(CLASS_NAMES):
        raise UserError(
            f"{where}: class {index} is unknown, as the only one is 0, {CLASS_NAMES[0]}; correct the line or "
            "delete the file."
        )
    if not all(math.isfinite(v) and 0 <= v <= 1 + EDGE for v in (cx, cy, w, h)) or w <= 0 or h <= 0:
        raise UserError(
            f"{where}: {shown} is not a box in shares of the image, 0 to 1; "
            "correct the line or delete the file."
        )
    return cx, cy, w, h


def format_label(boxes_xyxy: np.ndarray, size_wh: tuple[int, int]) -> str:
    """A label file's text for boxes (N, 4) in pixels, clipped to the image; empty boxes are left out."""
    boxes = to_cxcywh(clip_boxes(to_norm(boxes_xyxy, size_wh), (1, 1)))
    return "".join(
        f"0 {cx:.6f} {cy:.6f} {w:.6f} {h:.6f}\n"
        for cx, cy, w, h in boxes
        if round(w, 6) > 0 and round(h, 6) > 0
    )
