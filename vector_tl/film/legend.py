"""What each mark of a film means, in two lines."""

from collections.abc import Callable

import numpy as np

from vector_tl.film.overlay import Color, dashed, framed, text, text_width
from vector_tl.film.theme import Theme

SIGN_SHARE = 1.3  # width of a sign, of the text's size
BOXES = ("found", "false alarm (no robot there)", "missed")
BAND = ("band: height = how sure", "striped: false alarm", "line below: missed")
Sign = Callable[[np.ndarray], None]  # draws itself into (h, w, 3)


def draw_legend(place: np.ndarray, theme: Theme, colors: list[Color]) -> None:
    """Draw the legend into `place` (H, W, 3): boxes above, what the band shows below.

    Args:
        place: drawn on.
        theme: its colours.
        colors: those of the detectors; the signs have the first one's and, where there are more, all of them.
    """
    height, width = place.shape[:2]
    half = height // 2
    size = round(half * 0.72)
    rows = (
        (place[:half], BOXES, (_found(theme, colors), _false_alarm(theme), _missed)),
        (place[half:], BAND, (_band(theme, colors), _striped(theme), _line_below(theme))),
    )
    for _, words, _ in rows:
        wanted = sum(text_width(word, size) + round(3 * SIGN_SHARE * size) for word in words)
        size = min(size, int(size * width / wanted))
    for row, words, signs in rows:
        x, middle = 0, row.shape[0] // 2
        for word, sign in zip(words, signs, strict=True):
            sign_w = round(SIGN_SHARE * size)
            sign(row[middle - size // 2 : middle + size // 2, x : x + sign_w])
            x += sign_w + size // 3
            text(row, word, x, middle, theme.soft, size)
            x += text_width(word, size) + size


def _found(theme: Theme, colors: list[Color]) -> Sign:
    def draw(place: np.ndarray) -> None:
        for index, color in enumerate(colors):  # one after another from left to right
            part = _column(place, index, len(colors))
            framed(part, (2, 2, part.shape[1] - 2, part.shape[0] - 2), color, 2)

    return draw


def _false_alarm(theme: Theme) -> Sign:
    def draw(place: np.ndarray) -> None:
        framed(place, (2, 2, place.shape[1] - 2, place.shape[0] - 2), theme.bad, 2, crossed=True)

    return draw


def _missed(place: np.ndarray) -> None:
    dashed(place, (2, 2, place.shape[1] - 2, place.shape[0] - 2), 2)


def _band(theme: Theme, colors: list[Color]) -> Sign:
    def draw(place: np.ndarray) -> None:
        place[:] = theme.track
        for index, color in enumerate(colors):
            part = _column(place, index, len(colors))
            part[round(place.shape[0] * 0.6 * (index + 1) / len(colors) - place.shape[0] * 0.3) :] = color

    return draw


def _striped(theme: Theme) -> Sign:
    def draw(place: np.ndarray) -> None:
        place[:] = theme.bad
        place[::6], place[1::6] = theme.paper, theme.paper

    return draw


def _line_below(theme: Theme) -> Sign:
    def draw(place: np.ndarray) -> None:
        place[:] = theme.track
        place[-max(place.shape[0] // 4, 3) :] = theme.bad

    return draw


def _column(place: np.ndarray, index: int, count: int) -> np.ndarray:
    width = place.shape[1] // count
    return place[:, index * width : (index + 1) * width]
