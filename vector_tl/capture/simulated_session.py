"""Takes a simulated session: each image with its label and where everybody stood; the same on a clone."""

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.capture.ground_truth import LabelledImage, facts_of, truth_of
from vector_tl.capture.photographer import Photographer
from vector_tl.capture.plan import SessionPlan
from vector_tl.capture.sessions import describe, has_image, new_session, sweep, thumb_difference
from vector_tl.capture.tags import tags_of
from vector_tl.data import dataset
from vector_tl.data.boxes import as_boxes, to_pixels
from vector_tl.data.coverage import Shot
from vector_tl.data.dataset import read_session, write_label, write_session
from vector_tl.data.images import decode_image
from vector_tl.data.kinds import add_kinds
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.robot.base import Robot
from vector_tl.robot.body import TICK_MS

log = logging.getLogger(__name__)
TARGETS = 2  # Vectors beside the viewer, so that some images show two
TARGETS_OF_KINDS = 3  # so that three may touch
# A slow camera gives head and exposure control more time between frames, and each frame has to be rendered.
# In whole ticks of the robot, so that all frames are equally far apart: what an image shows of a robot that
# moves does not depend on when it began.
CAMERA_FPS = 1000 / (4 * TICK_MS)
# How far an image may be off when it is taken again.
SAME_BOX_PX, SAME_POSE_MM, SAME_HEADING_RAD, SAME_GREYS = 1.0, 0.5, 0.002, 2.0


def open_simulated_robot(
    camera: str,
    without: tuple[str, ...] = (),
    backgrounds: Path | None = None,
    of_kinds: bool = False,
) -> AbstractContextManager[Robot]:
    """A robot in a simulator of its own, whose world waits for the camera; `of_kinds`: in harder rooms."""
    from vector_tl.robot.open import open_robot  # brings the SDK, which takes seconds

    return open_robot(
        "sim",
        lockstep=True,
        targets=TARGETS_OF_KINDS if of_kinds else TARGETS,
        camera=camera,
        camera_fps=CAMERA_FPS,
        without=without,
        backgrounds=backgrounds,
    )


@dataclass(frozen=True)
class Difference:
    """How an image that was taken again differs from what its session and label say."""

    same_bytes: bool
    box_px: float
    pose_mm: float
    heading_rad: float
    greys: float

    @property
    def tolerable(self) -> bool:
        """Whether it is the same image, drawn by another machine."""
        return (
            self.box_px <= SAME_BOX_PX
            and self.pose_mm <= SAME_POSE_MM
            and self.heading_rad <= SAME_HEADING_RAD
            and self.greys < SAME_GREYS
        )

    def __str__(self) -> str:
        return (
            f"boxes differ by {self.box_px:.1f} px, places by {self.pose_mm:.1f} mm, thumbnails by "
            f"{self.greys:.1f} grey levels"
        )


def take_session(
    folder: Path,
    plan: SessionPlan,
    robot: Robot,
    report: Callable[[str, LabelledImage, Difference | None], None] = lambda name, image, difference: None,
    strict: bool = True,
    masks: bool = False,
) -> None:
    """Take a simulated session from its first image on, and write what is not there yet.

    An image depends on those before it (exposure lags behind), so also those that are there are taken, and
    compared.

    Args:
        folder: of the dataset.
        plan: the session.
        robot: a simulated one.
        report: called with each image's name, the image, and how it differs from what was known of it, if
            anything.
        strict: an image that differs too much is an error; else it is reported and not written.
        masks: whether the images' instance masks are written as well.

    Raises:
        UserError: not one image worked out in a room without kinds, or one differs from what its label and
            session say.
    """
    sweep(folder, plan.session)
    about = read_session(folder, plan.session) or new_session(robot, "simulator", plan.facts())
    known = {shot["name"]: shot for shot in about["shots"]}
    photographer = Photographer(robot, plan)
    shots: dict[str, Shot] = {}
    tags: dict[tuple[str, str], list[str]] = {}
    remedy = f"move session {plan.session} away to have it captured again."

    def write(shots: dict[str, Shot], whole: bool) -> None:
        if not about["whole"]:
            lines = [shots[name] for name in sorted(shots)]
            facts = {"whole": whole, "seen": photographer.seen, "shots": lines}
            write_session(folder, plan.session, about | facts)

    for number in range(plan.images):
        name = f"{plan.session}-{number:03d}"
        image = photographer.take_image(number, known.get(name, {}).get("attempts", ()))
        if image is None:
            if name in known:
                raise UserError(f"Image {name} cannot be taken again as it was; {remedy}")
            log.warning("%s is left out: no arrangement works out in room %d", name, plan.world)
            continue
        shot = {"name": name} | describe(image.frame, decode_image(image.frame.jpeg, name)) | facts_of(image)
        label_path = dataset.label_path(folder, plan.session, name)
        label = dataset.read_labels(label_path)
        difference = compare(known[name], label, shot) if name in known and label is not None else None
        if difference is None or difference.tolerable:
            shots[name] = shot if difference is None else known[name]
            if plan.kinds:
                tags[plan.session, name] = tags_of(plan.kinds, image.truth, float(shot["brightness"]))
            write(known | shots, whole=False)
            write_files(folder, plan.session, name, image, labelled=label is not None)
            if masks:
                mask = truth_of(robot).mask(image.frame.image_id, robot.serial)
                write_atomic(dataset.mask_path(folder, plan.session, name), mask)
        elif strict:
            raise UserError(
                f"{label_path} differs from what the simulator now shows ({difference}); {remedy}"
            )
        report(name, image, difference)
    if strict and not shots and not plan.kinds:  # of harder rooms some are too full: the next one then
        raise UserError(f"Room {plan.world} leaves no place for a single image; choose another --seed.")
    if plan.kinds:
        add_kinds(folder, tags)
    write(shots, whole=True)


def write_files(folder: Path, session: str, name: str, image: LabelledImage, labelled: bool) -> None:
    """Write an image and then its label.

    A labelled image is left as it is; one without its label was not finished and is written anew.
    """
    if not labelled or not has_image(folder, session, name):
        write_atomic(dataset.image_path(folder, session, name), image.frame.jpeg)
    if not labelled:
        write_label(folder, session, name, image.boxes_xyxy, image.size_wh)


def compare(known: Shot, label: np.ndarray, shot: Shot) -> Difference:
    """How an image taken now differs from what is known of it.

    Args:
        known: its line in the session's file.
        label: its boxes (N, 4), xyxy in 0..1.
        shot: what its line would be now.
    """
    now, then = as_boxes(shot["xyxy"]), to_pixels(label, shot["size_wh"])
    box_px = float(np.abs(then - now).max(initial=0)) if then.shape == now.shape else math.inf
    pose_mm = heading_rad = math.inf
    if len(known["poses"]) == len(shot["poses"]):
        moved = np.array(known["poses"], np.float64) - np.array(shot["poses"], np.float64)  # (Vectors, 3)
        pose_mm = float(np.abs(moved[:, :2]).max())
        heading_rad = float(np.abs((moved[:, 2] + math.pi) % math.tau - math.pi).max())
    same = known["sha256"] == shot["sha256"]
    greys = 0.0 if same else thumb_difference(known["thumb"], shot["thumb"])
    return Difference(same, box_px, pose_mm, heading_rad, greys)
