"""What is kept of a run: a recording, a film made meanwhile, and a page at its end.

None of it keeps the loop waiting for more than a disk.
"""

import logging
import math
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from vector_tl import __version__
from vector_tl.data.recording import RecordingWriter
from vector_tl.detect.interface import ImageDetector
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.film.live_film import LiveFilm
from vector_tl.film.moment_words import moment_words
from vector_tl.find.memory import MotionCommand
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import Target
from vector_tl.nets.model_file import resolve
from vector_tl.robot.base import Frame, Robot, RobotState
from vector_tl.robot.recorded import TruthAsker

log = logging.getLogger("vector_tl.find")
ROBOT_FPS = 15.0


class Keeper:
    """Passes each piece of a run on to the recording and the film, where the settings ask for them.

    Raises:
        UserError: a file that is to be written exists, or the film's model cannot be found.
    """

    def __init__(self, settings: FindSettings):
        self.settings = settings
        self.folder, self.path = settings.report_folder, settings.recording
        self.keeps = self.path is not None or settings.live is not None
        if settings.live is not None:
            resolve(settings.live_left)  # before there is a robot to look after
        for path in (self.path, settings.live, self.folder / "index.html" if self.folder else None):
            if path is not None:
                refuse_existing(path, settings.overwrite)
        self._recording: RecordingWriter | None = None
        self._film: LiveFilm | None = None
        self._truth: TruthAsker | None = None
        self._seen: tuple[Frame, np.ndarray, np.ndarray] | None = None  # waits for its command

    def begin(self, robot: Robot, detector: ImageDetector) -> Self:
        """Open the files; close them when the wheels have been stopped."""
        settings, truth = self.settings, robot.ground_truth()
        if self.path is not None:
            about = {
                "settings": asdict(settings),
                "serial": robot.serial,
                "model": detector.name,
                "vector_tl": __version__,
                "truth": truth is not None,
            }
            self._recording = RecordingWriter(self.path, about, robot.intrinsics, settings.overwrite)
            if truth is not None:
                self._truth = TruthAsker(truth, robot.serial, self._recording)
        if settings.live is not None:
            fps = settings.camera_fps if settings.robot == "sim" else ROBOT_FPS
            self._film = LiveFilm(
                settings.live,
                settings.live_left,
                detector,
                settings.threshold,
                fps,
                settings.device,
                settings.precision,
                patient=settings.lockstep,
            )
        return self

    def frame(self, frame: Frame) -> None:
        """Keep a camera frame, as received."""
        if self._recording:
            self._recording.frame(frame)

    def detections(self, frame: Frame, boxes_xyxy: np.ndarray, scores: np.ndarray) -> None:
        """Keep what the finder's detector saw in a frame: boxes (N, 4) and scores (N,)."""
        if self._recording:
            self._recording.detections(frame, boxes_xyxy, scores)
        self._seen = frame, boxes_xyxy, scores
        if self._truth:
            self._truth.ask(frame)

    def state(self, state: RobotState) -> None:
        """Keep the robot's report of itself."""
        if self._recording:
            self._recording.state(state)

    def command(self, t_s: float, command: MotionCommand, sent: bool, target: Target | None) -> None:
        """Keep a wheel command, and where the other Vector was taken to be."""
        where = (target.distance_mm, math.degrees(target.bearing_rad)) if target else None
        if self._recording:
            self._recording.wheels(t_s, command.left_mmps, command.right_mmps, sent, command.mode, where)
        if self._film and self._seen:
            held = not sent and bool(command.left_mmps or command.right_mmps)
            self._film.line = moment_words(command.mode, held, where, in_sight=len(self._seen[2]) > 0)
            self._film.show(*self._seen)
            self._seen = None

    def event(self, t_s: float, message: str) -> None:
        """Keep a line of the log."""
        if self._recording:
            self._recording.event(t_s, message)

    def result(self, result: dict[str, Any]) -> None:
        """Keep the run's result."""
        if self._recording:
            self._recording.result(result)

    def close(self) -> None:
        """Finish the files."""
        if self._truth:
            self._truth.end()
        if self._recording:
            self._recording.close()
        if self._film:
            self._film.close()

    def report(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the run's page.

        A page that cannot be written is logged, and the run does not fail for it.

        Returns:
            What the result says of page and film: {"report", "live"}, each only where there is one.
        """
        kept: dict[str, Any] = {"live": self._film.result} if self._film else {}
        if self.folder is None or self.path is None or self._recording is None:
            return kept
        from vector_tl.film.run_page import find_page  # brings Matplotlib

        film = self.settings.live if self._film and "film" in self._film.result else None
        try:
            return kept | {"report": find_page(self.folder, self.settings, result | kept, self.path, film)}
        except (UserError, OSError) as error:
            log.warning("no page of this run: %s", error)
            return kept

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
