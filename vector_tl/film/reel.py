"""What films of detectors show: all side by side, each alone if asked for, and cards."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np

from vector_tl.data.boxes import areas
from vector_tl.errors import UserError
from vector_tl.film.cards import END_S, TITLE_S, end_card, title_card
from vector_tl.film.footage import Footage, FootageFrame
from vector_tl.film.loop import FilmMoment, Films, make_films
from vector_tl.film.pace import LONGEST_PAUSE_S
from vector_tl.film.settings import FilmSettings
from vector_tl.film.stage import THEMES, Stage, frame_layout
from vector_tl.film.tally import Seen, Tally, judge

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
    """

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

    def begin(self, first: FootageFrame, films: Films) -> None:
        """Plan frames by the first image, open the films and write the title cards."""
        height, width = first.image_rgb.shape[:2]
        expected = round(self._expected_s * films.fps)
        for path, cast in self._casts:
            layout = frame_layout((width, height), len(cast), self._shape, self._width)
            self._stages.append(Stage(layout, self._theme, [self._names[i] for i in cast], cast, expected))
            films.open(path, layout.size_wh)
        self.size_wh = self._stages[0].layout.size_wh
        if self._title is not None:
            cards = [
                title_card(
                    stage.layout.size_wh, self._theme, self._title, *self._named(cast), self._title_foot
                )
                for stage, (_, cast) in zip(self._stages, self._casts, strict=True)
            ]
            films.write(cards, films.frames_of(TITLE_S))

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
                moment.shown.line,
                f"{moment.t_s:.1f} s",
            )
            for stage, (_, cast) in zip(self._stages, self._casts, strict=True)
        ]
        worth = _worth_showing(seen, size_wh)
        if worth > self._poster_worth:
            self._poster_worth, self.poster = worth, frames[0]
        return frames

    def end(self, films: Films) -> None:
        """Write the end cards."""
        if self._end_foot is None:
            return
        foot = self._end_foot.format(images=self.tallies[0].images)
        cards = []
        for stage, (_, cast) in zip(self._stages, self._casts, strict=True):
            tallies = [self.tallies[i] for i in cast]
            cards.append(end_card(stage.layout.size_wh, self._theme, *self._named(cast), tallies, foot))
        films.write(cards, films.frames_of(END_S))

    def _named(self, cast: list[int]) -> tuple[list[tuple[str, str]], list]:
        return [self._names[i] for i in cast], [self._theme.colors[i] for i in cast]


class Reel:
    """The films of `vector-tl film`.

    Attributes:
        view: what they show, with the counts of each detector.
    """

    def __init__(self, settings: FilmSettings, footage: Footage, detectors: list):
        self.settings, self.footage, self.detectors = settings, footage, detectors
        self.fps = Fraction(settings.fps).limit_denominator(1001) if settings.fps else footage.fps
        self.frames = 0
        self.captions = captions(detectors)
        who = "both" if len(detectors) == 2 else "all"
        lines = [model_line(detector, settings.threshold) for detector in detectors]
        alone = [(path, [index]) for index, path in enumerate(settings.singles_paths)]
        self.view = SideBySide(
            [(settings.out, list(range(len(detectors)))), *alone],
            list(zip(self.captions, lines, strict=True)),
            settings.theme,
            settings.shape,
            settings.width,
            footage.seconds or EXPECTED_S,
            settings.title if settings.cards else None,
            f"the same camera frames for {who}: {footage.source.name}",
            f"{{images}} frames, the same for {who}" if settings.cards else None,
        )

    @property
    def tallies(self) -> list[Tally]:
        """What each detector saw; complete after `shoot`."""
        return self.view.tallies

    def shoot(self) -> None:
        """Look at every image and write the films, each whole or not at all.

        Raises:
            UserError: no image can be read, or a film cannot be written.
        """
        settings, video = self.settings, self.footage.kind == "video"
        self.frames = make_films(
            self.footage.images(),
            Films(self.fps),
            self.detectors,
            self.view,
            every=not settings.fps and not video,
            threshold=settings.threshold,
            progress="film",
            longest_pause_s=math.inf if video else LONGEST_PAUSE_S,
            seconds=(self.footage.seconds or 0.0) if video else 0.0,
        )
        if not self.frames:
            raise UserError(f"No image in {self.footage.source} can be read; nothing was written.")

    def result(self) -> dict:
        """The result, as the JSON of `vector-tl film --json`."""
        settings, fps = self.settings, float(self.fps)
        result = {
            "film": str(settings.out),
            "frames": self.frames,
            "fps": round(fps, 3),
            "size_wh": list(self.view.size_wh),
            "seconds": round(self.frames / fps, 3),
        }
        if settings.cards:
            result["cards_s"] = [round(Films(self.fps).frames_of(s) / fps, 3) for s in (TITLE_S, END_S)]
        if settings.singles:
            result["singles"] = [str(path) for path in settings.singles_paths]
        sides = zip(settings.sides, self.detectors, self.captions, self.tallies, strict=True)
        result["models"] = [
            {"side": s, "model": str(getattr(d, "name", "?")), "caption": c} | t.figures()
            for s, d, c, t in sides
        ]
        return result


def captions(detectors: list) -> list[str]:
    """How detectors are called on a film: by their initial weights.

    By name as well where those are the same.
    """
    words = [
        {"scratch": "from scratch", "coco": "transfer"}.get(str(getattr(detector, "init", "")), "transfer")
        for detector in detectors
    ]
    names = [str(getattr(detector, "name", "?")) for detector in detectors]
    return [
        f"{word}: {name}" if words.count(word) > 1 and name != word else word
        for word, name in zip(words, names, strict=True)
    ]


def model_line(detector, threshold: float | None) -> str:
    """A line about a detector: its name, its network, its confidence threshold."""
    threshold = getattr(detector, "threshold", None) if threshold is None else threshold
    parts = [str(getattr(detector, "name", "?")), str(getattr(detector, "arch", ""))]
    parts += [] if threshold is None else [f"counts a box when at least {100 * threshold:.3g} % sure"]
    return ", ".join(part for part in parts if part)


def _worth_showing(seen: list[Seen], size_wh: tuple[int, int]) -> float:
    """How much a frame shows: how far the best scores are apart, and how large the largest box is."""
    scores = [what.best for what in seen]
    largest = max(float(areas(what.boxes_xyxy).max(initial=0.0)) for what in seen)
    return max(scores) - min(scores) + 0.5 * (largest / (size_wh[0] * size_wh[1])) ** 0.5
