"""The view of a film: detectors side by side on each frame, between two cards."""

from pathlib import Path

import numpy as np

from vector_tl.data.boxes import areas
from vector_tl.film.cards import END_S, TITLE_S, end_card, title_card
from vector_tl.film.footage import FootageFrame
from vector_tl.film.loop import FilmMoment, Films
from vector_tl.film.stage import FOOT_UNITS, Stage, frame_layout
from vector_tl.film.tally import Seen, Tally, judge
from vector_tl.film.theme import THEMES

EXPECTED_S = 60.0  # of footage that does not say how long it is


class SideBySide:
    """A view of detectors for `make_films`; the first film shows all of them, the others show some.

    Args:
        casts: each film's path, and which of the detectors it shows.
        names: caption and a line about it for each detector.
        theme: one of `THEMES`.
        shape: one of `SHAPES`.
        width: of the first frame in pixels, None for that of the shape.
        expected_s: how long the films will be, as far as is known.
        title: the title card's; no such card when None.
        title_foot: the line at the foot of the title card.
        end_foot: the line at the foot of the end card; no such card when None. `{images}` in it becomes their
            number.

    Attributes:
        tallies: what each detector saw; complete when the films are.
        size_wh: of the first film.
        poster: the frame (H, W, 3) that shows most: the detectors differ there, and the Vector is large.
        knots: pairs of a moment of the images' time and of the films', in seconds; between two of them both
            go on evenly, after the last one at the same pace.
    """

    title_s, end_s = TITLE_S, END_S
    foot_units = FOOT_UNITS

    def __init__(
        self,
        casts: list[tuple[Path, list[int]]],
        names: list[tuple[str, str]],
        theme: str = "dark",
        shape: str = "wide",
        width: int | None = None,
        expected_s: float = EXPECTED_S,
        title: str | None = None,
        title_foot: str = "",
        end_foot: str | None = None,
    ):
        self._casts, self._names, self._theme = casts, names, THEMES[theme]
        self._shape, self._width, self._expected_s = shape, width, expected_s
        self._title, self._title_foot, self._end_foot = title, title_foot, end_foot
        self._stages: list[Stage] = []
        self._poster_worth = -1.0
        self.tallies = [Tally() for _ in names]
        self.size_wh = (0, 0)
        self.poster = np.zeros((0, 0, 3), np.uint8)
        self.knots: list[tuple[float, float]] = []

    def begin(self, first: FootageFrame, films: Films) -> None:
        """Plan frames by the first image, open the films and write the title cards."""
        height, width = first.image_rgb.shape[:2]
        expected = round(self._expected_s * films.fps)
        for path, cast in self._casts:
            layout = frame_layout((width, height), len(cast), self._shape, self._width, self.foot_units)
            self._stages.append(Stage(layout, self._theme, [self._names[i] for i in cast], cast, expected))
            films.open(path, layout.size_wh)
        self.size_wh = self._stages[0].layout.size_wh
        before = 0
        if self._title is not None:
            cards = [
                self.title_card(stage.layout.size_wh, self._title, cast)
                for stage, (_, cast) in zip(self._stages, self._casts, strict=True)
            ]
            before = films.frames_of(self.title_s)
            films.write(cards, before)
        self.knots = [(0.0, float(before / films.fps))]

    def draw(self, moment: FilmMoment, found: list) -> list[np.ndarray]:
        """Count what was found, and draw the frame of each film."""
        image_rgb = moment.shown.image_rgb
        size_wh = (image_rgb.shape[1], image_rgb.shape[0])
        seen = [judge(f.boxes_xyxy, f.scores, moment.shown.truth_xyxy, size_wh) for f in found]
        for tally, what in zip(self.tallies, seen, strict=True):
            tally.add(moment.t_s, what)
        frames = [
            stage.draw(
                moment.slot,
                image_rgb,
                [seen[i] for i in cast],
                [self.tallies[i] for i in cast],
                self.line(moment),
                f"{moment.t_s:.1f} s",
            )
            for stage, (_, cast) in zip(self._stages, self._casts, strict=True)
        ]
        worth = _worth_showing(seen, size_wh)
        if worth > self._poster_worth:
            self._poster_worth, self.poster = worth, frames[0]
        return frames

    def line(self, moment: FilmMoment) -> str:
        """The line at the foot of a moment's frame, drawn after its counts."""
        return moment.shown.line

    def stands(self, at: int, until: int) -> int:
        """For how many frames an image stands: as long as it did."""
        return until - at

    def film_s(self, t_s: float) -> float:
        """When the films show a moment of the images' time, the later one where they stand still."""
        known_s, at_s = max(knot for knot in self.knots if knot[0] <= t_s)
        later = [knot for knot in self.knots if knot[0] > t_s]
        pace = (min(later)[1] - at_s) / (min(later)[0] - known_s) if later else 1.0
        return at_s + pace * (t_s - known_s)

    def end(self, films: Films) -> None:
        """Write the end cards."""
        if self._end_foot is None:
            return
        foot = self._end_foot.format(images=self.tallies[0].images)
        cards = [
            self.end_card(stage.layout.size_wh, foot, cast)
            for stage, (_, cast) in zip(self._stages, self._casts, strict=True)
        ]
        films.write(cards, films.frames_of(self.end_s))

    def title_card(self, size_wh: tuple[int, int], title: str, cast: list[int]) -> np.ndarray:
        """The title card (H, W, 3) of the film that shows these detectors."""
        return title_card(size_wh, self._theme, title, *self._named(cast), self._title_foot)

    def end_card(self, size_wh: tuple[int, int], foot: str, cast: list[int]) -> np.ndarray:
        """The end card (H, W, 3) of the film that shows these detectors."""
        tallies = [self.tallies[i] for i in cast]
        return end_card(size_wh, self._theme, *self._named(cast), tallies, foot)

    def _named(self, cast: list[int]) -> tuple[list[tuple[str, str]], list]:
        return [self._names[i] for i in cast], [self._theme.colors[i] for i in cast]


def _worth_showing(seen: list[Seen], size_wh: tuple[int, int]) -> float:
    """How much a frame shows: how far the best scores are apart, and how large the largest box is."""
    scores = [what.best for what in seen]
    largest = max(float(areas(what.boxes_xyxy).max(initial=0.0)) for what in seen)
    return max(scores) - min(scores) + 0.5 * (largest / (size_wh[0] * size_wh[1])) ** 0.5
