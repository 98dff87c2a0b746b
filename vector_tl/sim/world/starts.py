"""Where everybody stands when a world begins."""

import math
from collections.abc import Sequence

import numpy as np

from vector_tl.errors import UserError
from vector_tl.plain import counted
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.scene import Pose, Room

APART_MM = (250.0, 700.0)  # of the others from the first, so that finding one is a real task
WISHES = (  # margin around each, distances apart, whether the second has an open way to the first
    (45.0, APART_MM, True),
    (25.0, APART_MM, True),
    (15.0, (200.0, 1200.0), False),
    (4.0, (110.0, 4000.0), False),
)
TRIES = 4000


def start_poses(
    room: Room, count: int, standing: Sequence[Pose] = (), salt: int = 0
) -> list[tuple[Pose, float]]:
    """Free poses and head angles (rad) for `count` Vectors, drawn from the room's seed.

    They are on the ground, clear of the room's things and of each other. The second has an open way to the
    first where the room allows one, so that a first Vector that turns about sees it. The wishes are dropped
    one after another when a room is too full for them.

    Args:
        room: the room.
        count: how many Vectors need a place.
        standing: poses that are taken already.
        salt: another draw from the same seed.

    Raises:
        UserError: there is no free place at all.
    """
    rng = np.random.default_rng([room.seed, 2, salt])
    things = [fp.of_obstacle(thing) for thing in room.obstacles]
    for margin_mm, apart_mm, open_way in WISHES:
        poses: list[Pose] = []
        for _ in range(TRIES):
            pose = (
                float(rng.uniform(-room.half_x_mm, room.half_x_mm)),
                float(rng.uniform(-room.half_y_mm, room.half_y_mm)),
                float(rng.uniform(-math.pi, math.pi)),
            )
            if not _free(room, things, pose, margin_mm):
                continue
            if any(
                math.dist(pose[:2], other[:2]) < apart_mm[0] * (1.0 if poses and other is poses[0] else 0.7)
                for other in [*standing, *poses]
            ):
                continue
            if poses and math.dist(pose[:2], poses[0][:2]) > apart_mm[1]:
                continue
            if open_way and len(poses) == 1 and not _open(things, poses[0], pose):
                continue
            poses.append(pose)
            if len(poses) == count:
                heads = np.radians(rng.uniform(-8.0, 15.0, count))
                heads[0] = 0.0
                return list(zip(poses, map(float, heads)))
        rng = np.random.default_rng([room.seed, 2, salt, int(margin_mm)])
    raise UserError(
        f"The room of world seed {room.seed} has no free place for {counted(count, 'Vector')}; "
        "use fewer robots and targets or another seed."
    )


def _free(room: Room, things: list[fp.Footprint], pose: Pose, margin_mm: float) -> bool:
    shape = fp.of_vector(*pose)
    inside = all(
        abs(x) <= room.half_x_mm - margin_mm and abs(y) <= room.half_y_mm - margin_mm
        for x, y in shape.corners()
    )
    return inside and all(fp.gap_mm(shape, thing) >= margin_mm for thing in things)


def _open(things: list[fp.Footprint], a: Pose, b: Pose) -> bool:
    """Whether a Vector's width of ground is free between two poses."""
    way = fp.Footprint(
        (a[0] + b[0]) / 2,
        (a[1] + b[1]) / 2,
        math.atan2(b[1] - a[1], b[0] - a[0]),
        math.dist(a[:2], b[:2]) / 2,
        45.0,
    )
    return all(fp.gap_mm(way, thing) >= 0 for thing in things)
