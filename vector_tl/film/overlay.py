"""What is drawn on a film: a caption bar, boxes with scores, a line about the moment. Pictures are (H, W, 3) uint8 RGB."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
DARK: Color = (18, 20, 24)
LIGHT: Color = (236, 238, 241)
DIM: Color = (150, 156, 166)
ORANGE: Color = (255, 159, 67)
TEAL: Color = (46, 213, 190)
BAR_PX, FOOT_PX = 46, 30  # heights at 640 pixels a side


@dataclass(frozen=True)
class Layout:
    """Where things go: two panes of `pane_wh` under bars, above one footer. All sizes are even, as H.264 needs."""

    pane_wh: tuple[int, int]
    bar_px: int
    foot_px: int

    @property
    def size_wh(self) -> tuple[int, int]:
        return 2 * self.pane_wh[0], self.bar_px + self.pane_wh[1] + self.foot_px


def layout(picture_wh: tuple[int, int], width: int = 1280) -> Layout:
    """The layout for a film `width` wide whose first picture has `picture_wh`; tall pictures are limited to square panes."""
    pane_width = _even(width / 2)
    scale = pane_width / 640
    pane_height = min(pane_width * picture_wh[1] / picture_wh[0], pane_width)
    return Layout((pane_width, max(_even(pane_height), 16)), _even(BAR_PX * scale), _even(FOOT_PX * scale))


def pane(picture_rgb: np.ndarray, boxes_xyxy: np.ndarray, scores: np.ndarray, pane_wh: tuple[int, int], color: Color) -> np.ndarray:
    """The picture fitted into a pane (bars where the shapes differ), with boxes (N, 4) in the picture's pixels and scores (N,)."""
    height, width = picture_rgb.shape[:2]
    scale = min(pane_wh[0] / width, pane_wh[1] / height)
    inner_wh = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (pane_wh[0] - inner_wh[0]) // 2, (pane_wh[1] - inner_wh[1]) // 2
    fitted = cv2.resize(picture_rgb, inner_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR) if scale != 1 else picture_rgb
    if inner_wh == tuple(pane_wh):
        canvas = fitted.copy()
    else:
        canvas = np.full((pane_wh[1], pane_wh[0], 3), DARK, np.uint8)
        canvas[top : top + inner_wh[1], left : left + inner_wh[0]] = fitted
    thick = max(2, round(3 * pane_wh[0] / 640))
    order = np.argsort(scores, kind="stable")  # the best on top
    for box, score in zip(np.asarray(boxes_xyxy)[order], np.asarray(scores)[order], strict=True):
        x1, y1, x2, y2 = (int(round(float(side) * scale)) + offset for side, offset in zip(box, (left, top, left, top), strict=True))
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), DARK, thick + 2)
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), color, thick)
        _tag(canvas, f"{score:.2f}", x1, y1, color, size=round(20 * pane_wh[0] / 640))
    return canvas


def compose(
    left: np.ndarray, right: np.ndarray, plan: Layout, captions: tuple[str, str], notes: tuple[str, str], line: str, clock: str
) -> np.ndarray:
    """A film frame (H, W, 3): two panes, each with its caption and a note at its right, a line and a clock in the footer."""
    width, height = plan.size_wh
    frame = np.empty((height, width, 3), np.uint8)
    frame[: plan.bar_px] = frame[height - plan.foot_px :] = DARK
    big, small = round(plan.bar_px * 0.56), round(plan.bar_px * 0.42)
    edge = round(plan.bar_px * 0.35)
    for index, (picture, color) in enumerate(((left, ORANGE), (right, TEAL))):
        x = index * plan.pane_wh[0]
        frame[plan.bar_px : plan.bar_px + plan.pane_wh[1], x : x + plan.pane_wh[0]] = picture
        frame[plan.bar_px - 4 : plan.bar_px, x : x + plan.pane_wh[0]] = color
        _text(frame, captions[index], x + edge, plan.bar_px // 2 - 2, LIGHT, big)
        _text(frame, notes[index], x + plan.pane_wh[0] - edge, plan.bar_px // 2 - 2, DIM, small, right=True)
    frame[plan.bar_px : plan.bar_px + plan.pane_wh[1], plan.pane_wh[0] - 1 : plan.pane_wh[0] + 1] = DARK
    foot = height - plan.foot_px // 2
    _text(frame, line, edge, foot, DIM, small)
    _text(frame, clock, width - edge, foot, DIM, small, right=True)
    return frame


def _tag(canvas: np.ndarray, text: str, x: int, y: int, color: Color, size: int) -> None:
    """A filled label over a box's top left corner, moved inside where the picture ends."""
    glyphs = _glyphs(text, size)
    height, width = glyphs.shape[0] + 6, glyphs.shape[1] + 10
    y = y - height if y >= height else y
    x = min(max(x, 0), max(canvas.shape[1] - width, 0))
    y = min(max(y, 0), max(canvas.shape[0] - height, 0))
    canvas[y : y + height, x : x + width] = color
    _blend(canvas, glyphs, x + 5, y + 3, DARK)


def _text(canvas: np.ndarray, text: str, x: int, y_middle: int, color: Color, size: int, right: bool = False) -> None:
    if text:
        glyphs = _glyphs(text, size)
        _blend(canvas, glyphs, x - glyphs.shape[1] if right else x, y_middle - glyphs.shape[0] // 2, color)


def _blend(canvas: np.ndarray, glyphs: np.ndarray, x: int, y: int, color: Color) -> None:
    x, y = max(x, 0), max(y, 0)
    part = canvas[y : y + glyphs.shape[0], x : x + glyphs.shape[1]]
    alpha = glyphs[: part.shape[0], : part.shape[1], None]
    part[:] = (part * (1 - alpha) + np.array(color, np.float32) * alpha + 0.5).astype(np.uint8)


@lru_cache(maxsize=512)
def _glyphs(text: str, size: int) -> np.ndarray:
    """Text as coverage (H, W) float32 in 0..1; all lines of one size are equally high."""
    font = ImageFont.load_default(max(size, 8))
    ascent, descent = font.getmetrics()
    image = Image.new("L", (max(round(font.getlength(text)) + 2, 1), ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, np.float32) / 255


def _even(value: float) -> int:
    return 2 * round(value / 2)
