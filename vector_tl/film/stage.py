"""What a film frame looks like: a caption, the image, a strip over time and counts for each detector."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vector_tl.film.legend import draw_legend
from vector_tl.film.overlay import Color, even, pane, text, wrapped
from vector_tl.film.tally import Seen, Tally
from vector_tl.film.theme import Theme

FOOT_UNITS, LEGEND_UNITS, PAD_UNITS = (
    56,
    136,
    18,
)  # of 1280 to the width of a wide film, of 1080 to that of a square one
MIN_WORDS_UNITS = 190  # for caption, strip and counts above and below an image
STRIPE_PX = 3  # half of the distance from a stripe of a false alarm's bar to the next
STACKED_SHARE = 0.66  # of the width for the images of a film with one below the other


SHAPES = {"wide": (16, 9), "square": (1, 1)}
DEFAULT_WIDTH = {"wide": 1280, "square": 1080}


@dataclass(frozen=True)
class Rect:
    """A rectangle of the frame, in pixels."""

    x: int
    y: int
    w: int
    h: int

    def of(self, canvas: np.ndarray) -> np.ndarray:
        """That part of an image, to be drawn on."""
        return canvas[self.y : self.y + self.h, self.x : self.x + self.w]


@dataclass(frozen=True)
class Cell:
    """The places of one detector."""

    caption: Rect
    pane: Rect
    strip: Rect
    counts: Rect


@dataclass(frozen=True)
class FrameLayout:
    """A frame's places; all sizes of the frame are even, as H.264 needs."""

    size_wh: tuple[int, int]
    cells: tuple[Cell, ...]
    foot: Rect
    unit: float
    pad: int


