"""What a person keeps of what is watched: images to be labelled, and recordings."""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import vector_tl
from vector_tl.capture.recorder import SessionRecorder
from vector_tl.capture.sessions import describe
from vector_tl.data import dataset
from vector_tl.data.recording import RecordingWriter
from vector_tl.files import free_name
from vector_tl.robot.base import Frame
from vector_tl.watch.sight import Sight, Source

log = logging.getLogger(__name__)
SOURCE = "watch"  # in a session's file


class Keeper:
    """Keeps images in a dataset, in one session named by the time of its first image, and records.

    Attributes:
        images: paths of the kept images.
        recordings: paths of the recordings.
    """

    def __init__(self, source: Source, data: Path, runs: Path):
        self._source, self._data, self._runs = source, data, runs
        self._recorder: SessionRecorder | None = None
        self._writer: RecordingWriter | None = None
        self.images: list[Path] = []
        self.recordings: list[Path] = []

    def keep_image(self, sight: Sight) -> Path:
        """Put an image into the dataset as `vector-tl capture` does with a robot's: nobody has labelled it.

        Raises:
            UserError: it cannot be written.
        """
        if self._recorder is None:
            self._recorder = self._begin_session()
        recorder, frame = self._recorder, as_frame(sight, len(self.images))
        recorder.about["seen"] += 1
        shot = describe(frame, sight.image_rgb) | {"xyxy": None}
        name = recorder.keep_image(frame, shot, labelled=False)
        path = dataset.image_path(self._data, recorder.session, name)
        self.images.append(path)
        return path

    def _begin_session(self) -> SessionRecorder:
        session = self._free_session()
        about: dict[str, Any] = {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "vector_tl": vector_tl.__version__,
            "source": SOURCE,
            "form": self._source.kind,
            "whole": False,
            "seen": 0,
            "shots": [],
        }
        recorder = SessionRecorder(self._data, session, about)
        split = dataset.extend_splits(self._data, [session])[session]
        log.info("session %s is in split %s; change it in %s", session, split, self._data / "splits.json")
        return recorder

    def _free_session(self) -> str:
        name = f"{self._source.word}-{datetime.now():%Y%m%d-%H%M%S}"
        names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
        return next(n for n in names if not dataset.session_path(self._data, n).exists())

    @property
    def recording(self) -> bool:
        """Whether a recording is being written."""
        return self._writer is not None

    def begin_recording(self, models: list[str]) -> Path:
        """Begin a recording, under a name that is free.

        Raises:
            UserError: it cannot be written.
        """
        path = free_name(self._runs / f"watch-{datetime.now():%Y%m%d-%H%M%S}.mcap")
        about = {"watched": self._source.name, "models": models, "vector_tl": vector_tl.__version__}
        self._writer = RecordingWriter(path, about)
        self.recordings.append(path)
        return path

    def record(self, sight: Sight, number: int, boxes_xyxy: np.ndarray, scores: np.ndarray) -> None:
        """Add an image and what the model on the right sees in it to the recording, if there is one.

        Raises:
            UserError: it cannot be written; the recording has ended then.
        """
        if self._writer is None:
            return
        frame = as_frame(sight, number)
        try:
            self._writer.frame(frame)
            self._writer.detections(frame, boxes_xyxy, scores)
        except BaseException:
            self.end_recording()
            raise

    def end_recording(self) -> Path | None:
        """End the recording; its path, None where there is none."""
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        writer.close()
        return writer.path

    def close(self) -> None:
        """Finish what was begun."""
        self.end_recording()
        if self._recorder is not None:
            self._recorder.finish(whole=True)


def as_frame(sight: Sight, number: int) -> Frame:
    """An image as a camera's frame, received now."""
    now_s = time.monotonic()
    return Frame(number, round(now_s * 1000), now_s, sight.jpeg)
