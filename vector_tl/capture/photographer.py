"""Sessions in the simulator: Vectors are put somewhere, the camera takes an image, ground truth labels it."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from vector_tl.capture.arrange import Arrangement, Pose, arrange, draw_distance_mm, is_negative, spread
from vector_tl.capture.sessions import Session, has_image
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.boxes import share_inside, sides
from vector_tl.data.dataset import read_session
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, GroundTruth, Robot
from vector_tl.robot.simulator import SimulatorGone

Truth = dict[str, Any]  # an answer of the simulator's truth channel

ARRANGEMENTS = 150  # tried for one image at most; most impossible ones are refused without taking a frame
SAME_DISTANCE = 30  # tried before another distance is drawn: else the rooms' walls would leave near ones only
FIRST_DISTANCE = 90  # tried with the first distance, which is spread evenly: far ones are refused most often
MIN_SIDE_PX, MIN_VISIBLE_PX = 16, 150  # an image that shows less of a Vector is neither with nor without one
# likewise if more of a box lies in another: a Vector seen through the gaps of the nearer one
MAX_INSIDE = 0.5
CAMERA_FPS = 5.0  # each frame has to be rendered; and head and exposure control get more time between frames
SETTLE_FRAMES = 3  # 1 to so many frames pass before an image is taken: the exposure control lags behind
MAX_SETTLE_FRAMES = 8  # while head and lift are moving
HEAD_REACHED_RAD, LIFT_REACHED_MM = math.radians(1.5), 3.0


@dataclass(frozen=True)
class CapturedImage:
    """An image with its ground-truth boxes, and where every Vector was."""

    frame: Frame
    boxes_xyxy: np.ndarray  # float32 (N, 4) pixels
    size_wh: tuple[int, int]
    truth: Truth


# a plan's fields and the keys of a session's file
PLAN_KEYS = {
    "seed": "seed",
    "world": "world",
    "first": "first",
    "images": "planned",
    "negatives": "negatives",
    "moving": "moving",
    "camera": "camera",
}


@dataclass(frozen=True)
class SessionPlan:
    """A session to be captured, or to be finished: everything that its images depend on."""

    session: str
    seed: int
    world: int
    images: int
    first: int  # how many images of this seed come before it
    negatives: float
    moving: float
    camera: str
    without: tuple[str, ...] = ()
    backgrounds: str | None = None  # name of the folder of photographs

    @classmethod
    def of(cls, session: str, about: Session) -> Self:
        """The plan of a session that was begun."""
        facts = {name: about[key] for name, key in PLAN_KEYS.items()}
        return cls(
            session, **facts, without=tuple(about.get("without", ())), backgrounds=about.get("backgrounds")
        )

    def facts(self) -> Session:
        """What the session's file says of the plan."""
        facts: Session = {key: getattr(self, name) for name, key in PLAN_KEYS.items()}
        facts |= {"without": list(self.without)} if self.without else {}
        return facts | ({"backgrounds": self.backgrounds} if self.backgrounds else {})


def next_plan(settings: CaptureSettings) -> tuple[SessionPlan | None, list[Session]]:
    """The first session of this seed that is not whole (None when `count` is reached), and the whole ones.

    A session is whole once its file says so and every image of it is there (a clone of a repository has
    labels alone).
    """
    folder = settings.backgrounds
    photographs = None if folder is None else re.sub(r"[^\w-]+", "-", folder.resolve().name)
    kind = "-no-".join([f"room-{photographs}" if photographs else "sim", *settings.without])
    whole: list[Session] = []
    while (
        about := read_session(settings.data, session := f"{kind}-{settings.seed}-{len(whole):03d}")
    ) is not None:
        names = [shot["name"] for shot in about["shots"]]
        if not about["whole"] or not all(_is_finished(settings.data, session, name) for name in names):
            return SessionPlan.of(session, about), whole
        whole.append(about)
    kept = sum(len(about["shots"]) for about in whole)
    left = settings.count - kept
    if left <= 0:
        return None, whole
    plan = SessionPlan(
        session,
        seed=settings.seed,
        world=settings.seed * 100_000 + len(whole),
        images=math.ceil(left / math.ceil(left / settings.images_per_session)),  # sessions of like size
        first=kept,
        negatives=1.0 if settings.negatives else settings.negative_share,
        moving=settings.moving,
        camera=settings.camera,
        without=settings.without,
        backgrounds=photographs,
    )
    return plan, whole


