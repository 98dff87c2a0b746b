"""Plain data between the world, which moves things, and the camera, which sees them.

Lengths in mm, angles in radians, left and up positive.
"""

from dataclasses import dataclass, field

import numpy as np

Pose = tuple[float, float, float]  # x (mm), y (mm), heading (rad) on the ground
Rgb = tuple[float, float, float]  # linear light


@dataclass(frozen=True)
class VectorPose:
    """Where a Vector is and how its parts stand.

    The origin is the front axle on the ground, x forward, y left, z up.
    """

    x_mm: float
    y_mm: float
    heading_rad: float
    z_mm: float = 0.0
    pitch_rad: float = 0.0
    head_angle_rad: float = 0.0
    lift_height_mm: float = 32.0
    left_tread_mm: float = 0.0  # how far each tread has run: moves its ribs
    right_tread_mm: float = 0.0
    eyes_open: float = 1.0  # 0 shut, 1 open, above: wide
    eye_rgb: Rgb | None = None  # as a program has set it; None: the colour that the room's seed gave it
    roll_rad: float = 0.0  # left side up


@dataclass(frozen=True)
class CameraMotion:
    """How the viewer moves while the shutter is open."""

    forward_mmps: float = 0.0
    turn_radps: float = 0.0
    head_radps: float = 0.0


@dataclass(frozen=True)
class Exposure:
    """What a program has set by hand, instead of the automatic exposure."""

    shutter_ms: float
    gain: float


@dataclass(frozen=True)
class Moment:
    """What a camera takes an image of: everybody in its room, and how the camera itself is used."""

    vectors: tuple[VectorPose, ...]
    viewer: int = 0  # index of the Vector whose camera takes the image
    motion: CameraMotion = CameraMotion()
    dt_s: float = 1 / 15  # since this viewer's last image
    exposure: Exposure | None = None  # None: automatic


@dataclass(frozen=True)
class VisibleBox:
    """Ground truth: what of one Vector an image shows, after the lens and behind the viewer's own treads."""

    vector: int  # index among the world's Vectors
    xyxy: tuple[float, float, float, float]  # pixels, x2 and y2 exclusive
    visible_px: int


@dataclass(frozen=True)
class SeenThing:
    """A thing of a room with kinds that an image shows."""

    kind: str  # one of `clutter.SIZES`, or "cube-in-hand"
    visible_px: int


@dataclass(frozen=True)
class SeenVector:
    """How an image of a room with kinds shows one Vector.

    Attributes:
        vector: its index among the world's Vectors.
        hidden: share of it that things before it hide, 0 to 1; other Vectors and the viewer's body hide none.
        facing_deg: 0 where it faces the camera, 180 where its back is seen.
        screen: the light of its screen, 1 as usual, 0 off; None where the screen is not seen.
    """

    vector: int
    hidden: float
    facing_deg: float
    screen: float | None


@dataclass(frozen=True)
class Seen:
    """What an image of a room with kinds shows beside its boxes.

    Attributes:
        things: those of the room's kinds of which at least a pixel is visible.
        vectors: those that have a box.
        touching: whether two Vectors touch or overlap in the image.
        own_body_px: pixels of the viewer's own lift and treads.
        down_deg: how far below the horizon the camera looks.
        blur_px: standard deviation of the blur by motion and defocus, in an image 640 wide.
    """

    things: tuple[SeenThing, ...]
    vectors: tuple[SeenVector, ...]
    touching: bool
    own_body_px: int
    down_deg: float
    blur_px: float


@dataclass(frozen=True)
class Shot:
    """One image as the robot would send it, with its ground truth."""

    jpeg: bytes
    boxes: tuple[VisibleBox, ...]
    background: str | None = None  # name of the photograph behind it, where there is one
    # (H, W): n + 1 where Vector number n is seen
    ids: np.ndarray | None = field(default=None, compare=False, repr=False)
    seen: Seen | None = None  # in rooms with kinds


@dataclass(frozen=True)
class Obstacle:
    """A thing in the way. Its footprint is a rectangle or, when `round`, a disc of radius `half_x_mm`."""

    x_mm: float
    y_mm: float
    heading_rad: float
    half_x_mm: float
    half_y_mm: float
    height_mm: float
    kind: str  # what the renderer draws, one of `room.KINDS`
    round: bool = False


@dataclass(frozen=True)
class Room:
    """A seeded room. The ground to drive on is the rectangle |x| <= half_x_mm, |y| <= half_y_mm.

    On a `table` its edges are cliffs; on a `floor` they are walls. `kinds` are what makes it harder to see
    Vectors in it, of `data.kinds.KNOWN_KINDS`; `loose` are things that stop no robot.
    """

    seed: int
    surface: str  # "table" | "floor"
    half_x_mm: float
    half_y_mm: float
    obstacles: tuple[Obstacle, ...]
    kinds: tuple[str, ...] = ()
    loose: tuple[Obstacle, ...] = ()
