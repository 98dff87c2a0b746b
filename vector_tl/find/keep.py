"""What is kept of a run: a recording, a film made meanwhile, and a page at its end. None of it keeps the loop waiting for more than a disk."""

import logging
from dataclasses import asdict

import numpy as np

from vector_tl import __version__
from vector_tl.data.recording import RecordingWriter
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.film.live_film import LiveFilm
from vector_tl.find.settings import FindSettings
from vector_tl.nets.checkpoint import resolve
from vector_tl.robot.base import Frame, Robot, RobotState
from vector_tl.robot.recorded import TruthAsker

log = logging.getLogger("vector_tl.find")
ROBOT_FPS = 15.0


class Keeper:
    """Gives each piece of a run to whoever keeps it, with the methods of a `RecordingWriter`.

    Raises:
        UserError: a file that is to be written exists, or the model of the film is none.
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

    def begin(self, robot: Robot, detector) -> "Keeper":
        """Open the files; to be closed when the wheels have been stopped."""
        settings, name = self.settings, getattr(detector, "name", self.settings.model)
        truth = robot.ground_truth()
        if self.path is not None:
            about = {
                "settings": asdict(settings),
                "serial": robot.serial,
                "model": name,
                "vector_tl": __version__,
                "truth": truth is not None,
            }
            self._recording = RecordingWriter(self.path, about, robot.intrinsics, settings.overwrite)
            self._truth = TruthAsker(truth, robot.serial) if truth is not None else None
        if settings.live is not None:
            fps = settings.camera_fps if settings.robot == "sim" else ROBOT_FPS
            self._film = LiveFilm(
                settings.live,
                settings.live_left,
                detector,
                settings.threshold,
                fps,
                settings.device,
                patient=settings.lockstep,
            )
        return self

    def frame(self, frame: Frame) -> None:
        """A camera frame, as received."""
        if self._recording:
            self._recording.frame(frame)

    def detections(self, frame: Frame, boxes_xyxy: np.ndarray, scores: np.ndarray) -> None:
        """What the finder's detector saw in it."""
        if self._recording:
            self._recording.detections(frame, boxes_xyxy, scores)
        if self._film:
            self._film.show(frame, boxes_xyxy, scores)
        if self._truth:
            self._truth.ask(frame)
            self._truth.write(self._recording)

    def state(self, state: RobotState) -> None:
        """The robot's report of itself."""
        if self._recording:
            self._recording.state(state)

    def wheels(
        self,
        t_s: float,
        left_mmps: float,
        right_mmps: float,
        sent: bool,
        why: str,
        target: tuple[float, float] | None,
    ) -> None:
        """A wheel command, and where the other Vector was taken to be."""
        if self._recording:
            self._recording.wheels(t_s, left_mmps, right_mmps, sent, why, target)

    def event(self, t_s: float, message: str) -> None:
        """A line of the log."""
        if self._recording:
            self._recording.event(t_s, message)
        if self._film:
            self._film.line = message

    def result(self, result: dict) -> None:
        """What came of the run."""
        if self._recording:
            self._recording.result(result)

    def close(self) -> None:
        """Finish the files."""
        if self._truth:
            self._truth.end()
            self._truth.write(self._recording)
        if self._recording:
            self._recording.close()
        if self._film:
            self._film.close()

    def report(self, result: dict) -> dict:
        """Write the run's page; the page and the film for the result. A page that cannot be written is told of, and no reason to fail."""
        told = {"live": self._film.result} if self._film else {}
        if self.folder is None or self._recording is None:
            return told
        from vector_tl.film.run_page import find_page

        film = self.settings.live if self._film and "film" in self._film.result else None
        try:
            return told | {"report": find_page(self.folder, self.settings, result | told, self.path, film)}
        except (UserError, OSError) as error:
            log.warning("no page of this run: %s", error)
            return told

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_exc) -> None:
        self.close()
