"""A capture session's file: where its images come from, and a line for each of them.

The images themselves are not in the repository, so a line also has what shows whether an image was made again
as it was: a digest, and a thumbnail of 16 x 9 greys for computers that draw a little differently.
"""

import base64
import contextlib
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vector_tl
from vector_tl.data import dataset
from vector_tl.data.coverage import Shot
from vector_tl.data.dataset import SESSION_REMEDY, read_session, session_path
from vector_tl.data.session_forms import CapturedSession, SimulatedSession
from vector_tl.errors import UserError
from vector_tl.files import claimed
from vector_tl.forms import check_form
from vector_tl.robot.base import Frame, Robot

THUMB_WH = (16, 9)
STALE_S = 60.0  # nobody takes so long to write a file


def read_all(folder: Path, source: str) -> dict[str, dict[str, Any]]:
    """The files of all sessions that capture took from `source` (simulator or robot): session -> content."""
    names = sorted(path.stem for path in (Path(folder) / "sessions").glob("[!.]*.json"))
    found = {name: read_session(folder, name) for name in names}
    form = SimulatedSession if source == "simulator" else CapturedSession
    return {
        name: check_form(about, form, str(session_path(folder, name)), SESSION_REMEDY)
        for name, about in found.items()
        if "shots" in about and about.get("source") == source
    }


def new_session(robot: Robot, source: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The file of a session without images: what is the same for all of its images, `facts` among it."""
    return {
        "robot": robot.serial,
        "intrinsics": asdict(robot.intrinsics),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "vector_tl": vector_tl.__version__,
        "wirepod_vector_sdk": version("wirepod_vector_sdk"),
        "source": source,
        **facts,
        "whole": False,
        "seen": 0,
        "shots": [],
    }


def describe(frame: Frame, image_rgb: np.ndarray) -> Shot:
    """What an image (H, W, 3) itself shows: ids, times, how bright and sharp it is, and its fingerprints."""
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    return {
        "image_id": frame.image_id,
        "robot_time_ms": frame.robot_time_ms,
        "received_s": round(frame.received_s, 4),
        "size_wh": [grey.shape[1], grey.shape[0]],
        "brightness": round(float(grey.mean()), 1),
        "sharpness": round(sharpness(grey), 1),
        "sha256": hashlib.sha256(frame.jpeg).hexdigest(),
        "thumb": base64.b64encode(thumbnail(grey).tobytes()).decode(),
    }


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian of an image (H, W).

    It is small where everything is blurred, and where there is nothing to see.
    """
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """The image (H, W) as 16 x 9 mean greys, uint8 (9, 16)."""
    return cv2.resize(grey, THUMB_WH, interpolation=cv2.INTER_AREA)


def thumb_difference(one: str, other: str) -> float:
    """By how many grey levels two thumbnails differ on average."""
    greys = [np.frombuffer(base64.b64decode(text), np.uint8).astype(np.int16) for text in (one, other)]
    return float(np.abs(greys[0] - greys[1]).mean())


@contextmanager
def only_capture(folder: Path) -> Iterator[None]:
    """Hold the dataset while images are taken into it; the lock ends with the process, however that ends.

    Raises:
        UserError: another capture is taking images into it, or the folder cannot be written.
    """
    with claimed(Path(folder) / "sessions" / ".capture.lock") as mine:
        if not mine:
            raise UserError(
                f"Another capture is taking images into {folder}; end it first, or choose another --data."
            )
        yield


def sweep(folder: Path, session: str) -> None:
    """Remove what a killed capture left of files that it had not finished."""
    folder = Path(folder)
    for pattern in (f"images/{session}/.*.part", f"labels/{session}/.*.part", f"sessions/.{session}.*.part"):
        for part in folder.glob(pattern):
            part.unlink(missing_ok=True)
    for part in folder.glob(".*.part"):  # of splits.json and data.yaml, which others write too
        with contextlib.suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > STALE_S:
                part.unlink()


def has_image(folder: Path, session: str, name: str) -> bool:
    """Whether an image is there, or in the bin, where a person put it: it is not taken again then."""
    return any(dataset.image_path(place, session, name).exists() for place in (folder, Path(folder) / "bin"))
