"""`vector-tl capture --remake`: make the images of all simulated sessions again.

It says how well they agree with what the repository holds of them: labels, digests, thumbnails.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from vector_tl.capture.ground_truth import LabelledImage
from vector_tl.capture.plan import SessionPlan
from vector_tl.capture.sessions import only_capture, read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.side_by_side import simulators_for, take_all
from vector_tl.capture.simulated_session import Difference, open_simulated_robot, take_session
from vector_tl.data import dataset
from vector_tl.errors import UserError
from vector_tl.plain import counted
from vector_tl.progress import Progress
from vector_tl.robot.base import Robot

log = logging.getLogger(__name__)
MAX_NAMED = 5  # so many images are named in an error


def remake(settings: CaptureSettings) -> dict[str, Any]:
    """Take every simulated session again, except those in front of photographs and those drawn in bulk.

    Images that are missing are written, those there are left as they are.

    Returns:
        {"sessions", "images", "made", "same_bytes", "within_tolerance", "differ", "damaged", "held",
        "largest", "seconds"}: `held` is "digest" when every image came out byte for byte; "tolerance" when
        the same poses came out, boxes within 1 px and thumbnails within 2 grey levels; null (and "error")
        when one did not, or when the file of one is neither what was taken then nor what is taken now.

    Raises:
        UserError: there are no simulated sessions, or the simulator does not run.
    """
    started_s = time.monotonic()
    folder = settings.data
    sessions = {
        name: about
        for name, about in read_all(folder, "simulator").items()
        if about["whole"] and not about.get("backgrounds") and not about.get("bulk")
    }
    if not sessions:
        raise UserError(
            f"{folder}/sessions names no simulated session that is whole; take some with vector-tl capture "
            f"--data {folder}."
        )
    plans = [SessionPlan.of(name, about) for name, about in sessions.items()]
    digests = {
        dataset.image_path(folder, name, shot["name"]): shot["sha256"]
        for name, about in sessions.items()
        for shot in about["shots"]
    }
    with only_capture(folder), Progress("capture", len(digests)) as progress:
        check = ImageComparison(digests, progress.advance)
        for camera, without, of_kinds in sorted({_how(plan) for plan in plans}):
            some = [plan for plan in plans if _how(plan) == (camera, without, of_kinds)]
            take_all(
                some,
                partial(_take_again, settings, check),
                partial(open_simulated_robot, camera, without, of_kinds=of_kinds),
                simulators_for(len(some), settings.simulators),
            )
    result = {"sessions": len(sessions)} | check.result()
    return result | {"seconds": round(time.monotonic() - started_s, 1)}


def _take_again(
    settings: CaptureSettings,
    check: "ImageComparison",
    plan: SessionPlan,
    robot: Robot,
    refuse_late: Callable[[], None],
) -> None:
    def report(name: str, image: LabelledImage, difference: Difference | None) -> None:
        check.add(name, image, difference)
        refuse_late()

    take_session(settings.data, plan, robot, report, strict=False, masks=settings.masks)


def _how(plan: SessionPlan) -> tuple[str, tuple[str, ...], bool]:
    """What sessions have in common that one simulator takes."""
    return plan.camera, plan.without, bool(plan.kinds)


class ImageComparison:
    """Counts how images that are taken again agree with those taken before.

    Args:
        digests: path of each image taken before -> SHA-256.
        advance: called for each image that belongs to the dataset.
    """

    def __init__(self, digests: dict[Path, str], advance: Callable[[], None]):
        self._digests = {path.stem: (path, sha256) for path, sha256 in digests.items()}
        self._missing = [path for path in digests if not path.exists()]
        self._advance = advance
        self._same: list[Difference] = []
        self._differ: list[str] = []
        self._damaged: list[str] = []

    def add(self, name: str, image: LabelledImage, difference: Difference | None) -> None:
        """An image was taken again, and differs so from what is known of it."""
        if difference is not None and not difference.tolerable:
            self._differ.append(name)
            log.warning("%s: %s", name, difference)
            return
        self._same += [difference] if difference is not None else []
        self._advance()
        if name in self._digests:
            path, sha256 = self._digests[name]
            there = path.read_bytes()
            # What is on disk must be the image of then, or the one of now.
            if there != image.frame.jpeg and hashlib.sha256(there).hexdigest() != sha256:
                self._damaged.append(name)

    def result(self) -> dict[str, Any]:
        """The part of `remake`'s result that counts images."""
        images, same = len(self._digests), sum(difference.same_bytes for difference in self._same)
        unlabelled = images - len(self._same) - len(self._differ)
        wrong = [
            f"{counted(len(names), 'image')} {what[len(names) > 1]} ({', '.join(sorted(names)[:MAX_NAMED])})"
            for names, what in (
                (
                    self._differ,
                    ("comes out otherwise than its labels say", "come out otherwise than their labels say"),
                ),
                (
                    self._damaged,
                    (
                        "is not what was taken; delete it and run this again",
                        "are not what was taken; delete them and run this again",
                    ),
                ),
            )
            if names
        ] + ([f"{counted(unlabelled, 'image')} without a label to compare with"] if unlabelled else [])
        return {
            "images": images,
            "made": sum(path.exists() for path in self._missing),
            "same_bytes": same,
            "within_tolerance": len(self._same) - same,
            "differ": sorted(self._differ),
            "damaged": sorted(self._damaged),
            "held": None if wrong else "digest" if same == images else "tolerance",
            "largest": {
                "box_px": self._largest("box_px"),
                "pose_mm": self._largest("pose_mm"),
                "thumbnail_greys": self._largest("greys"),
            },
        } | ({"error": "; ".join(wrong) + "."} if wrong else {})

    def _largest(self, what: str) -> float:
        return round(max((getattr(difference, what) for difference in self._same), default=0.0), 2)
