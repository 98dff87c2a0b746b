"""Footprints on the ground: how far apart two of them are, and where a ray meets one."""

import math
from dataclasses import dataclass

from vector_tl.robot.body import HALF_WIDTH_MM, REACH_BEFORE_MM, REACH_BEHIND_MM
from vector_tl.sim.world.scene import Obstacle


@dataclass(frozen=True, slots=True)
class Footprint:
    """A rectangle, or a disc of radius half_x_mm when `round`, on the ground."""

    x_mm: float
    y_mm: float
    heading_rad: float
    half_x_mm: float
    half_y_mm: float
    round: bool = False

    @property
    def reach_mm(self) -> float:
        """Radius of the disc around the centre that holds all of it."""
        return self.half_x_mm if self.round else math.hypot(self.half_x_mm, self.half_y_mm)

    def corners(self) -> tuple[tuple[float, float], ...]:
        """The rectangle's four corners."""
        c, s = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return tuple(
            (self.x_mm + c * u - s * v, self.y_mm + s * u + c * v)
            for u, v in (
                (self.half_x_mm, self.half_y_mm),
                (-self.half_x_mm, self.half_y_mm),
                (-self.half_x_mm, -self.half_y_mm),
                (self.half_x_mm, -self.half_y_mm),
            )
        )


def of_vector(x_mm: float, y_mm: float, heading_rad: float) -> Footprint:
    """The footprint of a Vector whose origin is at x, y."""
    middle = (REACH_BEFORE_MM - REACH_BEHIND_MM) / 2
    return Footprint(
        x_mm + middle * math.cos(heading_rad),
        y_mm + middle * math.sin(heading_rad),
        heading_rad,
        (REACH_BEFORE_MM + REACH_BEHIND_MM) / 2,
        HALF_WIDTH_MM,
    )


def of_obstacle(obstacle: Obstacle) -> Footprint:
    """The footprint of a thing in the room."""
    return Footprint(
        obstacle.x_mm,
        obstacle.y_mm,
        obstacle.heading_rad,
        obstacle.half_x_mm,
        obstacle.half_y_mm,
        obstacle.round,
    )


def gap_mm(a: Footprint, b: Footprint) -> float:
    """How far apart two footprints are (mm), never more than they really are; negative where they overlap.

    Rectangles by the separating axis theorem: the largest gap along the four edge normals.
    """
    dx, dy = b.x_mm - a.x_mm, b.y_mm - a.y_mm
    bound = math.hypot(dx, dy) - a.reach_mm - b.reach_mm
    if bound > 0 or (a.round and b.round):
        return bound
    if a.round:
        return _disc_gap_mm(b, a)
    if b.round:
        return _disc_gap_mm(a, b)
    turn = b.heading_rad - a.heading_rad
    c, s = abs(math.cos(turn)), abs(math.sin(turn))
    ax, ay = _turned(dx, dy, -a.heading_rad)
    bx, by = _turned(dx, dy, -b.heading_rad)
    return max(
        abs(ax) - a.half_x_mm - c * b.half_x_mm - s * b.half_y_mm,
        abs(ay) - a.half_y_mm - s * b.half_x_mm - c * b.half_y_mm,
        abs(bx) - b.half_x_mm - c * a.half_x_mm - s * a.half_y_mm,
        abs(by) - b.half_y_mm - s * a.half_x_mm - c * a.half_y_mm,
    )


def ray_mm(shape: Footprint, x_mm: float, y_mm: float, heading_rad: float) -> float:
    """Distance (mm) along the ray from x, y to the footprint's rim; infinite if it misses."""
    if shape.round:
        px, py = x_mm - shape.x_mm, y_mm - shape.y_mm
        along = px * math.cos(heading_rad) + py * math.sin(heading_rad)
        square = along * along - (px * px + py * py - shape.half_x_mm**2)
        reach = -along - math.sqrt(square) if square >= 0 else math.inf
        return reach if reach >= 0 else math.inf
    px, py = _turned(x_mm - shape.x_mm, y_mm - shape.y_mm, -shape.heading_rad)
    turn = heading_rad - shape.heading_rad
    near, far = 0.0, math.inf  # slab method (Kay and Kajiya 1986)
    for start, step, half in ((px, math.cos(turn), shape.half_x_mm), (py, math.sin(turn), shape.half_y_mm)):
        if abs(step) < 1e-12:
            if abs(start) > half:
                return math.inf
            continue
        first, last = sorted(((-half - start) / step, (half - start) / step))
        near, far = max(near, first), min(far, last)
    return near if 0 < near <= far else math.inf


def _turned(x: float, y: float, angle: float) -> tuple[float, float]:
    c, s = math.cos(angle), math.sin(angle)
    return c * x - s * y, s * x + c * y


def _disc_gap_mm(rectangle: Footprint, disc: Footprint) -> float:
    x, y = _turned(disc.x_mm - rectangle.x_mm, disc.y_mm - rectangle.y_mm, -rectangle.heading_rad)
    dx, dy = abs(x) - rectangle.half_x_mm, abs(y) - rectangle.half_y_mm
    return math.hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0) - disc.half_x_mm
