"""A small world for tests of the finder: an endless table, with Vectors as a few points each.

The finder stands behind the `Robot` protocol, and a detector gives exact or bad boxes.
"""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from vector_tl.find.geometry import Distortion, camera_position_mm
from vector_tl.robot.base import Frame, Intrinsics, NoFreshFrame, RobotState, Stop
from vector_tl.robot.body import RANGE_MAX_MM, TRACK_MM, driven

JPEG = cv2.imencode(".jpg", np.zeros((36, 64, 3), np.uint8))[1].tobytes()
STEP_S = 0.005
ROBOT = Intrinsics()
# The silhouette of a Vector: feet, tail, fork, head.
POINTS_MM = np.array(
    [(x, y, 0) for x in (-50, 15) for y in (-29, 29)]
    + [(x, y, 30) for x in (-58, 20) for y in (-29, 29)]
    + [(39, y, z) for y in (-15, 15) for z in (5, 30)]
    + [(x, y, 67.5) for x in (-25, 5) for y in (-20, 20)],
    float,
)


def box_of(finder_xyh, target_xyh, head_rad: float, intrinsics: Intrinsics = ROBOT) -> np.ndarray | None:
    """The box (4,) of a target in the finder's image, clipped; None when it is not in it."""
    x, y, heading = target_xyh
    c, s = math.cos(heading), math.sin(heading)
    world = np.stack(
        [
            x + c * POINTS_MM[:, 0] - s * POINTS_MM[:, 1],
            y + s * POINTS_MM[:, 0] + c * POINTS_MM[:, 1],
            POINTS_MM[:, 2],
        ],
        1,
    )
    x, y, heading = finder_xyh
    c, s = math.cos(heading), math.sin(heading)
    world[:, :2] -= (x, y)
    local = np.stack([c * world[:, 0] + s * world[:, 1], -s * world[:, 0] + c * world[:, 1], world[:, 2]], 1)
    lens_x, lens_z = camera_position_mm(head_rad)
    c, s = math.cos(head_rad), math.sin(head_rad)
    ahead, up = local[:, 0] - lens_x, local[:, 2] - lens_z
    depth, rise = c * ahead + s * up, -s * ahead + c * up
    if (depth < 5).any():
        return None
    pixels = Distortion().distort(np.stack([-local[:, 1] / depth, -rise / depth], 1), intrinsics)
    width, height = intrinsics.size_wh
    box = np.clip([*pixels.min(0), *pixels.max(0)], 0, [width, height, width, height])
    return box.astype(np.float32) if box[2] - box[0] >= 4 and box[3] - box[1] >= 4 else None


