"""The view of a film that teaches: what both had seen before, marks explained, the first find, the doubts."""

import numpy as np

from vector_tl.film.footage import Footage, FootageFrame
from vector_tl.film.loop import FilmMoment, Films
from vector_tl.film.side_by_side import SideBySide
from vector_tl.film.stage import LEGEND_UNITS
from vector_tl.film.teaching_cards import closing_card, opening_card, result_words
from vector_tl.film.webvtt import Captions

SLOW_S, SLOWER = 1.5, 2  # so much of the beginning goes by at half of its pace
FREEZE_S = 2.0  # for which the first find stands


class TeachingView(SideBySide):
    """Cards that explain, a legend, a slow start, and a stop at the first find; see `SideBySide`.

    Args:
        before: for each detector a sentence on what it had seen before it was trained.
        doubts: what the figures do not show, for the last card.
        shown: all else as for `SideBySide`.

    Attributes:
        captions: what a person who cannot read the film's own words reads or hears.
    """

    title_s, end_s = 7.0, 8.0
    foot_units = LEGEND_UNITS

    def __init__(self, *shown, before: list[str], doubts: str, **more):
        super().__init__(*shown, **more)
        self._before, self._doubts = before, doubts
        self._caption, self._fps, self._at_s = "", 1.0, 0.0
        self._first_at: int | None = None  # the slot of the first find
        self.captions = Captions()

    def begin(self, first: FootageFrame, films: Films) -> None:
        """See `SideBySide`; explain the marks."""
        super().begin(first, films)
        for stage in self._stages:
            stage.explain()
        self._fps = float(films.fps)
        self._at_s = self.knots[0][1]
        self.captions.add(" ".join(self._before), self._at_s)

    def line(self, moment: FilmMoment) -> str:
        """What the robot does; at the first find, who it is that has found it."""
        first = self._first(moment)
        self._caption = first or moment.shown.caption
        return first or (moment.shown.line and f"robot: {moment.shown.line}")

    def _first(self, moment: FilmMoment) -> str:
        """Who has found it at this moment, as the first; else nothing."""
        found = [
            name
            for (name, _), tally in zip(self._names, self.tallies, strict=True)
            if tally.first_s == moment.t_s
        ]
        if self._first_at is None and found:
            self._first_at = moment.slot
        if self._first_at != moment.slot:
            return ""
        judged = any(tally.labelled for tally in self.tallies)
        return f"The first {'find' if judged else 'report'}: by {' and '.join(found)}"

    def stands(self, at: int, until: int) -> int:
        """For how many frames an image stands: longer at the start, and at the first find."""
        frames = until - at
        slow = max(min(until, round(SLOW_S * self._fps)) - at, 0)
        frames += (SLOWER - 1) * slow
        if at == self._first_at:
            frames += round(FREEZE_S * self._fps)
        begin_s, seconds = self._at_s, frames / self._fps
        self.captions.add(self._caption, seconds)
        self._at_s += seconds
        if frames != until - at:  # the two times go apart here
            self.knots += [(at / self._fps, begin_s), (until / self._fps, self._at_s)]
        return frames

    def end(self, films: Films) -> None:
        """See `SideBySide`."""
        super().end(films)
        words = [
            f"{name}: {result_words(tally)}."
            for (name, _), tally in zip(self._names, self.tallies, strict=True)
        ]
        self.captions.add(" ".join([*words, self._doubts]), films.frames_of(self.end_s) / self._fps)

    def title_card(self, size_wh: tuple[int, int], title: str, cast: list[int]) -> np.ndarray:
        """The opening card (H, W, 3)."""
        names, colors = self._named(cast)
        return opening_card(size_wh, self._theme, title, names, colors, [self._before[i] for i in cast])

    def end_card(self, size_wh: tuple[int, int], foot: str, cast: list[int]) -> np.ndarray:
        """The last card (H, W, 3)."""
        names, colors = self._named(cast)
        tallies = [self.tallies[i] for i in cast]
        return closing_card(size_wh, self._theme, names, colors, tallies, self._doubts)


def before_training(init: str, caption: str, side: str) -> str:
    """A sentence on what a model had seen before it was trained.

    The Common Objects in Context of 2014 have 82,783 images to train on, those of 2017 have 118,287
    (https://cocodataset.org/#download); both releases were trained on one of them. Vector is of 2018.

    Args:
        init: where the model's initial weights come from.
        caption: how it is called on the film.
        side: where it stands on the film.
    """
    who = f"Before training, the model {side} ({caption})"
    if init == "scratch":
        return f"{who} had seen no image at all: it began with random numbers."
    if init == "coco":
        return f"{who} had seen over 80,000 everyday photographs (COCO), none of them of a Vector."
    return f"{who} had learned what another model knew; the film does not know from which images."


def doubts_of(footage: Footage) -> str:
    """What the figures of a film do not show."""
    what, where = "This is one film of one place", "elsewhere, in other light, or trained once more"
    if footage.simulated:
        what, where = "This is one run in one simulated room", f"in real rooms, {where}"
    elif footage.kind in ("folder", "image"):
        what = "These are a few images"
    return f"{what}. That does not show what they find {where}."
