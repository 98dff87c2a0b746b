"""The first and the last card of a film that teaches; readable on a phone."""

import numpy as np

from vector_tl.film.cards import Card, shown_share
from vector_tl.film.overlay import Color
from vector_tl.film.tally import Tally, alarms
from vector_tl.film.theme import Theme
from vector_tl.film.uncertainty import BLOCK_S, MIN_BLOCKS, share_interval
from vector_tl.plain import counted


def opening_card(
    size_wh: tuple[int, int],
    theme: Theme,
    title: str,
    names: list[tuple[str, str]],
    colors: list[Color],
    sentences: list[str],
) -> np.ndarray:
    """The card (H, W, 3) before the film.

    Args:
        size_wh: of the film.
        theme: its colours.
        title: a question, in large letters.
        names: caption and a line about it for each detector.
        colors: the colour of each detector.
        sentences: for each detector, what it had seen before training.
    """
    card = Card(size_wh, theme)
    height = size_wh[1]
    card.write(title, round(height * 0.13), card.px(60), theme.ink)
    room = round(height * 0.74 / len(names))
    for index, (color, sentence) in enumerate(zip(colors, sentences, strict=True)):
        top = round(height * 0.23) + index * room
        card.paragraph(sentence, top, room - card.px(20), card.px(44), theme.ink, color)
    return card.image_rgb


def closing_card(
    size_wh: tuple[int, int],
    theme: Theme,
    names: list[tuple[str, str]],
    colors: list[Color],
    tallies: list[Tally],
    doubts: str,
) -> np.ndarray:
    """The card (H, W, 3) after the film: figures, how sure they are, and what they do not show.

    Args:
        size_wh: of the film.
        theme: its colours.
        names: caption and a line about it for each detector.
        colors: the colour of each detector.
        tallies: the counts of each detector.
        doubts: what the figures do not show.
    """
    card = Card(size_wh, theme)
    height = size_wh[1]
    judged = any(tally.labelled for tally in tallies)
    title = "How often each found the other robot" if judged else "How often each reported a robot"
    card.write(title, round(height * 0.1), card.px(50), theme.ink)
    room = round(height * 0.56 / len(names))
    size = min(card.px(44), round(room * 0.22))
    for index, ((caption, _), color, tally) in enumerate(zip(names, colors, tallies, strict=True)):
        top = round(height * 0.18) + index * room
        first = top + size // 2
        card.heading(caption, shown_share(tally), first, size, color)
        card.bar(top + round(size * 1.3), max(round(size * 0.5), 4), shown_share(tally), color)
        card.paragraph(result_words(tally), top + 2 * size, room - 2 * size, round(size * 0.76), theme.soft)
    card.paragraph(doubts, round(height * 0.77), round(height * 0.2), card.px(34), theme.ink)
    return card.image_rgb


def result_words(tally: Tally) -> str:
    """A detector's figures with their uncertainty."""
    if not tally.labelled:
        return (
            f"in {tally.seen_in} of {counted(tally.images, 'frame')}; nobody has checked whether it was right"
        )
    there = tally.found + tally.missed
    interval = share_interval(tally.times_s, tally.found_each, tally.there_each)
    sure = f"too short a film to say how sure this is (under {MIN_BLOCKS * BLOCK_S:g} s)"
    if interval is not None:
        low, high = interval
        sure = f"uncertain: {100 * low:.0f} to {100 * high:.0f} % (95 % interval)"
    return f"found {tally.found} of {there}, {alarms(tally.false_alarms)}; {sure}"