@dataclass
class SmallWorld:
    """The finder and its targets. Time moves only in `next_frame`, by one frame, as in lockstep."""

    finder: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # x, y, heading
    targets: list[list[float]] = field(default_factory=list)
    fps: float = 15.0
    camera_delay_s: float = 0.03
    command_delay_s: float = 0.03
    lease_s: float = 0.3
    walls: list[tuple[float, float, float]] = field(
        default_factory=list
    )  # discs for the range sensor: x, y, radius
    serial: str = "small"
    intrinsics: Intrinsics = ROBOT

    def __post_init__(self):
        self.t_s, self.head_rad, self.lift_mm, self.wheels = 0.0, 0.0, 32.0, (0.0, 0.0)
        self.stops: list[Stop] = []
        self.said: list[str] = []
        self.commands: list[tuple[float, float, float]] = []  # t, left, right
        self.picked_up = self.no_frames = False
        self.events = []  # (t_s, function of the world)
        self.path = [(0.0, *self.finder)]
        self._pending: list[tuple[float, float, float]] = []
        self._frame = 0
        self.shot = (tuple(self.finder), self.head_rad, [tuple(t) for t in self.targets])

    def now_s(self) -> float:
        return self.t_s

    def next_frame(self, after_id=None, timeout_s: float = 1.0) -> Frame:
        self._frame += 1
        self._advance(self._frame / self.fps)
        if self.no_frames:
            raise NoFreshFrame("no frame")
        exposed = self.t_s
        self.shot = (tuple(self.finder), self.head_rad, [tuple(t) for t in self.targets])
        self._advance(exposed + self.camera_delay_s)
        return Frame(self._frame, round(exposed * 1000), self.t_s, JPEG)

    def state(self) -> RobotState:
        x, y, heading = self.finder
        left, right = self.wheels
        return RobotState(
            self.t_s,
            x,
            y,
            math.remainder(heading, math.tau),
            self.head_rad,
            self.lift_mm,
            left,
            right,
            self._range(),
            picked_up=self.picked_up,
        )

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        if self.picked_up or self.no_frames:
            self._pending.append((self.t_s, 0.0, 0.0))
            return False
        self.commands.append((self.t_s, left_mmps, right_mmps))
        self._pending.append((self.t_s + self.command_delay_s, left_mmps, right_mmps))
        return True

    def stop(self) -> None:
        self.commands.append((self.t_s, 0.0, 0.0))
        self._pending = [(self.t_s, 0.0, 0.0)]

    def set_head(self, angle_rad: float) -> None:
        self.head_rad = angle_rad

    def set_lift(self, height_mm: float) -> None:
        self.lift_mm = height_mm

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        self.stop()

    def battery(self) -> None:
        return None

    def ground_truth(self) -> "SmallWorld":
        return self

    def truth(self, image_id: int | None = None, serial: str | None = None) -> dict:
        """See `GroundTruth.truth`."""
        x, y, heading = self.finder
        tx, ty, _ = min(self.targets, key=lambda t: math.dist(t[:2], (x, y)))
        bearing = math.remainder(math.atan2(ty - y, tx - x) - heading, math.tau)
        return {
            "distance_mm": math.dist((x, y), (tx, ty)),
            "bearing_deg": math.degrees(bearing),
            "collisions": 0,
            "falls": 0,
        }

    def _range(self) -> float | None:
        x, y, heading = self.finder
        discs = [*self.walls, *((t[0], t[1], 40.0) for t in self.targets)]
        nearest = math.inf
        for dx, dy, radius in discs:
            ahead = (dx - x) * math.cos(heading) + (dy - y) * math.sin(heading)
            aside = -(dx - x) * math.sin(heading) + (dy - y) * math.cos(heading)
            if ahead > 0 and abs(aside) < radius:
                nearest = min(nearest, ahead - math.sqrt(radius**2 - aside**2) - 20)
        return nearest if nearest < RANGE_MAX_MM else None

    def _advance(self, until_s: float) -> None:
        while self.t_s < until_s - 1e-9:
            self.t_s += STEP_S
            for event in [event for event in self.events if event[0] <= self.t_s]:
                self.events.remove(event)
                event[1](self)
            while self._pending and self._pending[0][0] <= self.t_s:
                self.wheels = self._pending.pop(0)[1:]
            if (
                not self.commands
                or self.t_s - self.commands[-1][0] > self.lease_s
                or self.no_frames
                or self.picked_up
            ):
                self.wheels = (0.0, 0.0)
            left, right = self.wheels
            way_mm, turn_rad = (left + right) / 2 * STEP_S, (right - left) / TRACK_MM * STEP_S
            self.finder[:] = driven(tuple(self.finder), way_mm, turn_rad)
            self.path.append((self.t_s, *self.finder))


@dataclass
class Boxes:
    boxes_xyxy: np.ndarray
    scores: np.ndarray


@dataclass
class SmallDetector:
    """Boxes of the world's last frame: exact, or with misses, noise (a share of the box) and false alarms.

    They are in pixels of the image that it is given, which may have another size than the robot reports.
    """

    world: SmallWorld
    miss: float = 0.0
    noise: float = 0.0
    false: float = 0.0
    blind: bool = False
    seed: int = 0
    score: float = 0.9
    threshold: float = 0.5
    name: str = "small"

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)

    def __call__(self, image_rgb: np.ndarray, threshold: float | None = None) -> Boxes:
        finder, head, targets = self.world.shot
        boxes = []
        for target in targets:
            box = box_of(finder, target, head)
            if box is None or self.blind or self.rng.random() < self.miss:
                continue
            size = (box[2:] - box[:2]).repeat(2)[[0, 2, 1, 3]]
            box = box + self.rng.normal(0, 1, 4) * self.noise * size
            boxes.append(np.clip(box, 0, [640, 360, 640, 360]))
        if self.rng.random() < self.false:
            x, y, size = self.rng.uniform(0, 600), self.rng.uniform(0, 300), self.rng.uniform(15, 60)
            boxes.append(np.array([x, y, x + size, y + size]))
        boxes_px = np.array(boxes, np.float32).reshape(-1, 4) * (image_rgb.shape[1] / ROBOT.size_wh[0])
        return Boxes(boxes_px, np.full(len(boxes), self.score, np.float32))
