"""Plain data between the world, which moves things, and the camera, which sees them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class VectorPose:
    """Where a Vector is and how its parts stand. The origin is the front axle on the ground, x forward, y left, z up."""

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
    eye_rgb: tuple[float, float, float] | None = (
        None  # linear light, as a program has set it; None: the colour that the room's seed gave it
    )


@dataclass(frozen=True)
class CameraMotion:
    """How the viewer moves while the shutter is open."""

    forward_mmps: float = 0.0
    turn_radps: float = 0.0
    head_radps: float = 0.0


@dataclass(frozen=True)
class Exposure:
    """What a program has set by hand, in the place of the automatic exposure."""

    shutter_ms: float
    gain: float


@dataclass(frozen=True)
class TrueBox:
    """The visible extent of one Vector in one image, from the instance mask after lens and own treads."""

    vector: int  # index among the world's Vectors
    xyxy: tuple[float, float, float, float]
    visible_px: int


@dataclass(frozen=True)
class Shot:
    """One image as the robot would send it, with the truth about it."""

    jpeg: bytes
    boxes: tuple[TrueBox, ...]
    background: str | None = None  # the photograph behind it, where there is one


@dataclass(frozen=True)
class Obstacle:
    """A thing that stands in the way: its footprint is a rectangle (or, when `round`, a disc of radius half_x_mm)."""

    x_mm: float
    y_mm: float
    heading_rad: float
    half_x_mm: float
    half_y_mm: float
    height_mm: float
    kind: str  # the renderer's shape name
    round: bool = False
    look: tuple = field(default=(), hash=False)  # the renderer's material choice


@dataclass(frozen=True)
class Room:
    """A seeded room. The drivable ground is the rectangle |x| <= half_x_mm, |y| <= half_y_mm.

    On a `table` its edges are cliffs; on a `floor` they are walls.
    """

    seed: int
    surface: str  # "table" | "floor"
    half_x_mm: float
    half_y_mm: float
    obstacles: tuple[Obstacle, ...]
