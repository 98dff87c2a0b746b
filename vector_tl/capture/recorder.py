"""One session of a robot's images while it is being taken: keep, drop, undo, and continuing after a kill.

The order of writing makes every moment safe: first the image's line in the session's file, then the image,
then its label. What a killed capture left between two of these is completed or taken back when the session
continues.
"""

import contextlib
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from vector_tl.capture.sessions import has_image, new_session, read_all, sweep
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.boxes import as_boxes
from vector_tl.data.coverage import Shot
from vector_tl.data.dataset import read_session, session_path, write_session
from vector_tl.errors import UserError
from vector_tl.plain import counted
from vector_tl.robot.base import Frame, Robot

log = logging.getLogger(__name__)


class SessionRecorder:
    """Writes a session into a dataset.

    Attributes:
        session: its name.
        about: what its file says.
    """

    def __init__(self, folder: Path, session: str, about: dict[str, Any]):
        self.folder, self.session, self.about = Path(folder), session, about
        self._history: list[tuple[str, Shot]] = []  # ("kept" | "dropped", shot), newest last
        self._mend()
        names = [
            path.stem
            for base in (self.folder, self.folder / "bin")
            for kind in ("images", "labels")
            for path in (base / kind / session).glob(f"{session}-*")
        ]
        numbers = [name.rpartition("-")[2] for name in [*names, *(shot["name"] for shot in self.shots)]]
        self._next = 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)

    @classmethod
    def open(cls, settings: CaptureSettings, robot: Robot) -> "SessionRecorder":
        """The session that the settings name, the robot's newest one that was interrupted, or a new one.

        Raises:
            UserError: a session of that name was not taken by this robot, or is labelled in another way.
        """

        def continues(about: dict[str, Any]) -> bool:
            return about.get("robot") == robot.serial and about.get("negatives") == settings.negatives

        folder = settings.data
        taken = read_all(folder, "robot")
        interrupted = [
            name
            for name, about in taken.items()
            if name.startswith(f"{robot.serial}-") and not about["whole"] and continues(about)
        ]
        new = f"{robot.serial}-{datetime.now():%Y%m%d-%H%M%S}"
        session = settings.session or max(interrupted, default=new)
        dataset.image_path(folder, session, "x")  # refuses what cannot be a name
        about = taken.get(session)
        if about is None:
            there = [folder / kind / session for kind in ("images", "labels")]
            if read_session(folder, session) is not None or any(path.exists() for path in there):
                raise UserError(
                    f"Session {session} of {folder} was not captured by vector-tl with a robot; choose "
                    "another --session."
                )
            about = new_session(robot, "robot", {"negatives": settings.negatives})
        elif continues(about):
            log.info("session %s continues; it has %s", session, counted(len(about["shots"]), "image"))
        else:
            raise UserError(
                f"Session {session} was taken with robot {about.get('robot')}"
                f"{' and' if about.get('negatives') else ' without'} --negatives; choose another --session."
            )
        return cls(folder, session, about | {"whole": False})

    @property
    def shots(self) -> list[Shot]:
        """The lines of its images, oldest first."""
        shots: list[Shot] = self.about["shots"]
        return shots

    def keep_image(self, frame: Frame, shot: Shot, labelled: bool) -> str:
        """Add an image; its name. With `labelled` its boxes, shot["xyxy"], are its label.

        Raises:
            UserError: it cannot be written; the session is as it was.
        """
        name = f"{self.session}-{self._next:04d}"
        self._next += 1
        shot |= {"name": name, "labelled": labelled}
        before, boxes = self.shots, as_boxes(shot["xyxy"]) if labelled else None
        try:
            self._write([*before, shot])
            dataset.write_item(self.folder, self.session, name, frame.jpeg, boxes, tuple(shot["size_wh"]))
        except UserError:  # the disk is full: as if this one had never been
            dataset.image_path(self.folder, self.session, name).unlink(missing_ok=True)
            self.about["shots"] = before
            with contextlib.suppress(UserError):
                self._write(before)
            raise
        self._history.append(("kept", shot))
        return name

    def drop_image(self) -> Shot | None:
        """Put the newest image into the bin; its line, None when there is none."""
        if not self.shots:
            return None
        shot = self.shots[-1]
        self._put_into_bin(shot)
        self._history.append(("dropped", shot))
        return shot

    def undo(self) -> tuple[str, Shot] | None:
        """Take back the last keep or drop of this run.

        Returns:
            ("kept" | "dropped", the image's line), None when there is nothing to take back.
        """
        if not self._history:
            return None
        what, shot = self._history.pop()
        if what == "kept":
            self._put_into_bin(shot)
        else:
            # First the files: a kill before its line is written leaves an image that was being dropped.
            self._move(shot["name"], self.folder / "bin", self.folder)
            self._write(sorted([*self.shots, shot], key=lambda s: s["name"]))
        return what, shot

    def finish(self, whole: bool, **facts: Any) -> None:
        """Write how it ended. A session without an image leaves no file."""
        self.about |= facts | {"whole": whole}
        if self.shots:
            self._write(self.shots)
        else:
            session_path(self.folder, self.session).unlink(missing_ok=True)

    def _write(self, shots: list[Shot]) -> None:
        self.about["shots"] = shots
        write_session(self.folder, self.session, self.about)

    def _put_into_bin(self, shot: Shot) -> None:
        self._write([other for other in self.shots if other["name"] != shot["name"]])
        self._move(shot["name"], self.folder, self.folder / "bin")

    def _move(self, name: str, here: Path, there: Path) -> None:
        """Move an image and its label, to the bin or back; the one that makes it count moves first."""
        paths_of = (dataset.image_path, dataset.label_path)
        for path_of in paths_of if there == self.folder else reversed(paths_of):
            source, goal = path_of(here, self.session, name), path_of(there, self.session, name)
            if source.exists():
                goal.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, goal)

    def _mend(self) -> None:
        """Finish what a kill interrupted.

        A line without its image goes, an image without its line was being dropped, a missing label is
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
            if shot["labelled"] and not dataset.label_path(self.folder, self.session, shot["name"]).exists():
                dataset.write_label(
                    self.folder, self.session, shot["name"], as_boxes(shot["xyxy"]), tuple(shot["size_wh"])
                )
