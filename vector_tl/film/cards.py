"""The title card and the end card of a film."""

import cv2
import numpy as np

from vector_tl.film.overlay import Color, text, wrapped
from vector_tl.film.tally import Tally, alarms
from vector_tl.film.theme import Theme
from vector_tl.plain import counted

TITLE_S, END_S = 2.5, 4.0
LINE = 1.3  # from one line of text to the next, times its size
MIN_SIZE = 10  # of a font in pixels


def title_card(
    size_wh: tuple[int, int],
    theme: Theme,
    title: str,
    names: list[tuple[str, str]],
    colors: list[Color],
    foot: str,
) -> np.ndarray:
    """The card (H, W, 3) before a film.

    Args:
        size_wh: of the film.
        theme: its colours.
        title: a question, in large letters.
        names: caption and a line about it for each detector.
        colors: the colour of each detector.
        foot: a line about what they look at.
    """
    card = Card(size_wh, theme)
    height = size_wh[1]
    card.write(title, round(height * 0.24), card.px(64), theme.ink)
    row = min(card.px(120), round(height * 0.46 / len(names)))
    for index, ((caption, about), color) in enumerate(zip(names, colors, strict=True)):
        middle = round(height * 0.4) + row * index + row // 2
        card.chip(middle - card.px(12), card.px(30), color)
        card.write(caption, middle - card.px(12), card.px(42), theme.ink, indent=card.px(54))
        card.write(about, middle + card.px(28), card.px(25), theme.soft, indent=card.px(54))
    card.write(foot, round(height * 0.92), card.px(26), theme.soft)
    return card.image_rgb


def end_card(
    size_wh: tuple[int, int],
    theme: Theme,
    names: list[tuple[str, str]],
    colors: list[Color],
    tallies: list[Tally],
    foot: str,
) -> np.ndarray:
    """The card (H, W, 3) after a film: how many Vectors each detector found, as far as there are labels.

    Without labels: in how many frames it reported one.

    Args:
        size_wh: of the film.
        theme: its colours.
        names: caption and a line about it for each detector.
        colors: the colour of each detector.
        tallies: the counts of each detector.
        foot: a line about what they looked at.
    """
    card = Card(size_wh, theme)
    height = size_wh[1]
    judged = any(tally.labelled for tally in tallies)
    heading = "In how many frames it found the other robot"
    if not judged:  # it may have taken something else for one
        heading = "In how many frames it saw a Vector"
    card.write(heading, round(height * 0.14), card.px(44), theme.ink)
    row = min(round(height * 0.28), round(height * 0.64 / len(names)))
    size = min(card.px(42), round(row * 0.24))
    for index, ((caption, _), color, tally) in enumerate(zip(names, colors, tallies, strict=True)):
        top = round(height * 0.23) + row * index
        first = top + round(row * 0.2)
        card.heading(caption, shown_share(tally), first, size, color)
        card.bar(top + round(row * 0.38), max(round(row * 0.16), 4), shown_share(tally), color)
        card.write(_counts(tally), top + round(row * 0.74), round(size * 0.68), theme.soft)
    card.write(foot, round(height * 0.93), card.px(25), theme.soft)
    return card.image_rgb


def shown_share(tally: Tally) -> float | None:
    """The share of the Vectors that were found; without labels, of the images with a report."""
    if tally.labelled:
        return tally.recall
    return tally.seen_in / tally.images if tally.images else None


def _counts(tally: Tally) -> str:
    """The line below a detector's bar."""
    first = f", first after {tally.first_s:.1f} s" if tally.first_s else ""
    if tally.labelled:
        return f"{tally.found} of {tally.found + tally.missed} found, {alarms(tally.false_alarms)}{first}"
    return f"{tally.seen_in} of {counted(tally.images, 'frame')}{first}"


class Card:
    """A blank card with helpers that keep its margins."""

    def __init__(self, size_wh: tuple[int, int], theme: Theme):
        self.image_rgb = np.full((size_wh[1], size_wh[0], 3), theme.paper, np.uint8)
        self._theme, self._width = theme, size_wh[0]
        self._unit = size_wh[0] / (1280 if size_wh[0] > size_wh[1] else 1080)
        self.edge = self.px(80)

    def px(self, units: float) -> int:
        """Pixels of a length on a card 1280 wide, or a square one 1080 wide."""
        return round(units * self._unit)

    def write(
        self, words: str, middle: int, size: int, ink: Color, indent: int = 0, max_px: int | None = None
    ) -> None:
        """A line of text, `indent` from the left margin."""
        room_px = self._width - 2 * self.edge if max_px is None else max_px
        text(self.image_rgb, words, self.edge + indent, middle, ink, size, max_px=room_px)

    def paragraph(
        self, words: str, top: int, height: int, size: int, ink: Color, color: Color | None = None
    ) -> None:
        """Lines of text from `top` on, smaller where they would need more than `height`.

        Args:
            words: the text.
            top: of the first line, in pixels.
            height: the room.
            size: of the font in pixels, at most.
            ink: the text's colour.
            color: of a bar at its left; no bar when None.
        """
        indent = 0 if color is None else self.px(28)
        room_px = self._width - 2 * self.edge - indent
        while len(lines := wrapped(words, size, room_px)) * LINE * size > height and size > MIN_SIZE:
            size -= 1
        step = round(LINE * size)
        for number, line in enumerate(lines):
            self.write(line, top + step * number + step // 2, size, ink, indent, room_px)
        if color is not None:
            bottom = top + step * len(lines)
            cv2.rectangle(self.image_rgb, (self.edge, top), (self.edge + self.px(10), bottom), color, -1)

    def chip(self, middle: int, size: int, color: Color) -> None:
        """A filled square at the left margin."""
        top_left = (self.edge, middle - size // 2)
        cv2.rectangle(self.image_rgb, top_left, (self.edge + size, middle + size // 2), color, -1)

    def heading(self, caption: str, share: float | None, middle: int, size: int, color: Color) -> None:
        """A detector's colour and caption, and at the right its share (0 to 1) in percent."""
        self.chip(middle, round(size * 0.72), color)
        self.write(caption, middle, size, self._theme.ink, indent=round(size * 1.3), max_px=self._width // 2)
        percent = "-" if share is None else f"{100 * share:.0f} %"
        right = self._width - self.edge
        text(self.image_rgb, percent, right, middle, self._theme.ink, round(size * 1.35), "right")

    def bar(self, top: int, height: int, share: float | None, color: Color) -> None:
        """A bar from margin to margin, filled by `share` (0 to 1)."""
        full = self._width - 2 * self.edge
        self.image_rgb[top : top + height, self.edge : self.edge + full] = self._theme.track
        self.image_rgb[top : top + height, self.edge : self.edge + round((share or 0) * full)] = color
