"""A label file's text: YOLO lines `class cx cy w h`, all but the class in 0..1 of the image."""

import math
from pathlib import Path

import numpy as np

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
        raise UserError(f"{path} is not a text file; label the image again.") from error
    boxes = [
        _parse_line(line, f"{path}, line {number}")
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    return np.array(boxes, np.float64).reshape(-1, 4)


def _parse_line(line: str, where: str) -> tuple[float, float, float, float]:
    words = line.split()
    shown = line.strip()[:60]
    if len(words) != 5:
        raise UserError(
            f"{where}: {shown!r} has {len(words)} values, not the 5 of 'class cx cy w h'; correct the line or delete the file."
        )
    try:
        index, (cx, cy, w, h) = int(words[0]), (float(word) for word in words[1:])
    except ValueError as error:
        raise UserError(
            f"{where}: {shown!r} is not numbers 'class cx cy w h'; correct the line or delete the file."
        ) from error
    if not 0 <= index < len(CLASS_NAMES):
        raise UserError(f"{where}: class {index} is unknown; the only class is 0, {CLASS_NAMES[0]}.")
    if not all(math.isfinite(v) and 0 <= v <= 1 + EDGE for v in (cx, cy, w, h)) or w <= 0 or h <= 0:
        raise UserError(
            f"{where}: {shown!r} is no box in shares of the image, 0 to 1; correct the line or delete the file."
        )
    x1, y1, x2, y2 = max(cx - w / 2, 0.0), max(cy - h / 2, 0.0), min(cx + w / 2, 1.0), min(cy + h / 2, 1.0)
    if x1 >= x2 or y1 >= y2:
        raise UserError(
            f"{where}: {shown!r} is a box outside the image; correct the line or delete the file."
        )
    return x1, y1, x2, y2


def format_label(boxes_xyxy: np.ndarray, size_wh: tuple[int, int]) -> str:
    """The label file's text for boxes (N, 4) in pixels of an image of `size_wh`; they are clipped, and empty ones left out."""
    lines = []
    size = np.array([*size_wh, *size_wh], np.float64)
    for x1, y1, x2, y2 in np.clip(np.asarray(boxes_xyxy, np.float64).reshape(-1, 4) / size, 0, 1):
        if round(x2 - x1, 6) > 0 and round(y2 - y1, 6) > 0:
            lines.append(f"0 {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n")
    return "".join(lines)
