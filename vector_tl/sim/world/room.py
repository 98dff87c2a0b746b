"""Seeded rooms: the ground to drive on and what stands in the way."""

import math

import numpy as np

from vector_tl.sim.world.clutter import with_harder_things
from vector_tl.sim.world.scene import Obstacle, Room

# kind -> (range of half widths, range of heights) in mm
KINDS = {
    "box": ((20, 80), (20, 200)),
    "bottle": ((18, 42), (120, 300)),
    "vase": ((25, 60), (90, 240)),
    "kettle": ((50, 95), (110, 230)),
    "mug": ((30, 48), (70, 120)),
    "bowl": ((45, 110), (35, 90)),
    "ball": ((18, 60), (36, 120)),
    "bag": ((45, 110), (60, 230)),
    "gadget": ((20, 75), (18, 120)),
    "rack": ((55, 120), (60, 160)),
    "chair": ((60, 120), (180, 400)),
    "shoe": ((55, 120), (50, 110)),
}
ROUND = {"bottle", "vase", "kettle", "mug", "bowl", "ball"}  # whose footprint is a disc, not a rectangle


def make_room(seed: int, kinds: tuple[str, ...] = ()) -> Room:
    """A room drawn from `seed`: the same seed and kinds give the same room.

    Obstacles keep to the outer part of the ground, so that robots always have some of it free around the
    middle. What the kinds add stands nearer, along a lane that stays free.
    """
    rng = np.random.default_rng([seed, 1])
    table = rng.random() < 0.55
    half_x, half_y = (rng.uniform(420, 750), rng.uniform(340, 560)) if table else rng.uniform(650, 1300, 2)
    obstacles: list[Obstacle] = []
    for _ in range(rng.integers(0, 7)):
        kind = str(rng.choice(list(KINDS)))
        if table and kind == "chair":
            kind = "gadget"
        widths, heights = KINDS[kind]
        half = rng.uniform(*widths)
        angle, reach = rng.uniform(-math.pi, math.pi), rng.uniform(0.6, 0.95)
        obstacle = Obstacle(
            x_mm=float((half_x - half) * reach * math.cos(angle)),
            y_mm=float((half_y - half) * reach * math.sin(angle)),
            heading_rad=float(rng.uniform(-math.pi, math.pi)),
            half_x_mm=float(half),
            half_y_mm=float(half if kind in ROUND else half * rng.uniform(0.45, 1.0)),
            height_mm=float(rng.uniform(*heights)),
            kind=kind,
            round=kind in ROUND,
        )
        apart = all(
            math.hypot(obstacle.x_mm - o.x_mm, obstacle.y_mm - o.y_mm) > 1.5 * (half + o.half_x_mm)
            for o in obstacles
        )
        if apart and math.hypot(obstacle.x_mm, obstacle.y_mm) > 200 + half:
            obstacles.append(obstacle)
    room = Room(
        seed=seed,
        surface="table" if table else "floor",
        half_x_mm=float(half_x),
        half_y_mm=float(half_y),
        obstacles=tuple(obstacles),
        kinds=kinds,
    )
    return with_harder_things(room) if kinds else room
