"""Sessions in the simulator: a hand puts the Vectors somewhere, the robot's camera takes the image, the truth channel labels it."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.capture.arrange import Arrangement, Pose, arrange, draw_distance_mm, is_negative, spread
from vector_tl.capture.sessions import has_image
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.boxes import share_inside, sides
from vector_tl.data.dataset import read_session
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, GroundTruth, Robot
from vector_tl.robot.simulator import SimulatorGone

ARRANGEMENTS = (
    150  # how many are tried for one image; most impossible ones are refused without taking a frame
)
SAME_DISTANCE = (
    30  # of them are tried before another distance is drawn: else the rooms' walls would leave near ones only
)
FIRST_DISTANCE = 90  # and so many for the first one, which is spread evenly over all images: far ones are refused most often
MIN_SIDE_PX, MIN_VISIBLE_PX = (
    16,
    150,
)  # an image that shows less than that of a Vector is neither one with it nor one without
MAX_INSIDE = 0.5  # nor is one where this share of a box lies in another: a Vector seen through the gaps of the one before it
CAMERA_FPS = 5.0  # a slow camera gives head and exposure control more time between frames, and each frame has to be rendered
SETTLE_FRAMES = 3  # 1 to so many, drawn for each image, until it is taken: the exposure control lags behind
MAX_SETTLE_FRAMES = 8  # while head and lift are on their way
HEAD_REACHED_RAD, LIFT_REACHED_MM = math.radians(1.5), 3.0


@dataclass(frozen=True)
class Image:
    """An image with its ground-truth boxes, and where everybody was."""

    frame: Frame
    boxes_xyxy: np.ndarray  # float32 (N, 4) pixels
    size_wh: tuple[int, int]
    truth: dict


@dataclass(frozen=True)
class SessionPlan:
    """A session to be taken, or to be finished: everything that its images depend on."""

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
    def of(cls, session: str, about: dict) -> "SessionPlan":
        """The plan that a session was taken by."""
        return cls(session, about["seed"], about["world"], about["planned"], about["first"], about["negatives"], about["moving"], about["camera"],
                   tuple(about.get("without", ())), about.get("backgrounds"))  # fmt: skip

    def facts(self) -> dict:
        """What the session's file says of it."""
        facts = {"seed": self.seed, "world": self.world, "first": self.first, "planned": self.images, "negatives": self.negatives,
                 "moving": self.moving, "camera": self.camera}  # fmt: skip
        return (
            facts
            | ({"without": list(self.without)} if self.without else {})
            | ({"backgrounds": self.backgrounds} if self.backgrounds else {})
        )


def next_plan(settings: CaptureSettings) -> tuple[SessionPlan | None, list[dict]]:
    """The first session of this seed that is not whole, None when `count` is reached, and the files of those that are.

    A session is whole once its file says so and every image of it is there (a clone of a repository has labels alone).
    """
    photographs = settings.backgrounds and re.sub(r"[^\w-]+", "-", settings.backgrounds.resolve().name)
    kind = "-no-".join([f"room-{photographs}" if photographs else "sim", *settings.without])
    whole: list[dict] = []
    kept = 0
    while True:
        session = f"{kind}-{settings.seed}-{len(whole):03d}"
        about = read_session(settings.data, session)
        if about is None:
            break
        if not about["whole"] or any(
            not _is_finished(settings.data, session, shot["name"]) for shot in about["shots"]
        ):
            return SessionPlan.of(session, about), whole
        whole.append(about)
        kept += len(about["shots"])
    if kept >= settings.count:
        return None, whole
    left = settings.count - kept
    images = math.ceil(
        left / math.ceil(left / settings.images_per_session)
    )  # sessions of about the same size
    world = settings.seed * 100_000 + len(whole)
    negatives = 1.0 if settings.negatives else settings.negative_share
    return SessionPlan(session, settings.seed, world, images, kept, negatives, settings.moving, settings.camera,
                settings.without, photographs), whole  # fmt: skip


def _is_finished(folder: Path, session: str, name: str) -> bool:
    return has_image(folder, session, name) or not dataset.label_path(folder, session, name).exists()


class Photographer:
    """Takes the images of one session. Each depends on nothing but the seed, the room and its number, so that any of them can be taken again."""

    def __init__(self, robot: Robot, truth: GroundTruth):
        self.robot, self.truth = robot, truth
        self.seen = 0
        self._last_id: int | None = None

    def take(self, plan: SessionPlan, number: int, start: Pose, targets: int) -> Image | None:
        """Image `number` of a session; None when no arrangement worked out in this room.

        Args:
            start: a place for the viewer that is known to be free.
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
                return Image(frame, boxes, tuple(truth["size_wh"]), truth)
        return None

    def _place(self, wanted: Arrangement) -> bool:
        try:
            self.truth.place(
                [
                    {"vector": i, "x_mm": x, "y_mm": y, "heading_rad": heading}
                    for i, (x, y, heading) in enumerate(wanted.poses)
                ]
            )
        except SimulatorGone:
            raise
        except UserError:  # something stands there, or the ground ends before
            return False
        return True

    def _frame(self, wanted: Arrangement, settle: int, moving: bool) -> Frame:
        """The frame once head and lift are where they should be, `settle` frames at the earliest; or the next one, `moving`."""
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


def clear_boxes(boxes: list[dict]) -> np.ndarray | None:
    """The boxes (N, 4) of an image's truth, None when one of them shows too little to be called a Vector or no Vector."""
    xyxy = np.array([box["xyxy"] for box in boxes], np.float32).reshape(-1, 4)
    if (sides(xyxy) < MIN_SIDE_PX).any() or any(box["visible_px"] < MIN_VISIBLE_PX for box in boxes):
        return None
    inside = share_inside(xyxy, xyxy)  # (N, N)
    np.fill_diagonal(inside, 0)
    return None if (inside > MAX_INSIDE).any() else xyxy
