"""The films of `vector-tl film`: all detectors side by side, each alone if asked for."""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from vector_tl.errors import UserError
from vector_tl.film.footage import Footage
from vector_tl.film.loop import Films, make_films
from vector_tl.film.pace import LONGEST_PAUSE_S
from vector_tl.film.settings import FilmSettings
from vector_tl.film.side_by_side import EXPECTED_S, SideBySide
from vector_tl.film.tally import Tally
from vector_tl.film.teaching import TeachingView, before_training, doubts_of
from vector_tl.progress import SECONDS, Progress

PLACES = {(2, "wide"): ["on the left", "on the right"], (2, "square"): ["above", "below"]}


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
        lines = [model_line(detector, settings.threshold, brief=settings.teach) for detector in detectors]
        alone = [(path, [index]) for index, path in enumerate(settings.singles_paths)]
        cards = settings.cards or settings.teach
        make: Callable[..., SideBySide] = SideBySide
        if settings.teach:
            make = partial(TeachingView, before=self._before(), doubts=doubts_of(footage))
        self.view = make(
            [(settings.out, list(range(len(detectors)))), *alone],
            list(zip(self.captions, lines, strict=True)),
            settings.theme,
            settings.shape,
            settings.width,
            footage.seconds or EXPECTED_S,
            settings.title if cards else None,
            f"the same camera frames for {who}: {footage.source.name}",
            f"{{images}} frames, the same for {who}" if cards else None,
        )

    def _before(self) -> list[str]:
        """For each detector a sentence on what it had seen before it was trained."""
        sides = PLACES.get((len(self.detectors), self.settings.shape), self.settings.sides)
        return [
            before_training(str(getattr(detector, "init", "")), caption, side)
            for detector, caption, side in zip(self.detectors, self.captions, sides, strict=True)
        ]

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
            progress=Progress("film", self.footage.seconds, SECONDS),
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
        view = self.view
        if settings.cards or settings.teach:
            cards = (view.title_s, view.end_s)
            result["cards_s"] = [round(Films(self.fps).frames_of(s) / fps, 3) for s in cards]
        if settings.captions_path is not None:
            seconds = self.frames / fps
            extra_s = view.film_s(seconds) - view.knots[0][1] - seconds  # slow start, first find
            result["teaching"] = {"captions": str(settings.captions_path), "extra_s": round(extra_s, 3)}
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


def model_line(detector, threshold: float | None, brief: bool = False) -> str:
    """A line about a detector: its name, its network (neither if `brief`), its confidence threshold."""
    threshold = getattr(detector, "threshold", None) if threshold is None else threshold
    parts = [] if brief else [str(getattr(detector, "name", "?")), str(getattr(detector, "arch", ""))]
    parts += [] if threshold is None else [f"counts a box when at least {100 * threshold:.3g} % sure"]
    return ", ".join(part for part in parts if part)
