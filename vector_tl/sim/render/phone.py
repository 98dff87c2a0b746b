"""A phone in a person's hand: it takes the image instead of the Vector's own camera.

In rooms of the kinds `third-person` and `from-above` the viewing Vector is not drawn; where it stands and
where it looks say whom the phone films: the Vectors before it. Height, distance and focal length are drawn
from the room's seed and change smoothly with the viewer's place, so that each image has its own, and another
machine, where places differ in their last digits, nearly the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vector_tl.sim.world.scene import Room, VectorPose

PHONE_KINDS = frozenset({"third-person", "from-above", "room"})
FOUR_TO_THREE = 0.5  # share of the phones, or of their owners, whose images are 4:3; the others' are 16:9
HEIGHT_MM = AWAY_MM = (300.0, 1500.0)  # above the ground and, level, from the Vectors it films
TILT_RAD = math.radians(22)  # of a phone held `from-above`, at most, from straight down
SWING_RAD = math.radians(70)  # how far round the Vectors it may stand from where the viewer does
ROLL_RAD = math.radians(7)
# In an image 640 wide: ultra-wide lenses see 85 degrees across, main ones 69; more is zoom, or cut out later.
FOCAL_PX = (350.0, 1700.0)
# Of the kind `room`, as a standing person sees it: height above ground, focal length, below the horizon.
ROOM_HEIGHT_MM, ROOM_FOCAL_PX, ROOM_DOWN_RAD = (500.0, 1500.0), (350.0, 560.0), (-0.1, 0.45)
FILLED = (0.3, 1.15)  # how much of the largest possible size the Vectors have
GROUP_MM, HALF_GROUP_RAD = 1300.0, math.radians(60)  # whom it films: as far from the viewer and its heading
NOBODY_MM = 350.0  # where it looks, ahead of the viewer, when nobody is there
VECTOR_RADIUS_MM, VECTOR_MIDDLE_MM = 55.0, 34.0
WALL_MM = {
    "floor": 60.0,
    "table": 250.0,
}  # beyond the ground's edge: before the nearest wall that a room draws
PERIOD_MM = 170.0  # the viewer's way from one extreme of a drawn quantity to the other


@dataclass(frozen=True)
class Sight:
    """A pinhole camera anywhere."""

    frame: np.ndarray  # its frame in the world (4, 4): x forward, y left, z up, mm
    focal_px: float  # in an image 640 wide


class Phone:
    """The phone of one room."""

    def __init__(self, room: Room):
        self._from_above, self._of_room = "from-above" in room.kinds, "room" in room.kinds
        self._half_lines = image_wh(room, (640, 360))[1] / 2
        margin_mm = WALL_MM[room.surface]
        self._reach_mm = np.array([room.half_x_mm + margin_mm, room.half_y_mm + margin_mm])
        rng = np.random.default_rng([room.seed, 9, 0])
        self._phases, self._rates = rng.uniform(0, 2, 8), rng.uniform(0.6, 1.6, 8) * rng.choice([-1, 1], 8)

    def sight(self, vectors: Sequence[VectorPose], viewer: int) -> Sight:
        """How it films the Vectors before `vectors[viewer]`."""
        here = vectors[viewer]
        aim, radius_mm = group(vectors, viewer)
        height, away, swing, filled, across, down, roll, lean = self._shares(here)
        if self._of_room:
            return self._over_the_room(here, height, swing, filled, down)
        bearing = here.heading_rad + (2 * swing - 1) * SWING_RAD
        height_mm, away_mm = between(HEIGHT_MM, height), between(AWAY_MM, away)
        if self._from_above:
            bearing, away_mm = here.heading_rad + math.tau * swing, height_mm * math.tan(lean * TILT_RAD)
        eye = aim - away_mm * np.array([math.cos(bearing), math.sin(bearing), 0.0])
        eye[:2] = eye[:2].clip(-self._reach_mm, self._reach_mm)
        eye[2] = height_mm
        distance_mm = float(np.linalg.norm(aim - eye))
        largest_px = (self._half_lines - 10) * distance_mm / radius_mm
        focal_px = float(np.clip(largest_px * between(FILLED, filled), *FOCAL_PX))
        half_px = focal_px * radius_mm / distance_mm
        # Anywhere in the image where all of them fit.
        right_px, down_px = (
            (2 * share - 1) * max(half - half_px, 0.0)
            for share, half in ((across, 320), (down, self._half_lines))
        )
        up = np.array([0.03 * math.cos(bearing), 0.03 * math.sin(bearing), 1.0])
        frame = looking(eye, aim - eye, up)
        frame = looking(eye, frame[:3, :3] @ (1.0, right_px / focal_px, down_px / focal_px), frame[:3, 2])
        return Sight(frame @ rolled_by((2 * roll - 1) * ROLL_RAD), focal_px)

    def _over_the_room(
        self, here: VectorPose, height: float, swing: float, zoom: float, down: float
    ) -> Sight:
        """How it films the room across the ground, from behind the viewer's place."""
        bearing = here.heading_rad + (2 * swing - 1) * math.pi
        low, high = ROOM_DOWN_RAD
        forward = np.array([math.cos(bearing), math.sin(bearing), -math.tan(low + down * (high - low))])
        behind = np.array([here.x_mm, here.y_mm]) - AWAY_MM[1] * forward[:2]
        eye = np.array([*behind.clip(-self._reach_mm, self._reach_mm), between(ROOM_HEIGHT_MM, height)])
        return Sight(looking(eye, forward, np.array([0.0, 0.0, 1.0])), between(ROOM_FOCAL_PX, zoom))

    def _shares(self, here: VectorPose) -> list[float]:
        """Eight numbers in 0..1 that change with the place, each at its own rate: triangle waves."""
        way = (here.x_mm + 1.3 * here.y_mm) / PERIOD_MM
        return [float(share) for share in np.abs((self._phases + way * self._rates) % 2 - 1)]


