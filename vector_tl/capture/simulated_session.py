"""Capturing the simulator's sessions: each image with its label and where every Vector stood."""

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.capture.photographer import CAMERA_FPS, CapturedImage, Photographer, SessionPlan, ground_truth
from vector_tl.capture.sessions import (
    describe,
    has_image,
    provenance,
    sweep,
    thumb_difference,
)
from vector_tl.data import dataset
from vector_tl.data.boxes import as_boxes, to_pixels
from vector_tl.data.coverage import Shot
from vector_tl.data.dataset import read_session, write_session
from vector_tl.data.images import decode_image
from vector_tl.data.yolo import format_label
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.robot.base import Robot

log = logging.getLogger(__name__)
TARGETS = 2  # Vectors beside the viewer, so that some images show two
# how far an image may differ when it is made again on another computer
SAME_BOX_PX, SAME_POSE_MM, SAME_HEADING_RAD, SAME_GREYS = 1.0, 0.5, 0.002, 2.0


def open_studio(
    camera: str, without: tuple[str, ...] = (), backgrounds: Path | None = None
) -> AbstractContextManager[Robot]:
    """A simulator of our own, in lockstep: its world waits for the camera."""
    from vector_tl.robot.open import open_robot  # brings the SDK

    return open_robot(
        "sim",
        lockstep=True,
        targets=TARGETS,
        camera=camera,
        camera_fps=CAMERA_FPS,
        without=without,
        backgrounds=backgrounds,
    )


@dataclass(frozen=True)
class Difference:
    """How an image that was made again differs from what its session and label say."""

    same_bytes: bool
    box_px: float
    pose_mm: float
    heading_rad: float
    greys: float

    @property
    def tolerable(self) -> bool:
        """Whether it is the same image, drawn by another machine."""
        same_place = self.pose_mm <= SAME_POSE_MM and self.heading_rad <= SAME_HEADING_RAD
        return same_place and self.box_px <= SAME_BOX_PX and self.greys < SAME_GREYS

    def __str__(self) -> str:
        return (
            f"boxes differ by {self.box_px:.1f} px, places by {self.pose_mm:.1f} mm, "
            f"thumbnails by {self.greys:.1f} grey levels"
        )


def take_session(
    folder: Path,
    plan: SessionPlan,
    robot: Robot,
    kept: Callable[[Shot, CapturedImage], None] = lambda shot, image: None,
    compared: Callable[[str, Difference], None] = lambda name, difference: None,
    strict: bool = True,
) -> None:
    """Capture a simulated session from its first image, and write what is not there yet.

    An image depends on those before it (the exposure lags behind), so images that are there are made again,
    too, and compared.

    Args:
        folder: of the dataset.
        plan: of the session.
        robot: a simulated one.
        kept: is called with each image that belongs to the dataset now.
        compared: is called with the name of each image that was there, and how it differs from what was known
            of it.
        strict: an image that differs too much is an error; otherwise it is left out.

    Raises:
        UserError: no image at all was possible in this room, or one differs from its label and session.
    """
    sweep(folder, plan.session)
    about = read_session(folder, plan.session)
    if about is None:
        about = provenance(robot) | {"source": "simulator"} | plan.facts()
        about |= {"whole": False, "seen": 0, "shots": []}
    known: dict[str, Shot] = {shot["name"]: shot for shot in about["shots"]}
    truth = ground_truth(robot)
    truth.world(plan.world)
    vectors = truth.truth()["vectors"]
    x_mm, y_mm, heading_rad = (vectors[0][key] for key in ("x_mm", "y_mm", "heading_rad"))
    photographer = Photographer(robot)
    shots: dict[str, Shot] = {}

    def write(whole: bool, lines: dict[str, Shot]) -> None:
        if not about["whole"]:
            facts = {
                "whole": whole,
                "seen": photographer.seen,
                "shots": [lines[key] for key in sorted(lines)],
            }
            write_session(folder, plan.session, about | facts)

    for number in range(plan.images):
        name = f"{plan.session}-{number:03d}"
        image = photographer.take(plan, number, (x_mm, y_mm, heading_rad), targets=len(vectors) - 1)
        anew = f"move session {plan.session} away to have it captured again"
        if image is None:
            if name in known:
                raise UserError(f"Image {name} cannot be made again as it was; {anew}.")
            log.warning("%s is left out: no arrangement is possible in room %d", name, plan.world)
            continue
        pixels = decode_image(image.frame.jpeg, f"image {name}")
        shot = {"name": name} | describe(image.frame, pixels) | whereabouts(image)
        path = dataset.label_path(folder, plan.session, name)
        label = dataset.read_labels(path)
        if name in known and label is not None:
            difference = compare(known[name], label, shot)
            compared(name, difference)
            if not difference.tolerable:
                if strict:
                    raise UserError(
                        f"{path} differs from what the simulator now shows ({difference}); {anew}."
                    )
                continue
            shot = known[name]
        shots[name] = shot
        write(False, known | shots)
        write_image(folder, plan.session, name, image, labelled=label is not None)
        kept(shot, image)
    if not shots:
        raise UserError(f"Room {plan.world} has no place for a single image; choose another --seed.")
    write(True, shots)


