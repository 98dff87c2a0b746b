"""One film in the making: images are decoded in one thread, each detector looks in its own, frames are drawn here, each film is encoded in its own."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from fractions import Fraction

import numpy as np

from vector_tl.data.boxes import areas
from vector_tl.errors import UserError
from vector_tl.film.ahead import ahead, look
from vector_tl.film.cards import END_S, TITLE_S, end_card, title_card
from vector_tl.film.encode import EncodingThread, FilmWriter
from vector_tl.film.footage import Footage, Pacer, Shown
from vector_tl.film.settings import FilmSettings
from vector_tl.film.stage import THEMES, Stage, plan_frame
from vector_tl.film.tally import Seen, Tally, judge

TELL_S = 5.0


class Reel:
    """The side by side, and each side alone where asked for.

    Attributes:
        tallies: what each detector saw; complete after `shoot`.
        poster: the most telling frame (H, W, 3): the detectors differ most there, and the Vector is large.
    """

    def __init__(self, settings: FilmSettings, footage: Footage, detectors: list):
        self.settings, self.footage, self.detectors = settings, footage, detectors
        self.fps = Fraction(settings.fps).limit_denominator(1001) if settings.fps else footage.fps
        self.captions = captions(detectors)
        self.names = [
            (caption, model_line(detector, settings.threshold))
            for caption, detector in zip(self.captions, detectors, strict=True)
        ]
        self.tallies = [Tally() for _ in detectors]
        self.frames, self.size_wh, self.poster = 0, (0, 0), None
        self._poster_worth = -1.0
        self._theme = THEMES[settings.theme]
        self._stages: list[Stage] = []
        self._writers: list[EncodingThread] = []
        self._waiting: list[np.ndarray] = []

    def shoot(self) -> None:
        """Look at every image and write the films, each whole or not at all.

        Raises:
            UserError: no image can be read, or a film cannot be written.
        """
        asked = {} if self.settings.threshold is None else {"threshold": self.settings.threshold}
        started_s = told_s = time.monotonic()
        at = 0
        with ExitStack() as cleaning:
            moments = cleaning.enter_context(closing(ahead(self._placed())))
            looked = cleaning.enter_context(
                closing(look(moments, self.detectors, lambda placed: placed[1].image_rgb, **asked))
            )
            for (slot, moment), found in looked:
                if not self._stages:
                    self._set_up(moment, cleaning)
                self._write(slot - at)  # the image before stands until this one comes
                at = slot
                self._show(slot, moment, found)
                if time.monotonic() - told_s > TELL_S:
                    told_s = time.monotonic()
                    print(
                        f"film: {slot / float(self.fps):.0f} s done in {told_s - started_s:.0f} s",
                        file=sys.stderr,
                        flush=True,
                    )
            if not self._stages:
                raise UserError(f"No image in {self.footage.source} can be read; nothing was written.")
            self._write(1)
            self.frames = at + 1
            if self.settings.cards:
                self._end_cards()
            for writer in self._writers:
                writer.close()

    def result(self) -> dict:
        """The result, as the JSON of `vector-tl film --json`."""
        settings, seconds = self.settings, round(self.frames / float(self.fps), 3)
        result = {
            "film": str(settings.out),
            "frames": self.frames,
            "fps": round(float(self.fps), 3),
            "size_wh": list(self.size_wh),
            "seconds": seconds,
        }
        if settings.cards:
            result["cards_s"] = [round(self._card_frames(s) / float(self.fps), 3) for s in (TITLE_S, END_S)]
        if settings.singles:
            result["singles"] = [str(path) for path in settings.singles_paths]
        sides = zip(settings.sides, self.detectors, self.captions, self.tallies, strict=True)
        result["models"] = [
            {"side": s, "model": str(getattr(d, "name", "?")), "caption": c} | t.figures()
            for s, d, c, t in sides
        ]
        return result

    def _placed(self) -> Iterator[tuple[int, Shown]]:
        """The images that are shown, each with its place among the film's frames."""
        pacer = Pacer(self.fps, every=not self.settings.fps)
        for moment in self.footage.images():
            slot = pacer.slot(moment.t_s)
            if slot is not None:
                yield slot, moment

    def _set_up(self, first: Shown, cleaning: ExitStack) -> None:
        """Plan frames by the first image, and begin the films."""
        settings, everyone = self.settings, list(range(len(self.detectors)))
        height, width = first.image_rgb.shape[:2]
        expected = round((self.footage.seconds or 60.0) * self.fps)
        casts = [(settings.out, everyone)] + [
            (path, [index]) for index, path in enumerate(settings.singles_paths)
        ]
        for path, cast in casts:
            plan = plan_frame((width, height), len(cast), settings.shape, settings.width)
            self._stages.append(
                Stage(plan, self._theme, [self.names[index] for index in cast], cast, expected)
            )
            writer = EncodingThread(FilmWriter(path, self.fps, plan.size_wh))
            cleaning.push(lambda kind, *_, writer=writer: writer.abandon() if kind else None)
            self._writers.append(writer)
        self.size_wh = self._stages[0].plan.size_wh
        if settings.cards:
            foot = f"the same camera frames for {'both' if len(everyone) == 2 else 'all'}: {self.footage.source.name}"
            for stage, writer, (_, cast) in zip(self._stages, self._writers, casts, strict=True):
                card = title_card(
                    stage.plan.size_wh,
                    self._theme,
                    settings.title,
                    [self.names[i] for i in cast],
                    [self._theme.colors[i] for i in cast],
                    foot,
                )
                writer.write(card, self._card_frames(TITLE_S))

    def _show(self, slot: int, moment: Shown, found: list) -> None:
        """Count what was found, and draw the frame of each film."""
        size_wh = (moment.image_rgb.shape[1], moment.image_rgb.shape[0])
        t_s = float(slot / self.fps)
        seen = [judge(f.boxes_xyxy, f.scores, moment.truth_xyxy, size_wh) for f in found]
        for tally, what in zip(self.tallies, seen, strict=True):
            tally.add(t_s, what)
        self._waiting = []
        for stage, cast in zip(
            self._stages, [range(len(seen)), *([index] for index in range(len(seen)))], strict=False
        ):
            mine, tallies = [seen[i] for i in cast], [self.tallies[i] for i in cast]
            self._waiting.append(
                stage.draw(slot, moment.image_rgb, mine, tallies, moment.line, f"{t_s:.1f} s")
            )
        worth = _telling(seen, size_wh)
        if worth > self._poster_worth:
            self._poster_worth, self.poster = worth, self._waiting[0]

    def _write(self, times: int) -> None:
        for writer, image in zip(self._writers, self._waiting):
            writer.write(image, times)

    def _end_cards(self) -> None:
        images = self.tallies[0].images
        casts = [list(range(len(self.detectors))), *([index] for index in range(len(self.detectors)))]
        foot = f"{images} frames, the same for {'both' if len(self.detectors) == 2 else 'all'}"
        for stage, writer, cast in zip(self._stages, self._writers, casts, strict=False):
            names, colors = [self.names[i] for i in cast], [self._theme.colors[i] for i in cast]
            card = end_card(
                stage.plan.size_wh, self._theme, names, colors, [self.tallies[i] for i in cast], foot
            )
            writer.write(card, self._card_frames(END_S))

    def _card_frames(self, seconds: float) -> int:
        return max(1, round(seconds * self.fps))


def captions(detectors: list) -> list[str]:
    """How detectors are called on a film: by what they began with; by name as well where that is the same."""
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
    """A line about a detector: its name, its network, from which score on its boxes are shown."""
    threshold = getattr(detector, "threshold", None) if threshold is None else threshold
    parts = [str(getattr(detector, "name", "?")), str(getattr(detector, "arch", ""))]
    parts += [] if threshold is None else [f"boxes from score {threshold:.2f} on"]
    return ", ".join(part for part in parts if part)


def _telling(seen: list[Seen], size_wh: tuple[int, int]) -> float:
    """How much a frame tells: how far the detectors' best scores are apart, and how large the Vector is that one of them sees."""
    scores = [what.best for what in seen]
    largest = max(float(areas(what.boxes_xyxy).max(initial=0.0)) for what in seen)
    return max(scores) - min(scores) + 0.5 * (largest / (size_wh[0] * size_wh[1])) ** 0.5