def frame_layout(
    image_wh: tuple[int, int],
    count: int = 2,
    shape: str = "wide",
    width: int | None = None,
    foot_units: int = FOOT_UNITS,
) -> FrameLayout:
    """The places for `count` detectors on images of `image_wh`.

    They are side by side on a wide frame, one below the other on a square one. `foot_units` is the height of
    the foot, which a legend makes higher.
    """
    width = even(width or DEFAULT_WIDTH[shape])
    height = even(width * SHAPES[shape][1] / SHAPES[shape][0])
    unit = width / DEFAULT_WIDTH[shape]
    foot, pad = round(foot_units * unit), round(PAD_UNITS * unit)
    columns = 2 if count == 4 else count if shape == "wide" else 1
    rows = -(-count // columns)
    cell_w, cell_h = width // columns, (height - foot) // rows
    aspect = image_wh[1] / image_wh[0]
    cells = []
    for index in range(count):
        x, y = index % columns * cell_w, index // columns * cell_h
        make = _stacked if columns == 1 and count > 1 else _cell
        cells.append(make(x, y, cell_w, cell_h, aspect, unit, pad))
    return FrameLayout((width, height), tuple(cells), Rect(0, height - foot, width, foot), unit, pad)


def _cell(x: int, y: int, width: int, height: int, aspect: float, unit: float, pad: int) -> Cell:
    """Caption, image, strip, counts from top to bottom."""
    words_h = MIN_WORDS_UNITS * unit if height > 450 * unit else height * 0.36
    pane_h = max(even(min(width * aspect, height - words_h)), 16)
    spare = height - pane_h
    words = min(spare, round(264 * unit))
    top = y + (spare - words) // 2
    caption_h, strip_h = round(words * 0.38), round(words * 0.26)
    pane_y = top + caption_h
    strip_y = pane_y + pane_h + pad // 2
    counts_y = strip_y + strip_h
    return Cell(
        Rect(x + pad, top, width - 2 * pad, caption_h),
        Rect(x, pane_y, width, pane_h),
        Rect(x + pad, strip_y, width - 2 * pad, strip_h),
        Rect(x + pad, counts_y, width - 2 * pad, top + words + pane_h - counts_y),
    )


def _stacked(x: int, y: int, width: int, height: int, aspect: float, unit: float, pad: int) -> Cell:
    """The image at the left, words at its right, the strip below both."""
    strip_h = round(min(54 * unit, height * 0.15))
    pane_w, pane_h = even(width * STACKED_SHARE), height - strip_h - 2 * pad
    pane_h = max(even(min(pane_h, pane_w * aspect)), 16)
    pane_w = min(pane_w, max(even(pane_h / aspect), even(width * 0.3)))
    side_x = x + pane_w + pad
    side_w = x + width - pad - side_x
    return Cell(
        Rect(side_x, y, side_w, pane_h // 2),
        Rect(x, y, pane_w, pane_h),
        Rect(x + pad, y + pane_h + pad, width - 2 * pad, strip_h),
        Rect(side_x, y + pane_h // 2, side_w, pane_h - pane_h // 2),
    )


@dataclass(frozen=True)
class Bar:
    """What was seen from one moment to another."""

    start: int
    end: int  # exclusive
    best: float  # score
    missed: bool
    false_alarm: bool


class Strip:
    """A bar for each moment, as high as the best score.

    From labels, misses and false alarms in another colour.
    """

    def __init__(self, size_wh: tuple[int, int], theme: Theme, color: Color, moments: int):
        self._wh, self._theme, self._color = size_wh, theme, color
        self._moments = max(moments, 1)
        self._bars: list[Bar] = []
        self._canvas = np.full((size_wh[1], size_wh[0], 3), theme.track, np.uint8)

    def add(self, moment: int, seen: Seen) -> None:
        """Add what was seen at a moment.

        A strip that turns out too short is drawn anew for twice the time.
        """
        if self._bars:  # what was seen before stands until now
            self._bars[-1] = replace(self._bars[-1], end=moment)
        missed, false_alarm = len(seen.missed_xyxy) > 0, seen.false_alarms > 0
        self._bars.append(Bar(moment, moment + 1, seen.best, missed, false_alarm))
        if moment >= self._moments:
            self._moments = max(2 * self._moments, moment + 1)
            self._canvas[:] = self._theme.track
            self._draw(self._bars)
        else:
            self._draw(self._bars[-2:])

    def show(self, canvas: np.ndarray, moment: int) -> None:
        """Draw the strip into `canvas` (H, W, 3), with a line at the moment."""
        canvas[:] = self._canvas
        x = min(self._columns(moment)[1], self._wh[0] - 2)
        canvas[:, max(x - 1, 0) : x + 2] = self._theme.ink

    def _draw(self, bars: list[Bar]) -> None:
        height = self._wh[1]
        lane = max(3, height // 9)  # for labels, at the foot
        for bar in bars:
            columns = slice(self._columns(bar.start)[0], self._columns(bar.end - 1)[1])
            if bar.best > 0:
                top = round((height - lane) * (1 - bar.best))
                place = self._canvas[top : height - lane, columns]
                place[:] = self._theme.bad if bar.false_alarm else self._color
                if bar.false_alarm:  # striped, for those to whom red is like another colour
                    place[:: 2 * STRIPE_PX], place[1 :: 2 * STRIPE_PX] = self._theme.paper, self._theme.paper
            if bar.missed:
                self._canvas[height - lane + 1 :, columns] = self._theme.bad

    def _columns(self, moment: int) -> tuple[int, int]:
        first = moment * self._wh[0] // self._moments
        return first, max((moment + 1) * self._wh[0] // self._moments, first + 1)


class Stage:
    """Draws the frames of one film.

    Args:
        layout: where everything stands.
        theme: the colours.
        names: caption and a line about it for each detector.
        colors: which of the theme's colours each detector has.
        moments: how many frames the film will have, as far as is known.
    """

    def __init__(
        self, layout: FrameLayout, theme: Theme, names: list[tuple[str, str]], colors: list[int], moments: int
    ):
        self.layout, self.theme = layout, theme
        self._colors = [theme.colors[index] for index in colors]
        self._strips = [
            Strip((cell.strip.w, cell.strip.h), theme, color, moments)
            for cell, color in zip(layout.cells, self._colors, strict=True)
        ]
        self._base = np.full((layout.size_wh[1], layout.size_wh[0], 3), theme.paper, np.uint8)
        for cell, color, (caption, about) in zip(layout.cells, self._colors, names, strict=True):
            self._caption(cell.caption, color, caption, about)

    def explain(self) -> None:
        """Write the legend below the line at the foot, where the layout has a foot of `LEGEND_UNITS`."""
        foot, unit = self.layout.foot, self.layout.unit
        top = foot.y + round(FOOT_UNITS * unit)
        place = Rect(self.layout.pad, top, foot.w - 2 * self.layout.pad, foot.y + foot.h - top)
        draw_legend(place.of(self._base), self.theme, self._colors)

    def draw(
        self,
        moment: int,
        image_rgb: np.ndarray,
        seen: list[Seen],
        tallies: list[Tally],
        line: str,
        clock: str,
    ) -> np.ndarray:
        """The frame (H, W, 3) of a moment: a line about it at the foot, the clock at its right."""
        frame = self._base.copy()
        for cell, strip, color, what, tally in zip(
            self.layout.cells, self._strips, self._colors, seen, tallies, strict=True
        ):
            wh = cell.pane.w, cell.pane.h
            cell.pane.of(frame)[:] = pane(
                image_rgb,
                what.boxes_xyxy,
                what.scores,
                wh,
                color,
                what.true,
                what.missed_xyxy,
                self.theme.paper,
            )
            strip.add(moment, what)
            strip.show(cell.strip.of(frame), moment)
            self._counts(frame, cell.counts, tally)
        for cell in self.layout.cells[1:]:  # a line between images side by side
            if cell.pane.x:
                cell.pane.of(frame)[:, :2] = self.theme.paper
        self._foot(frame, line, clock)
        return frame

    def _foot(self, frame: np.ndarray, line: str, clock: str) -> None:
        foot, theme, unit = self.layout.foot, self.theme, self.layout.unit
        explains = foot.h > round(FOOT_UNITS * unit)  # then a legend stands below the line
        ink, size = (theme.ink, round(32 * unit)) if explains else (theme.soft, round(24 * unit))
        middle = foot.y + round(FOOT_UNITS * unit) // 2
        text(
            frame,
            line,
            self.layout.pad,
            middle,
            ink,
            size,
            max_px=foot.w - round(160 * self.layout.unit),
        )
        text(frame, clock, foot.w - self.layout.pad, middle, theme.soft, size, "right")

    def _caption(self, place: Rect, color: Color, caption: str, about: str) -> None:
        big = round(min(place.h * 0.46, place.w * 0.1, 46 * self.layout.unit))
        small = round(min(place.h * 0.3, 28 * self.layout.unit))
        chip = round(big * 0.62)
        lines = self._lines(about, small, place)
        first = (
            place.y
            + max((place.h - round(1.5 * big) - len(lines) * round(1.25 * small)) // 2, 0)
            + big // 2
            + round(0.2 * big)
        )
        cv2.rectangle(
            self._base, (place.x, first - chip // 2), (place.x + chip, first + chip // 2), color, -1
        )
        text(
            self._base,
            caption,
            place.x + chip + round(big * 0.35),
            first,
            self.theme.ink,
            big,
            max_px=place.w - 2 * chip,
        )
        for number, line in enumerate(lines):
            text(
                self._base,
                line,
                place.x,
                first + round(1.0 * big) + number * round(1.25 * small),
                self.theme.soft,
                small,
                max_px=place.w,
            )

    def _counts(self, frame: np.ndarray, place: Rect, tally: Tally) -> None:
        size = round(min(place.h * 0.42, 28 * self.layout.unit))
        small = round(size * 0.93)
        lines = [(line, size, self.theme.ink) for line in self._lines(tally.words(), size, place)]
        lines += [(line, small, self.theme.soft) for line in self._lines(tally.words_judged(), small, place)]
        y = place.y + (place.h - round(1.28 * sum(size for _, size, _ in lines))) // 2
        for line, high, ink in lines:
            text(frame, line, place.x, y + round(0.64 * high), ink, high, max_px=place.w)
            y += round(1.28 * high)

    def _lines(self, words: str, size: int, place: Rect) -> list[str]:
        """In several lines where there is room for them; else in one, which may have to shrink."""
        if not words:
            return []
        return wrapped(words, size, place.w) if place.h > 5 * size else [words]
