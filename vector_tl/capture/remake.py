"""`vector-tl capture --remake`: make the images of all simulated sessions again, and say how well they agree with what is tracked of them."""

import hashlib
import logging
import time
from collections import Counter

from vector_tl.capture.photographer import Image, SessionPlan
from vector_tl.capture.sessions import only_capture, read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated_session import Difference, open_studio, take_session
from vector_tl.capture.terminal import progress
from vector_tl.data import dataset
from vector_tl.errors import UserError

log = logging.getLogger(__name__)
NAMED = 5  # so many images are named in an error


def remake(settings: CaptureSettings) -> dict:
    """Take every simulated session again, but for those in front of photographs: images that are missing are written, those there are left alone.

    Returns:
        {"sessions", "images", "made", "same_bytes", "within_tolerance", "differ", "damaged", "held", "largest", "seconds"}: `held` is "digest" when
        every image came out byte for byte, "tolerance" when the same poses came out, boxes within 1 px and thumbnails within 2 grey levels,
        null (and "error") when one did not, or when the file of one is neither what was taken then nor what is taken now.

    Raises:
        UserError: there are no simulated sessions, or the simulator does not run.
    """
    started_s = time.monotonic()
    folder = settings.data
    simulated = {
        name: about
        for name, about in read_all(folder).items()
        if about.get("source") == "simulator" and about["whole"]
    }
    sessions = {name: about for name, about in simulated.items() if not about.get("backgrounds")}
    if not sessions:
        raise UserError(
            f"{folder}/sessions names no simulated session that is whole; take some with vector-tl capture --data {folder}."
        )
    check = ImageComparison(sum(len(about["shots"]) for about in sessions.values()))
    with only_capture(folder), progress(check.images, 0) as advance:
        looks = {name: (about["camera"], tuple(about.get("without", ()))) for name, about in sessions.items()}
        for look in sorted(set(looks.values())):
            with open_studio(*look) as robot:
                for name, about in sessions.items():
                    if looks[name] == look:
                        digests = {shot["name"]: shot["sha256"] for shot in about["shots"]}
                        had = {shot for shot in digests if dataset.image_path(folder, name, shot).exists()}
                        check.made += len(digests) - len(had)

                        def kept(shot: dict, image: Image, name=name) -> None:
                            advance()
                            check.file(
                                shot,
                                dataset.image_path(folder, name, shot["name"]).read_bytes(),
                                image.frame.jpeg,
                            )

                        take_session(
                            folder,
                            SessionPlan.of(name, about),
                            robot,
                            robot.ground_truth(),
                            kept,
                            check.compared,
                            strict=False,
                        )
    return {"sessions": len(sessions)} | check.result() | {"seconds": round(time.monotonic() - started_s, 1)}


class ImageComparison:
    """Counts how images agree."""

    def __init__(self, images: int):
        self.images, self.made = images, 0
        self.ways = Counter()
        self.differ: list[str] = []
        self.damaged: list[str] = []
        self.box_px = self.pose_mm = self.greys = 0.0

    def compared(self, name: str, difference: Difference) -> None:
        """An image was taken again, and differs so from what is known of it."""
        if not difference.tolerable:
            self.differ.append(name)
            log.warning("%s: %s", name, difference)
            return
        self.ways["same_bytes" if difference.same_bytes else "within_tolerance"] += 1
        self.box_px, self.pose_mm = max(self.box_px, difference.box_px), max(self.pose_mm, difference.pose_mm)
        self.greys = max(self.greys, difference.greys)

    def file(self, shot: dict, there: bytes, now: bytes) -> None:
        """What is on disk must be the image of then, or the one of now."""
        if there != now and hashlib.sha256(there).hexdigest() != shot["sha256"]:
            self.damaged.append(shot["name"])

    def result(self) -> dict:
        """Counts, and the word for them."""
        same, near = self.ways["same_bytes"], self.ways["within_tolerance"]
        bad = self.differ + self.damaged
        held = None if bad or same + near < self.images else "tolerance" if near else "digest"
        result = {
            "images": self.images, "made": self.made - len(self.differ), "same_bytes": same, "within_tolerance": near, "differ": self.differ,
            "damaged": self.damaged, "held": held,
            "largest": {"box_px": round(self.box_px, 2), "pose_mm": round(self.pose_mm, 2), "thumbnail_greys": round(self.greys, 2)},
        }  # fmt: skip
        if held is None:
            missing = self.images - same - near - len(self.differ)
            said = [
                f"{len(names)} images {what} ({', '.join(names[:NAMED])})"
                for names, what in (
                    (self.differ, "come out otherwise than their labels say"),
                    (self.damaged, "are not what was taken; delete them and run this again"),
                )
                if names
            ]
            result["error"] = (
                "; ".join(said + ([f"{missing} images have no label to compare with"] if missing else []))
                + "."
            )
        return result
