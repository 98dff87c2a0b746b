"""`vector-tl watch`: the loop that lets both models look at the newest image."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from vector_tl.detect.detector import Detector, load
from vector_tl.errors import UserError
from vector_tl.plain import counted
from vector_tl.watch.board import KEYS, Board, Look, Moment
from vector_tl.watch.keeping import Keeper
from vector_tl.watch.page_server import served
from vector_tl.watch.settings import WatchSettings
from vector_tl.watch.sight import Sight, Source
from vector_tl.watch.sources import open_source
from vector_tl.web.keys import terminal_keys

log = logging.getLogger(__name__)
HELP = "keys: s keep this image, r record, Space hold the image, q end"
HELD_S = 0.05  # between two looks at the keys while the image is held


def watch(settings: WatchSettings) -> dict[str, Any]:
    """Show what both models see until a person ends it, time is up, or the source ends.

    Returns:
        {"source", "frames", "seconds", "fps", "images", "recordings", "data", "models": [{"name", "seen"}]}:
        `images` and `recordings` are paths, `seen` counts the frames in which a model saw a Vector.

    Raises:
        UsageError: a setting out of its range.
        UserError: the source or a model cannot be opened, or the source is gone.
    """
    settings.check()
    detectors = [load(model, settings.device) for model in (settings.left, settings.right)]
    with ExitStack() as stack:
        window = None
        if settings.window:
            from vector_tl.watch.window import Window  # needs a screen

            window = Window()
            stack.callback(window.close)
        source = stack.enter_context(open_source(settings))
        about = {"source": source.name, "models": [_about(detector) for detector in detectors]}
        keeper, board = Keeper(source, settings.data, settings.runs), Board(about)
        stack.callback(keeper.close)
        stack.enter_context(served(board, settings.page_port, settings.host))

        def pressed(names: list[str]) -> None:
            for action in (KEYS[name] for name in names if name in KEYS):
                board.press(action)

        stack.enter_context(terminal_keys(pressed, HELP))
        viewing = Viewing(settings, source, detectors, board, keeper)
        try:
            viewing.run((lambda: window.show(board)) if window else lambda: None)
        except KeyboardInterrupt:
            board.ended = "ended by a person"
        except UserError as error:
            board.ended = str(error)
            raise
    return viewing.result()


def describe(result: dict[str, Any]) -> str:
    """The result in words."""
    seen = ", ".join(f"{model['name']} saw a Vector in {model['seen']}" for model in result["models"])
    rate = "" if result["fps"] is None else f" ({result['fps']} per second)"
    return f"{counted(result['frames'], 'image')} in {result['seconds']:g} s{rate}: {seen}."


def _about(detector: Detector) -> dict[str, Any]:
    return {
        "name": detector.name,
        "init": detector.init,
        "threshold": round(detector.threshold, 3),
        "engine": detector.engine,
    }


class Viewing:
    """The loop and what it counts."""

    def __init__(
        self,
        settings: WatchSettings,
        source: Source,
        detectors: list[Detector],
        board: Board,
        keeper: Keeper,
    ):
        self._settings, self._source, self._detectors = settings, source, detectors
        self._board, self._keeper = board, keeper
        self._frames, self._seen = 0, [0 for _ in detectors]
        self._begun_s = time.monotonic()
        self._ended_s: float | None = None

    def run(self, each_turn: Callable[[], None]) -> None:
        """Look until it ends; `each_turn` is called at least once a second, in this thread."""
        begun_s, board = self._begun_s, self._board
        gap_s, due_s = 1 / self._settings.max_fps, 0.0
        try:
            while board.ended is None:
                self._obey()
                each_turn()
                if self._settings.seconds and time.monotonic() - begun_s > self._settings.seconds:
                    board.ended = "time is up"
                elif board.held:
                    time.sleep(HELD_S)
                elif (wait_s := due_s - time.monotonic()) > 0:
                    time.sleep(wait_s)
                elif board.ended is None and (sight := self._look()) is not None:
                    due_s = time.monotonic() + gap_s
                    self._show(sight)
        finally:
            self._ended_s = time.monotonic()

    def _look(self) -> Sight | None:
        try:
            return self._source.look()
        except StopIteration:
            self._board.ended = f"{self._source.name} has ended"
            return None

    def _show(self, sight: Sight) -> None:
        looks = []
        for number, detector in enumerate(self._detectors):
            begun_s = time.perf_counter()
            found = detector(sight.image_rgb, self._settings.threshold)
            looks.append(Look(found, (time.perf_counter() - begun_s) * 1000))
            self._seen[number] += len(found) > 0
        self._frames += 1
        self._board.post(Moment(self._frames, sight, (looks[0], looks[1])))
        self._try(
            lambda: self._keeper.record(sight, self._frames, looks[1].found.boxes_xyxy, looks[1].found.scores)
        )

    def _obey(self) -> None:
        """Do what the keys say."""
        board, keeper = self._board, self._keeper
        for action in board.pressed():
            if action == "quit":
                board.ended = "ended by a person"
            elif action == "hold":
                board.held = not board.held
                board.said = "the image is held" if board.held else "live again"
            elif action == "record":
                self._try(self._begin_or_end_recording)
            elif board.moment is not None:
                self._try(self._keep)
        board.recording, board.kept = keeper.recording, len(keeper.images)

    def _keep(self) -> None:
        if self._board.moment is not None:
            path = self._keeper.keep_image(self._board.moment.sight)
            self._say(f"kept: {path}")

    def _begin_or_end_recording(self) -> None:
        if self._keeper.recording:
            self._say(f"recorded: {self._keeper.end_recording()}")
        else:
            models = [model["name"] for model in self._board.about["models"]]
            self._say(f"recording to {self._keeper.begin_recording(models)}")

    def _try(self, work: Callable[[], None]) -> None:
        """Do work that a full disk may refuse; the view goes on."""
        try:
            work()
        except UserError as error:
            self._board.said = str(error)
            log.warning("%s", error)

    def _say(self, words: str) -> None:
        self._board.said = words
        log.info("%s", words)

    def result(self) -> dict[str, Any]:
        """See `watch`."""
        seconds = (self._ended_s or time.monotonic()) - self._begun_s
        return {
            "source": self._settings.source,
            "frames": self._frames,
            "seconds": round(seconds, 1),
            "fps": round(self._frames / seconds, 1) if seconds > 0 else None,
            "images": [str(path) for path in self._keeper.images],
            "recordings": [str(path) for path in self._keeper.recordings],
            "data": str(self._settings.data),
            "models": [
                {"name": detector.name, "seen": seen}
                for detector, seen in zip(self._detectors, self._seen, strict=True)
            ],
        }
