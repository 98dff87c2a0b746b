"""Light cubes in the room: where they lie, how a Vector pushes them, and what somebody who draws them needs.

A cube is 44 mm wide, light, and never blocks: it gives way to a Vector that drives into it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vector_tl.errors import UserError
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.body import Body
from vector_tl.sim.world.scene import Pose, Room

CUBE_MM = 44.0
UPRIGHT, TIPPED = (
    6,
    (6, 1, 5, 2),
)  # of the protocol's UpAxis: Z up, and as it tips over one edge after another
GAP_MM = 15.0  # kept from all else when it is laid down
AHEAD_MM, ASIDE_RAD = (200.0, 260.0, 320.0), (0.0, 0.3, -0.3, 0.6, -0.6)
TRIES = 4000
Colour = tuple[int, int, int]


@dataclass
class LightCube:
    """One light cube.

    Attributes:
        number: counted from 0.
        x_mm, y_mm, z_mm: the middle of its lower side, z above the ground.
        heading_rad: of one of its sides.
        up: which of its axes is up, as the protocol's UpAxis.
        lights: colours (0 to 255) of its four lights, in the order of SetCubeLights.
        carried_by: the Vector that has it on its lift.
        connected_to: the Vector that it is connected to over Bluetooth; it can have one connection.
    """

    number: int
    x_mm: float = 0.0
    y_mm: float = 0.0
    z_mm: float = 0.0
    heading_rad: float = 0.0
    up: int = UPRIGHT
    lights: tuple[Colour, ...] = ((0, 0, 0),) * 4
    carried_by: int | None = None
    connected_to: int | None = None

    @property
    def factory_id(self) -> str:
        """Its address over Bluetooth: always the same."""
        return f"c0:be:00:00:00:{self.number + 1:02x}"

    @property
    def footprint(self) -> fp.Footprint:
        """What it covers of the ground."""
        return fp.Footprint(self.x_mm, self.y_mm, self.heading_rad, CUBE_MM / 2, CUBE_MM / 2)

    def lie(self, x_mm: float, y_mm: float, heading_rad: float) -> None:
        """Lie on the ground there."""
        self.x_mm, self.y_mm, self.z_mm, self.heading_rad = x_mm, y_mm, 0.0, heading_rad
        self.carried_by = None

    def tip_over(self) -> None:
        """Roll over one edge: another axis is up."""
        self.up = TIPPED[(TIPPED.index(self.up) + 1) % len(TIPPED)]

    def give_way(self, body: Body) -> None:
        """Be pushed by a Vector that has driven into it, straight out of its footprint."""
        shape = fp.of_vector(*body.pose)
        overlap_mm = -fp.gap_mm(shape, self.footprint)
        if overlap_mm <= 0:
            return
        c, s = math.cos(body.heading_rad), math.sin(body.heading_rad)
        dx, dy = self.x_mm - shape.x_mm, self.y_mm - shape.y_mm
        ahead, left = c * dx + s * dy, c * dy - s * dx
        if abs(ahead) / shape.half_x_mm >= abs(left) / shape.half_y_mm:
            way = math.copysign(overlap_mm, ahead)
            self.x_mm, self.y_mm = self.x_mm + c * way, self.y_mm + s * way
        else:
            way = math.copysign(overlap_mm, left)
            self.x_mm, self.y_mm = self.x_mm - s * way, self.y_mm + c * way


def lay_cubes(cubes: list[LightCube], room: Room, bodies: list[Body], robots: int) -> None:
    """Lay the cubes down, each before a robot where there is room, else anywhere.

    Args:
        cubes: are laid down.
        room: in which.
        bodies: all Vectors, the robots first.
        robots: how many of them are robots.

    Raises:
        UserError: there is no free place at all.
    """
    for cube in cubes:
        others = [other for other in cubes if other.number < cube.number]
        for pose in _places(room, bodies[cube.number % robots].pose, cube.number):
            cube.lie(*pose)
            if _free(cube, room, bodies, others):
                cube.up = UPRIGHT
                break
        else:
            raise UserError(
                f"The room of world seed {room.seed} has no free place for a light cube; use fewer cubes, "
                "robots and targets, or another seed."
            )


def keep_in_room(cube: LightCube, room: Room) -> bool:
    """Keep a pushed cube within the walls of a floor. Returns False when it has gone over a table's edge."""
    half_x, half_y = room.half_x_mm, room.half_y_mm
    if room.surface == "table":
        return abs(cube.x_mm) <= half_x and abs(cube.y_mm) <= half_y
    reach = CUBE_MM / 2
    cube.x_mm = min(max(cube.x_mm, reach - half_x), half_x - reach)
    cube.y_mm = min(max(cube.y_mm, reach - half_y), half_y - reach)
    return True


def _places(room: Room, viewer: Pose, number: int) -> Iterator[Pose]:
    x, y, heading = viewer
    for ahead_mm in AHEAD_MM:
        for aside in ASIDE_RAD:
            angle = heading + aside
            yield x + ahead_mm * math.cos(angle), y + ahead_mm * math.sin(angle), angle
    rng = np.random.default_rng([room.seed, 8, number])
    for _ in range(TRIES):
        x, y, angle = rng.uniform(-1.0, 1.0, 3)
        yield float(x) * room.half_x_mm, float(y) * room.half_y_mm, float(angle) * math.pi


def _free(cube: LightCube, room: Room, bodies: list[Body], others: list[LightCube]) -> bool:
    shape = cube.footprint
    inside = all(
        abs(x) <= room.half_x_mm - GAP_MM and abs(y) <= room.half_y_mm - GAP_MM for x, y in shape.corners()
    )
    stands = [fp.of_obstacle(thing) for thing in room.obstacles]
    stands += [fp.of_vector(*body.pose) for body in bodies] + [other.footprint for other in others]
    return inside and all(fp.gap_mm(shape, other) >= GAP_MM for other in stands)