def write_image(folder: Path, session: str, name: str, image: CapturedImage, labelled: bool) -> None:
    """Write an image and then its label.

    A labelled image is left as it is; one without its label was not finished and is written again.
    """
    if not labelled or not has_image(folder, session, name):
        write_atomic(dataset.image_path(folder, session, name), image.frame.jpeg)
    if not labelled:
        write_atomic(dataset.label_path(folder, session, name), format_label(image.boxes_xyxy, image.size_wh))


def compare(known: Shot, label: np.ndarray, shot: Shot) -> Difference:
    """How an image made now differs from its line in the session's file and its label (N, 4), in 0..1."""
    now, then = as_boxes(shot["xyxy"]), to_pixels(label, shot["size_wh"])
    box_px = float(np.abs(then - now).max(initial=0)) if then.shape == now.shape else math.inf
    pose_mm = heading_rad = math.inf
    if len(known["poses"]) == len(shot["poses"]):
        poses = np.array(known["poses"], float) - np.array(shot["poses"], float)  # (V, 3): x, y, heading
        pose_mm = float(np.abs(poses[:, :2]).max())
        heading_rad = float(np.abs((poses[:, 2] + math.pi) % math.tau - math.pi).max())
    same = known["sha256"] == shot["sha256"]
    greys = 0.0 if same else thumb_difference(known["thumb"], shot["thumb"])
    return Difference(same, box_px, pose_mm, heading_rad, greys)


def whereabouts(image: CapturedImage) -> Shot:
    """Boxes, poses, and distance, bearing and facing of the Vector in view, or of the nearest one.

    `facing_deg` is 0 when it faces the camera, 180 when its back is seen, positive when its right side is.
    """
    viewer, *others = image.truth["vectors"]
    in_view = {box["vector"] for box in image.truth["boxes"]}
    near = min(
        (other for other in others if not in_view or other["vector"] in in_view),
        key=lambda other: math.dist((other["x_mm"], other["y_mm"]), (viewer["x_mm"], viewer["y_mm"])),
    )
    east, north = near["x_mm"] - viewer["x_mm"], near["y_mm"] - viewer["y_mm"]
    direction = math.atan2(north, east)
    shot: Shot = {
        "xyxy": [[round(float(v), 1) for v in box] for box in image.boxes_xyxy],
        "distance_mm": round(math.hypot(east, north), 1),
        "bearing_deg": _degrees(direction - viewer["heading_rad"]),
        "facing_deg": _degrees(near["heading_rad"] - direction - math.pi),
    }
    if image.truth.get("background"):
        shot["background"] = image.truth["background"]
    poses = ((v["x_mm"], v["y_mm"], v["heading_rad"]) for v in image.truth["vectors"])
    return shot | {"poses": [[round(x, 1), round(y, 1), round(heading, 4)] for x, y, heading in poses]}


def _degrees(angle_rad: float) -> float:
    return round(math.degrees(math.remainder(angle_rad, math.tau)), 2)