def image_wh(room: Room, own_wh: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a room's images: those of a Vector's camera, `own_wh`, or as wide from a phone."""
    if not PHONE_KINDS.intersection(room.kinds):
        return own_wh
    tall = np.random.default_rng([room.seed, 9, 3]).random() < FOUR_TO_THREE
    return own_wh[0], own_wh[0] * 3 // 4 if tall else own_wh[0] * 9 // 16


def group(vectors: Sequence[VectorPose], viewer: int) -> tuple[np.ndarray, float]:
    """The middle (3,) and the radius (mm) of the Vectors before `vectors[viewer]`; of a place, if none is."""
    here = vectors[viewer]
    places = []
    for number, pose in enumerate(vectors):
        east, north = pose.x_mm - here.x_mm, pose.y_mm - here.y_mm
        aside = math.remainder(math.atan2(north, east) - here.heading_rad, math.tau)
        if number != viewer and math.hypot(east, north) < GROUP_MM and abs(aside) < HALF_GROUP_RAD:
            places.append((pose.x_mm, pose.y_mm, pose.z_mm + VECTOR_MIDDLE_MM))
    if not places:
        ahead = NOBODY_MM * np.array([math.cos(here.heading_rad), math.sin(here.heading_rad)])
        return np.array([here.x_mm + ahead[0], here.y_mm + ahead[1], VECTOR_MIDDLE_MM]), 2 * VECTOR_RADIUS_MM
    middle = (np.min(places, axis=0) + np.max(places, axis=0)) / 2
    apart_mm = max(float(np.linalg.norm(np.array(place) - middle)) for place in places)
    return middle, apart_mm + VECTOR_RADIUS_MM


def between(low_high: tuple[float, float], share: float) -> float:
    """The value that lies at `share` (0 to 1) of the way, in the logarithm."""
    low, high = np.log(low_high)
    return math.exp(low + share * (high - low))


def looking(eye: np.ndarray, forward: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The frame (4, 4) of a camera at `eye` (3,) that looks along `forward` (3,), `up` (3,) upwards."""
    x = forward / np.linalg.norm(forward)
    y = np.cross(up, x)
    y /= np.linalg.norm(y)
    frame = np.eye(4)
    frame[:3, :3] = np.column_stack([x, y, np.cross(x, y)])
    frame[:3, 3] = eye
    return frame


def rolled_by(angle_rad: float) -> np.ndarray:
    """A rotation (4, 4) about the viewing axis x."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])
