"""What only a simulator knows or does: exact boxes and poses of an image, a hand that moves the robots."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from vector_tl.capture.arrange import Pose
from vector_tl.data.boxes import share_inside, sides
from vector_tl.data.coverage import Shot
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, GroundTruth, Robot

# An image that shows less than that of a Vector is neither one with it nor one without.
MIN_SIDE_PX, MIN_VISIBLE_PX = 16, 150
# Nor is one where this share of a box lies in another: a Vector seen through the gaps of the one before it.
MAX_INSIDE = 0.5
PUT_DOWN_MM = (300, 240, 180, 360)  # distances from the camera, tried one after another
NEXT_STATE_S = 0.3


@dataclass(frozen=True)
class LabelledImage:
    """A frame with its ground-truth boxes, and where everybody was."""

    frame: Frame
    boxes_xyxy: np.ndarray  # float32 (N, 4), pixels
    truth: dict[str, Any]  # see `GroundTruth.truth`
    attempts: tuple[int, ...] = ()  # the arrangements that were seen for it, by number; the last is its own

    @property
    def size_wh(self) -> tuple[int, int]:
        """Of the image, in pixels."""
        width, height = self.truth["size_wh"]
        return width, height


def label_image(frame: Frame, truth: dict[str, Any]) -> LabelledImage | None:
    """A frame with what `GroundTruth.truth` says of it; None when `clear_boxes` has no clear answer."""
    boxes = clear_boxes(truth["boxes"])
    return None if boxes is None else LabelledImage(frame, boxes, truth)


def all_boxes(boxes: list[dict[str, Any]]) -> np.ndarray:
    """The boxes, float32 (N, 4), of an image's ground truth."""
    return np.array([box["xyxy"] for box in boxes], np.float32).reshape(-1, 4)


def clear_boxes(boxes: list[dict[str, Any]]) -> np.ndarray | None:
    """The boxes, float32 (N, 4), of an image's ground truth.

    Returns:
        None when one of them shows too little to be called a Vector or no Vector.
    """
    xyxy = all_boxes(boxes)
    if (sides(xyxy) < MIN_SIDE_PX).any() or any(box["visible_px"] < MIN_VISIBLE_PX for box in boxes):
        return None
    inside = share_inside(xyxy, xyxy)  # (N, N)
    np.fill_diagonal(inside, 0)
    return None if (inside > MAX_INSIDE).any() else xyxy


def facts_of(image: LabelledImage) -> Shot:
    """Boxes, poses, and how the Vector stands that is in view, or the nearest one, for a session's file.

    `facing_deg` is 0 where it faces the camera, 180 where its back is seen, positive where its right side is.
    """
    viewer, *others = image.truth["vectors"]
    in_view = {box["vector"] for box in image.truth["boxes"]}
    near = min(
        (other for other in others if not in_view or other["vector"] in in_view),
        key=lambda other: math.dist(pose_of(other)[:2], pose_of(viewer)[:2]),
    )
    east, north = near["x_mm"] - viewer["x_mm"], near["y_mm"] - viewer["y_mm"]
    direction = math.atan2(north, east)
    bearing, facing = direction - viewer["heading_rad"], near["heading_rad"] - direction - math.pi
    return {
        "xyxy": rounded_boxes(image.boxes_xyxy),
        "distance_mm": round(math.hypot(east, north), 1),
        "bearing_deg": round(math.degrees(math.remainder(bearing, math.tau)), 2),
        "facing_deg": round(math.degrees(math.remainder(facing, math.tau)), 2),
        **({"attempts": list(image.attempts)} if image.attempts else {}),
        **({"background": image.truth["background"]} if image.truth.get("background") else {}),
        "poses": [
            [round(x_mm, 1), round(y_mm, 1), round(heading_rad, 4)]
            for x_mm, y_mm, heading_rad in map(pose_of, image.truth["vectors"])
        ],
    }


def rounded_boxes(boxes_xyxy: np.ndarray) -> list[list[float]]:
    """Boxes (N, 4) for a session's file."""
    return [[round(float(v), 1) for v in box] for box in boxes_xyxy]


def pose_of(vector: dict[str, Any]) -> Pose:
    """Where a Vector of the ground truth stands."""
    return vector["x_mm"], vector["y_mm"], vector["heading_rad"]


def truth_of(robot: Robot) -> GroundTruth:
    """A simulated robot's ground truth.

    Raises:
        UserError: the robot is a real one.
    """
    truth = robot.ground_truth()
    if truth is None:
        raise UserError(f"Robot {robot.serial} is not simulated; give --robot sim.")
    return truth


def put_down(robot: Robot, target: Robot) -> Pose:
    """Put the target before the camera, facing it, where there is place, as a person's hand would.

    Returns:
        Where the camera's robot then is in the frame of the target's wheels.
    """
    camera, there = _vectors(robot, target)
    x_mm, y_mm, heading_rad = pose_of(camera)
    for away_mm in PUT_DOWN_MM:
        place = {
            "vector": there["vector"],
            "x_mm": x_mm + away_mm * math.cos(heading_rad),
            "y_mm": y_mm + away_mm * math.sin(heading_rad),
            "heading_rad": heading_rad + math.pi,
        }
        try:
            truth_of(robot).place([place])
        except UserError:  # something stands there
            continue
        time.sleep(NEXT_STATE_S)  # its wheels' frame starts afresh, which the next state shows
        break
    camera, there = _vectors(robot, target)
    state = target.state()
    turn = state.heading_rad - there["heading_rad"]
    east, north = camera["x_mm"] - there["x_mm"], camera["y_mm"] - there["y_mm"]
    return (
        state.x_mm + east * math.cos(turn) - north * math.sin(turn),
        state.y_mm + east * math.sin(turn) + north * math.cos(turn),
        camera["heading_rad"] + turn,
    )


def _vectors(robot: Robot, target: Robot) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ground truth about both robots."""
    vectors = truth_of(robot).truth(serial=robot.serial)["vectors"]
    by_serial = {vector["serial"]: vector for vector in vectors}
    return by_serial[robot.serial], by_serial[target.serial]