def _is_finished(folder: Path, session: str, name: str) -> bool:
    return has_image(folder, session, name) or not dataset.label_path(folder, session, name).exists()


class Photographer:
    """Takes the images of one session.

    What is drawn for an image depends only on the seed, the room and the image's number, so that it can be
    made again.
    """

    def __init__(self, robot: Robot):
        self.robot, self.truth = robot, ground_truth(robot)
        self.seen = 0
        self._last_id: int | None = None

    def take(self, plan: SessionPlan, number: int, start: Pose, targets: int) -> CapturedImage | None:
        """Image `number` of a session; None when no arrangement was possible in this room.

        Args:
            plan: of the session.
            number: of the image, from 0.
            start: a place for the viewer that is known to be free.
            targets: how many Vectors there are beside the viewer.
        """
        rng = np.random.default_rng([plan.seed, plan.world, number])
        negative = is_negative(plan.first + number, plan.negatives)
        moving = rng.random() < plan.moving
        distance_mm = draw_distance_mm(spread(plan.first + number))
        for attempt in range(ARRANGEMENTS):
            if attempt >= FIRST_DISTANCE and attempt % SAME_DISTANCE == 0:
                distance_mm = draw_distance_mm(rng.random())
            wanted = arrange(rng, start, targets, distance_mm, negative, moving)
            if not self._place(wanted):
                continue
            frame = self._frame(wanted, settle=int(rng.integers(1, SETTLE_FRAMES + 1)), moving=moving)
            if self.robot.state().picked_up:  # over the table's edge
                continue
            truth = self.truth.truth(frame.image_id)
            boxes = clear_boxes(truth["boxes"])
            if boxes is not None and (len(boxes) == 0) == negative:
                return CapturedImage(frame, boxes, tuple(truth["size_wh"]), truth)
        return None

    def _place(self, wanted: Arrangement) -> bool:
        places = [
            {"vector": i, "x_mm": x, "y_mm": y, "heading_rad": heading}
            for i, (x, y, heading) in enumerate(wanted.poses)
        ]
        try:
            self.truth.place(places)
        except SimulatorGone:
            raise
        except UserError:  # something stands there, or the ground ends before
            return False
        return True

    def _frame(self, wanted: Arrangement, settle: int, moving: bool) -> Frame:
        """The frame once head and lift are in place, after `settle` frames at least; or one while driving."""
        robot = self.robot
        robot.set_head(wanted.head_rad)
        robot.set_lift(wanted.lift_mm)
        for count in range(1, MAX_SETTLE_FRAMES + 1):
            frame = self._next_frame()
            state = robot.state()
            arrived = (
                abs(state.head_angle_rad - wanted.head_rad) < HEAD_REACHED_RAD
                and abs(state.lift_height_mm - wanted.lift_mm) < LIFT_REACHED_MM
            )
            if arrived and count >= settle:
                break
        if moving:
            robot.drive(*wanted.wheels_mmps)
            frame = self._next_frame()
            robot.stop()
        return frame

    def _next_frame(self) -> Frame:
        frame = self.robot.next_frame(self._last_id, timeout_s=5.0)
        self._last_id = frame.image_id
        self.seen += 1
        return frame


def ground_truth(robot: Robot) -> GroundTruth:
    """The ground truth of a simulated robot.

    Raises:
        UserError: it is a real robot.
    """
    truth = robot.ground_truth()
    if truth is None:
        raise UserError(f"Robot {robot.serial} is not simulated: nobody knows where the Vectors are.")
    return truth


def clear_boxes(boxes: list[Truth]) -> np.ndarray | None:
    """The boxes (N, 4) of an image; None if one shows too little to count as a Vector or as none."""
    xyxy = np.array([box["xyxy"] for box in boxes], np.float32).reshape(-1, 4)
    if (sides(xyxy) < MIN_SIDE_PX).any() or any(box["visible_px"] < MIN_VISIBLE_PX for box in boxes):
        return None
    inside = share_inside(xyxy, xyxy)  # (N, N)
    np.fill_diagonal(inside, 0)
    return None if (inside > MAX_INSIDE).any() else xyxy
