"""What is drawn on images: boxes with scores, misses and false alarms, text.

Images are (H, W, 3) uint8 RGB.
"""

from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
DARK: Color = (18, 20, 24)
LIGHT: Color = (236, 238, 241)
RED: Color = (255, 92, 92)


def pane_size(image_wh: tuple[int, int], width: int) -> tuple[int, int]:
    """Width and height of a pane for images of `image_wh`: even, as H.264 needs, and no higher than wide."""
    width = even(width)
    return width, max(even(min(width * image_wh[1] / image_wh[0], width)), 16)


def pane(
    image_rgb: np.ndarray,
    boxes_xyxy: np.ndarray,
    scores: np.ndarray,
    pane_wh: tuple[int, int],
    color: Color,
    true: np.ndarray | None = None,
    missed_xyxy: np.ndarray | None = None,
    paper: Color = DARK,
) -> np.ndarray:
    """The image fitted into a pane (bars where the shapes differ), with what a detector saw.

    Args:
        image_rgb: (H, W, 3) uint8.
        boxes_xyxy: (N, 4) in the image's pixels.
        scores: (N,).
        pane_wh: size of the pane.
        color: of the boxes; false alarms are red and crossed out.
        true: (N,) bool, whether each box is a true positive; None where there is no label.
        missed_xyxy: (M, 4), the ground-truth boxes that were not found, drawn with dashes.
        paper: the colour of the bars.
    """
    height, width = image_rgb.shape[:2]
    scale = min(pane_wh[0] / width, pane_wh[1] / height)
    inner_wh = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (pane_wh[0] - inner_wh[0]) // 2, (pane_wh[1] - inner_wh[1]) // 2
    fitted = (
        cv2.resize(image_rgb, inner_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if scale != 1
        else image_rgb
    )
    if inner_wh == tuple(pane_wh):
        canvas = fitted.copy() if fitted is image_rgb else fitted
    else:
        canvas = np.full((pane_wh[1], pane_wh[0], 3), paper, np.uint8)
        canvas[top : top + inner_wh[1], left : left + inner_wh[0]] = fitted
    thick, size = max(2, round(3 * inner_wh[0] / 640)), max(14, round(22 * inner_wh[0] / 720 + 2))
    for box in () if missed_xyxy is None else missed_xyxy:
        corners = _placed(box, scale, left, top)
        dashed(canvas, corners, thick)
        tag(canvas, "missed", corners[0], corners[1], LIGHT, size)
    order = np.argsort(scores, kind="stable")  # the best on top
    for index in order:
        x1, y1, x2, y2 = _placed(boxes_xyxy[index], scale, left, top)
        false_alarm = true is not None and not true[index]
        ink = RED if false_alarm else color
        framed(canvas, (x1, y1, x2, y2), ink, thick, crossed=false_alarm)
        judged = " false alarm" if false_alarm else " found" if true is not None else ""
        tag(canvas, f"{scores[index]:.2f}{judged}", x1, y1, ink, size)
    return canvas


def _placed(box: np.ndarray, scale: float, left: int, top: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (int(round(float(side) * scale)) for side in box)
    return x1 + left, y1 + top, x2 + left, y2 + top


def framed(
    canvas: np.ndarray, corners: tuple[int, int, int, int], ink: Color, thick: int, crossed: bool = False
) -> None:
    """A box with a dark edge; crossed out for those to whom red is like another colour."""
    x1, y1, x2, y2 = corners
    for color, width in ((DARK, thick + 2), (ink, thick)):
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), color, width)
        if crossed:
            thin = max(width - thick // 2, 1)
            cv2.line(canvas, (x1, y1), (x2 - 1, y2 - 1), color, thin, cv2.LINE_AA)
            cv2.line(canvas, (x1, y2 - 1), (x2 - 1, y1), color, thin, cv2.LINE_AA)


def dashed(canvas: np.ndarray, corners: tuple[int, int, int, int], thick: int) -> None:
    """A light box of dashes with a dark edge."""
    x1, y1, x2, y2 = corners
    dash = 5 * thick
    for ink, width in ((DARK, thick + 2), (LIGHT, thick)):
        for x in range(x1, x2, 2 * dash):
            for y in (y1, y2 - 1):
                cv2.line(canvas, (x, y), (min(x + dash, x2 - 1), y), ink, width)
        for y in range(y1, y2, 2 * dash):
            for x in (x1, x2 - 1):
                cv2.line(canvas, (x, y), (x, min(y + dash, y2 - 1)), ink, width)


def tag(canvas: np.ndarray, words: str, x: int, y: int, color: Color, size: int) -> None:
    """Draw a filled label over a box's top left corner, moved inside where the image ends."""
    glyphs = _glyphs(words, size)
    height, width = glyphs.shape[0] + 6, glyphs.shape[1] + 10
    y = y - height if y >= height else y
    x = min(max(x, 0), max(canvas.shape[1] - width, 0))
    y = min(max(y, 0), max(canvas.shape[0] - height, 0))
    canvas[y : y + height, x : x + width] = color
    _blend(canvas, glyphs, x + 5, y + 3, DARK)


def text(
    canvas: np.ndarray,
    words: str,
    x: int,
    y_middle: int,
    color: Color,
    size: int,
    align: str = "left",
    max_px: int | None = None,
) -> None:
    """Draw a line of text, smaller and at last cut where it would be wider than `max_px`.

    Args:
        canvas: (H, W, 3), drawn on.
        words: the text.
        x: its left end, right end or middle, as `align` says.
        y_middle: the middle of the line.
        color: of the text.
        size: of the font in pixels.
        align: left, right or middle.
        max_px: how wide it may be.
    """
    if not words:
        return
    glyphs = _glyphs(words, size)
    if max_px is not None and glyphs.shape[1] > max_px:
        size = max(int(size * max_px / glyphs.shape[1]), round(size * 0.6), 10)
        glyphs, kept = _glyphs(words, size), words
        while glyphs.shape[1] > max_px and kept:
            kept = kept[: min(len(kept) - 1, int(len(kept) * max_px / glyphs.shape[1]))].rstrip()
            glyphs = _glyphs(kept + "...", size)
    x -= {"left": 0, "right": glyphs.shape[1], "middle": glyphs.shape[1] // 2}[align]
    _blend(canvas, glyphs, x, y_middle - glyphs.shape[0] // 2, color)


def wrapped(words: str, size: int, max_px: int) -> list[str]:
    """A text in lines of at most `max_px`; a single word may be longer."""
    lines: list[str] = []
    for word in words.split():
        if lines and _glyphs(f"{lines[-1]} {word}", size).shape[1] <= max_px:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _blend(canvas: np.ndarray, glyphs: np.ndarray, x: int, y: int, color: Color) -> None:
    x, y = max(x, 0), max(y, 0)
    part = canvas[y : y + glyphs.shape[0], x : x + glyphs.shape[1]]
    alpha = glyphs[: part.shape[0], : part.shape[1], None]
    part[:] = (part * (1 - alpha) + np.array(color, np.float32) * alpha + 0.5).astype(np.uint8)


def text_width(words: str, size: int) -> int:
    """How wide a line of text is, in pixels."""
    return int(_glyphs(words, size).shape[1])


@lru_cache(maxsize=512)
def _glyphs(text: str, size: int) -> np.ndarray:
    """Text as coverage (H, W) float32 in 0..1; all lines of one size are equally high."""
    font = cast(ImageFont.FreeTypeFont, ImageFont.load_default(max(size, 8)))  # as Pillow has FreeType
    ascent, descent = font.getmetrics()
    image = Image.new("L", (max(round(font.getlength(text)) + 2, 1), ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, np.float32) / 255


def even(value: float) -> int:
    """The nearest even number."""
    return 2 * round(value / 2)
