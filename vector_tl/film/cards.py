"""The title card and the end card of a film."""

import cv2
import numpy as np

from vector_tl.film.overlay import Color, text
from vector_tl.film.stage import Theme
from vector_tl.film.tally import Tally

TITLE_S, END_S = 2.5, 4.0


def title_card(
    size_wh: tuple[int, int],
    theme: Theme,
    title: str,
    names: list[tuple[str, str]],
    colors: list[Color],
    foot: str,
) -> np.ndarray:
    """The card before a film: a question, who is asked, and on what."""
    card, unit = _blank(size_wh, theme)
    width, height = size_wh
    edge = round(80 * unit)
    text(card, title, edge, round(height * 0.24), theme.ink, round(64 * unit), most_px=width - 2 * edge)
    row = min(round(120 * unit), round(height * 0.46 / len(names)))
    for index, (caption, about) in enumerate(names):
        middle = round(height * 0.4) + row * index + row // 2
        _chip(card, edge, middle - round(12 * unit), round(30 * unit), colors[index])
        text(
            card,
            caption,
            edge + round(54 * unit),
            middle - round(12 * unit),
            theme.ink,
            round(42 * unit),
            most_px=width - 2 * edge,
        )
        text(
            card,
            about,
            edge + round(54 * unit),
            middle + round(28 * unit),
            theme.soft,
            round(25 * unit),
            most_px=width - 2 * edge,
        )
    text(card, foot, edge, round(height * 0.92), theme.soft, round(26 * unit), most_px=width - 2 * edge)
    return card


def end_card(
    size_wh: tuple[int, int],
    theme: Theme,
    names: list[tuple[str, str]],
    colors: list[Color],
    tallies: list[Tally],
    foot: str,
) -> np.ndarray:
    """The card after a film: the figures of each detector, of the ground-truth boxes found where labels tell, else of the frames in which it saw one."""
    card, unit = _blank(size_wh, theme)
    width, height = size_wh
    edge = round(80 * unit)
    judged = any(tally.labelled for tally in tallies)
    heading = "How many of the Vectors it found" if judged else "In how many frames it saw a Vector"
    text(card, heading, edge, round(height * 0.14), theme.ink, round(44 * unit), most_px=width - 2 * edge)
    row = min(round(height * 0.28), round(height * 0.64 / len(names)))
    for index, ((caption, _), tally) in enumerate(zip(names, tallies, strict=True)):
        top = round(height * 0.23) + row * index
        size = min(round(42 * unit), round(row * 0.24))
        share, words = _share(tally)
        first = top + round(row * 0.2)
        _chip(card, edge, first, round(size * 0.72), colors[index])
        text(card, caption, edge + round(size * 1.3), first, theme.ink, size, most_px=width // 2)
        text(
            card,
            "-" if share is None else f"{100 * share:.0f} %",
            width - edge,
            first,
            theme.ink,
            round(size * 1.35),
            "right",
        )
        bar_top, bar_h = top + round(row * 0.38), max(round(row * 0.16), 4)
        card[bar_top : bar_top + bar_h, edge : width - edge] = theme.track
        card[bar_top : bar_top + bar_h, edge : edge + round((share or 0) * (width - 2 * edge))] = colors[
            index
        ]
        text(
            card,
            words,
            edge,
            top + round(row * 0.74),
            theme.soft,
            round(size * 0.68),
            most_px=width - 2 * edge,
        )
    text(card, foot, edge, round(height * 0.93), theme.soft, round(25 * unit), most_px=width - 2 * edge)
    return card


def _share(tally: Tally) -> tuple[float | None, str]:
    figures = tally.figures()
    first = "" if not tally.first_s else f", first after {tally.first_s:.1f} s"
    if tally.labelled:
        there = tally.hits + tally.missed
        return figures[
            "recall"
        ], f"{tally.hits} of {there} found, {tally.false} false positive{'es' * (tally.false != 1)}{first}"
    return (
        tally.seen / tally.images if tally.images else None
    ), f"{tally.seen} of {tally.images} frames{first}"


def _blank(size_wh: tuple[int, int], theme: Theme) -> tuple[np.ndarray, float]:
    card = np.full((size_wh[1], size_wh[0], 3), theme.paper, np.uint8)
    return card, size_wh[0] / (1280 if size_wh[0] > size_wh[1] else 1080)


def _chip(card: np.ndarray, x: int, middle: int, size: int, color: Color) -> None:
    cv2.rectangle(card, (x, middle - size // 2), (x + size, middle + size // 2), color, -1)
