"""`vector-tl capture --remake`: make the images of all simulated sessions again, and compare them."""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vector_tl.capture.photographer import CapturedImage, SessionPlan
from vector_tl.capture.sessions import Session, only_capture, read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated_session import Difference, open_studio, take_session
from vector_tl.capture.terminal import progress
from vector_tl.data import dataset
from vector_tl.data.coverage import Shot
from vector_tl.errors import UserError

log = logging.getLogger(__name__)
NAMED = 5  # so many images are named in an error


def remake(settings: CaptureSettings) -> dict[str, Any]:
    """Make every simulated session again, except those in front of photographs.

    Missing images are written; files that are there are not changed.

    Returns:
        {"sessions", "images", "made", "same_bytes", "within_tolerance", "differ", "damaged", "held",
        "largest", "seconds"}: `held` is "digest" when every image came out byte for byte; "tolerance" when
        poses are the same, boxes within 1 px and thumbnails within 2 grey levels; and null, with "error",
        when an image is further off or its file is neither the one of then nor the one of now.

    Raises:
        UserError: there are no simulated sessions, or the simulator does not run.
    """
    started_s = time.monotonic()
    folder = settings.data
    sessions = {
        name: about
        for name, about in read_all(folder).items()
        if about.get("source") == "simulator" and about["whole"] and not about.get("backgrounds")
    }
    if not sessions:
        raise UserError(
            f"{folder}/sessions names no simulated session that is whole; "
            f"make some with vector-tl capture --data {folder}."
        )
    check = ImageComparison(sum(len(about["shots"]) for about in sessions.values()))
    with only_capture(folder), progress(check.images, 0) as advance:
        looks = {name: (about["camera"], tuple(about.get("without", ()))) for name, about in sessions.items()}
        for look in sorted(set(looks.values())):
            with open_studio(*look) as robot:
                for name in (name for name in sessions if looks[name] == look):
                    images = SessionImages(folder, name, sessions[name], check, advance)
                    plan = SessionPlan.of(name, sessions[name])
                    take_session(folder, plan, robot, images.kept, check.compared, strict=False)
    return {"sessions": len(sessions)} | check.result() | {"seconds": round(time.monotonic() - started_s, 1)}


class SessionImages:
    """Compares the files of one session's images."""

    def __init__(
        self,
        folder: Path,
        session: str,
        about: Session,
        check: "ImageComparison",
        advance: Callable[[], None],
    ):
        self.folder, self.session, self.check, self.advance = folder, session, check, advance
        check.made += sum(not self._path(shot).exists() for shot in about["shots"])

    def kept(self, shot: Shot, image: CapturedImage) -> None:
        """Compare the file of an image with the image made now."""
        self.advance()
        self.check.file(shot, self._path(shot).read_bytes(), image.frame.jpeg)

    def _path(self, shot: Shot) -> Path:
        return dataset.image_path(self.folder, self.session, shot["name"])


class ImageComparison:
    """Counts how images agree."""

    def __init__(self, images: int):
        self.images, self.made = images, 0
        self.ways: Counter[str] = Counter()
        self.differ: list[str] = []
        self.damaged: list[str] = []
        self.box_px = self.pose_mm = self.greys = 0.0

    def compared(self, name: str, difference: Difference) -> None:
        """Count an image that was made again, and how it differs from what was known of it."""
        if not difference.tolerable:
            self.differ.append(name)
            log.warning("%s: %s", name, difference)
            return
        self.ways["same_bytes" if difference.same_bytes else "within_tolerance"] += 1
        self.box_px, self.pose_mm = max(self.box_px, difference.box_px), max(self.pose_mm, difference.pose_mm)
        self.greys = max(self.greys, difference.greys)

    def file(self, shot: Shot, there: bytes, now: bytes) -> None:
        """Count a file that is neither the image of then nor the one of now."""
        if there != now and hashlib.sha256(there).hexdigest() != shot["sha256"]:
            self.damaged.append(shot["name"])

    def result(self) -> dict[str, Any]:
        """The counts, "held", and "error" when an image does not agree."""
        same, near = self.ways["same_bytes"], self.ways["within_tolerance"]
        held = "tolerance" if near else "digest"
        result = {
            "images": self.images,
            "made": self.made - len(self.differ),
            "same_bytes": same,
            "within_tolerance": near,
            "differ": self.differ,
            "damaged": self.damaged,
            "held": held,
            "largest": {
                "box_px": round(self.box_px, 2),
                "pose_mm": round(self.pose_mm, 2),
                "thumbnail_greys": round(self.greys, 2),
            },
        }
        faults = [
            f"{len(names)} images {what} ({', '.join(names[:NAMED])})"
            for names, what in (
                (self.differ, "differ from what their labels say"),
                (self.damaged, "are not what was captured; delete them and run this again"),
            )
            if names
        ]
        if missing := self.images - same - near - len(self.differ):
            faults.append(f"{missing} images have no label to compare with")
        return result | ({"held": None, "error": "; ".join(faults) + "."} if faults else {})
