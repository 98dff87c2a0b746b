"""Taking the sessions of the simulator: each image with its label and where everybody stood, and the same again on a clone."""

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.capture.photographer import CAMERA_FPS, Image, Photographer, SessionPlan
from vector_tl.capture.sessions import (
    describe,
    has_image,
    provenance,
    sweep,
    thumb_difference,
)
from vector_tl.data import dataset
from vector_tl.data.dataset import read_session, write_session
from vector_tl.data.images import decode_or_none
from vector_tl.data.yolo import format_label
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.robot.base import GroundTruth, Robot

log = logging.getLogger(__name__)
TARGETS = 2  # Vectors beside the viewer, so that some images show two
SAME_BOX_PX, SAME_POSE_MM, SAME_HEADING_RAD, SAME_GREYS = (
    1.0,
    0.5,
    0.002,
    2.0,
)  # how far an image may be off when it is taken again


def open_studio(
    camera: str, without: tuple[str, ...] = (), backgrounds: Path | None = None
) -> AbstractContextManager[Robot]:
    """A simulator of one's own, whose world waits for the camera."""
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
        return f"boxes differ by {self.box_px:.1f} px, places by {self.pose_mm:.1f} mm, thumbnails by {self.greys:.1f} grey levels"


def take_session(
    folder: Path, plan: SessionPlan, robot: Robot, truth: GroundTruth,
    kept: Callable[[dict, Image], None] = lambda shot, image: None, compared: Callable[[str, Difference], None] = lambda name, difference: None,
    strict: bool = True,
) -> None:  # fmt: skip
    """Take a simulated session from its first image on, and write what is not there yet.

    An image depends on those before it (exposure lags behind), so also those that are there are taken, and compared.

    Args:
        kept: hears of each image that belongs to the dataset from now on, or did before.
        compared: hears how an image differs from what was known of it.
        strict: one that differs too much is an error; else it is passed over.

    Raises:
        UserError: not one image worked out in this room, or one comes out otherwise than its label and session say.
    """
    sweep(folder, plan.session)
    before = read_session(folder, plan.session)
    about = before or provenance(robot) | {"source": "simulator"} | plan.facts() | {
        "whole": False,
        "seen": 0,
        "shots": [],
    }
    known = {shot["name"]: shot for shot in about["shots"]}
    truth.world(plan.world)
    vectors = truth.truth()["vectors"]
    start = tuple(vectors[0][key] for key in ("x_mm", "y_mm", "heading_rad"))
    photographer = Photographer(robot, truth)
    shots: dict[str, dict] = {}
    for number in range(plan.images):
        name = f"{plan.session}-{number:03d}"
        image = photographer.take(plan, number, start, targets=len(vectors) - 1)
        if image is None and name in known:
            raise UserError(
                f"Image {name} cannot be taken again as it was; move session {plan.session} away to have it taken anew."
            )
        if image is None:
            log.warning("%s is left out: no arrangement works out in room %d", name, plan.world)
            continue
        shot = {"name": name} | describe(image.frame, decode_or_none(image.frame.jpeg)) | whereabouts(image)
        label = dataset.read_labels(dataset.label_path(folder, plan.session, name))
        if name in known and label is not None:
            difference = compare(known[name], label, shot)
            compared(name, difference)
            if not difference.tolerable and not strict:
                continue
            if not difference.tolerable:
                raise UserError(
                    f"{dataset.label_path(folder, plan.session, name)} says something else than the simulator now shows ({difference}); "
                    f"move session {plan.session} away to have it taken anew."
                )
            shot = known[name]
        shots[name] = shot
        if not about["whole"]:
            merged = known | shots
            write_session(
                folder,
                plan.session,
                about | {"seen": photographer.seen, "shots": [merged[key] for key in sorted(merged)]},
            )
        keep(folder, plan.session, name, image, labelled=label is not None)
        kept(shot, image)
    if not shots:
        raise UserError(f"Room {plan.world} leaves no place for a single image; choose another --seed.")
    if not about["whole"]:
        write_session(
            folder,
            plan.session,
            about
            | {"whole": True, "seen": photographer.seen, "shots": [shots[key] for key in sorted(shots)]},
        )


def keep(folder: Path, session: str, name: str, image: Image, labelled: bool) -> None:
    """Write an image and then its label. A labelled image is left as it is; one without its label was not finished and is taken anew."""
    if not labelled or not has_image(folder, session, name):
        write_atomic(dataset.image_path(folder, session, name), image.frame.jpeg)
    if not labelled:
        write_atomic(dataset.label_path(folder, session, name), format_label(image.boxes_xyxy, image.size_wh))


def compare(known: dict, label: np.ndarray, shot: dict) -> Difference:
    """What is known of an image (its line in the session's file, and its label (N, 4) in 0..1) beside what was taken now."""
    now = np.array(shot["xyxy"], np.float64).reshape(-1, 4)
    then = label * np.array([*shot["size_wh"], *shot["size_wh"]])
    box_px = float(np.abs(then - now).max(initial=0)) if then.shape == now.shape else math.inf
    poses = (
        np.array(known["poses"], float) - np.array(shot["poses"], float)
        if len(known["poses"]) == len(shot["poses"])
        else np.full((1, 3), math.inf)
    )
    turn = (
        np.abs((poses[:, 2] + math.pi) % math.tau - math.pi).max() if np.isfinite(poses).all() else math.inf
    )
    same = known["sha256"] == shot["sha256"]
    greys = 0.0 if same else thumb_difference(known["thumb"], shot["thumb"])
    return Difference(same, box_px, float(np.abs(poses[:, :2]).max()), float(turn), greys)


def whereabouts(image: Image) -> dict:
    """Boxes, poses, and how the Vector stands that is in view, or the nearest one.

    `facing_deg` is 0 where it faces the camera, 180 where its back is seen, positive where its right side is.
    """
    viewer, *others = image.truth["vectors"]
    in_view = {box["vector"] for box in image.truth["boxes"]}
    near = min(
        (other for other in others if not in_view or other["vector"] in in_view),
        key=lambda other: math.dist((other["x_mm"], other["y_mm"]), (viewer["x_mm"], viewer["y_mm"])),
    )
    east, north = near["x_mm"] - viewer["x_mm"], near["y_mm"] - viewer["y_mm"]
    direction = math.atan2(north, east)
    return (
        {
            "xyxy": [[round(float(v), 1) for v in box] for box in image.boxes_xyxy],
            "distance_mm": round(math.hypot(east, north), 1),
            "bearing_deg": round(
                math.degrees(math.remainder(direction - viewer["heading_rad"], math.tau)), 2
            ),
            "facing_deg": round(
                math.degrees(math.remainder(near["heading_rad"] - direction - math.pi, math.tau)), 2
            ),
        }
        | ({"background": image.truth["background"]} if image.truth.get("background") else {})
        | {
            "poses": [
                [round(v["x_mm"], 1), round(v["y_mm"], 1), round(v["heading_rad"], 4)]
                for v in image.truth["vectors"]
            ],
        }
    )
