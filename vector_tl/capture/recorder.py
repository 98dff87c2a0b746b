"""One session of a robot's images while it is captured: keep, drop, undo, and continuing after a kill.

The order of writing makes every moment safe: first the image's line in the session's file, then the image,
then its label. What a killed capture left between two of these is completed or undone when the session is
continued.
"""

import contextlib
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Self

from vector_tl.capture.sessions import Session, has_image, provenance, read_all, sweep
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.boxes import as_boxes
from vector_tl.data.coverage import Shot
from vector_tl.data.dataset import read_session, session_path, write_session
from vector_tl.data.yolo import format_label
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.robot.base import Frame, Robot

log = logging.getLogger(__name__)


class Recorder:
    """Writes a session into a dataset.

    Attributes:
        folder: of the dataset.
        session: its name.
        about: what its file says.
    """

    def __init__(self, folder: Path, session: str, about: Session):
        self.folder, self.session, self.about = Path(folder), session, about
        self._history: list[tuple[str, Shot]] = []  # ("kept" | "dropped", shot), newest last
        self._mend()
        images = [
            path.stem
            for base in (self.folder, self.folder / "bin")
            for path in (base / "images" / session).glob(f"{session}-*.jpg")
        ]
        numbers = [name.rpartition("-")[2] for name in [*images, *(shot["name"] for shot in self.shots)]]
        self._next = 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)

    @classmethod
    def open(cls, settings: CaptureSettings, robot: Robot) -> Self:
        """The session that the settings name, the robot's newest one that was interrupted, or a new one.

        Raises:
            UserError: a session of that name is of another robot or program, or is labelled otherwise.
        """
        named = settings.session or _interrupted(settings, robot)
        session = named or f"{robot.serial}-{datetime.now():%Y%m%d-%H%M%S}"
        dataset.image_path(settings.data, session, "x")  # refuses what cannot be a name
        about = read_session(settings.data, session)
        if about is None:
            if (settings.data / "images" / session).exists() or (settings.data / "labels" / session).exists():
                raise UserError(
                    f"Session {session} of {settings.data} was not captured by vector-tl; "
                    "choose another --session."
                )
            about = provenance(robot) | {"source": "robot", "negatives": settings.negatives}
            about |= {"whole": False, "seen": 0, "shots": []}
        elif about.get("source") != "robot" or not _is_like(about, settings, robot):
            whose = about.get("robot", "another program")
            whose += " without Vectors" if about.get("negatives") is True else ""
            raise UserError(f"Session {session} is of {whose}, not of this kind; choose another --session.")
        else:
            log.info("session %s continues; it has %d images", session, len(about["shots"]))
        return cls(settings.data, session, about | {"whole": False})

    @property
    def shots(self) -> list[Shot]:
        """The lines of its images, oldest first."""
        return list(self.about["shots"])

    def keep(self, frame: Frame, shot: Shot, labelled: bool) -> str:
        """Add an image, and give its name. With `labelled` its boxes, shot["xyxy"], are its label.

        Raises:
            UserError: it cannot be written; the session is as it was.
        """
        name = f"{self.session}-{self._next:04d}"
        self._next += 1
        shot |= {"name": name, "labelled": labelled}
        before, image = self.shots, dataset.image_path(self.folder, self.session, name)
        try:
            self._write([*before, shot])
            write_atomic(image, frame.jpeg)
            self._label(shot)
        except UserError:  # the disk is full: leave the session without this one
            image.unlink(missing_ok=True)
            self.about["shots"] = before
            with contextlib.suppress(UserError):
                self._write(before)
            raise
        self._history.append(("kept", shot))
        return name

    def drop(self) -> Shot | None:
        """Move the newest image to the bin, and give its line; None when there is none."""
        if not self.shots:
            return None
        shot = self.shots[-1]
        self._away(shot)
        self._history.append(("dropped", shot))
        return shot

    def undo(self) -> tuple[str, Shot] | None:
        """Undo the last keep or drop of this run: ("kept" | "dropped", its line), None without any."""
        if not self._history:
            return None
        what, shot = self._history.pop()
        if what == "kept":
            self._away(shot)
        else:
            self._write(sorted([*self.shots, shot], key=lambda s: s["name"]))
            self._move(shot["name"], self.folder / "bin", self.folder)
        return what, shot

    def finish(self, whole: bool, **facts: object) -> None:
        """Write how the session ended. One without an image leaves no file."""
        self.about |= facts | {"whole": whole}
        if self.shots:
            self._write(self.shots)
        else:
            session_path(self.folder, self.session).unlink(missing_ok=True)

    def _write(self, shots: list[Shot]) -> None:
        self.about["shots"] = shots
        write_session(self.folder, self.session, self.about)

    def _label(self, shot: Shot) -> None:
        path = dataset.label_path(self.folder, self.session, shot["name"])
        if shot["labelled"] and not path.exists():
            write_atomic(path, format_label(as_boxes(shot["xyxy"]), shot["size_wh"]))

    def _away(self, shot: Shot) -> None:
        self._write([other for other in self.shots if other["name"] != shot["name"]])
        self._move(shot["name"], self.folder, self.folder / "bin")

    def _move(self, name: str, here: Path, there: Path) -> None:
        """Move an image and its label to the bin (the label first) or back (the image first)."""
        parts = [dataset.image_path, dataset.label_path]
        for path_of in parts if there == self.folder else parts[::-1]:
            source, goal = path_of(here, self.session, name), path_of(there, self.session, name)
            if source.exists():
                goal.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, goal)

    def _mend(self) -> None:
        """Finish what a kill interrupted.

        A line without its image is removed, an image without its line moves to the bin, a missing label is
        written.
        """
        sweep(self.folder, self.session)
        there = [shot for shot in self.shots if has_image(self.folder, self.session, shot["name"])]
        if len(there) < len(self.shots):
            self._write(there)
        named = {shot["name"] for shot in there}
        for path in (self.folder / "images" / self.session).glob("*.jpg"):
            if path.stem not in named:
                self._move(path.stem, self.folder, self.folder / "bin")
        for shot in there:
            self._label(shot)


def _is_like(about: Session, settings: CaptureSettings, robot: Robot) -> bool:
    return about.get("robot") == robot.serial and about.get("negatives") == settings.negatives


def _interrupted(settings: CaptureSettings, robot: Robot) -> str | None:
    """The robot's newest session of this kind that has not ended."""
    sessions = read_all(settings.data, f"{robot.serial}-")
    like = (
        name for name, about in sessions.items() if not about["whole"] and _is_like(about, settings, robot)
    )
    return max(like, default=None)
