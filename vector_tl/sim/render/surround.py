"""The room in which Vectors are drawn before a photograph: walls that glow with it, and what --kinds adds."""

from dataclasses import replace

import cv2
import numpy as np

from vector_tl.sim.render import textures
from vector_tl.sim.render.conditions import COLOR
from vector_tl.sim.render.decor import ROUGHNESS, Decor, shaded_ground
from vector_tl.sim.render.harder import harder_things
from vector_tl.sim.render.mesh import EYE_RGB
from vector_tl.sim.render.plate import Plate
from vector_tl.sim.render.shapes import Material, join, level, moved, quad, rgb, ring
from vector_tl.sim.world.clutter import SIZES
from vector_tl.sim.world.scene import Room

ROOM_MM, HIGH_MM = 2500.0, 2200.0  # half the width of the empty room, its height


def surround(room: Room, plate: Plate) -> Decor:
    """An empty room whose walls glow with the photograph, on ground of its floor's colour.

    The room's seed decides how glossy the ground is.
    """
    rng = np.random.default_rng([room.seed, 4])
    texture = cv2.resize(plate.image, (textures.SIZE,) * 2, interpolation=cv2.INTER_AREA)
    dark = Material((0.0, 0.0, 0.0), 1.0, 0.0, 0.0)
    glow = Material((1.0, 1.0, 1.0), 1.0, 0.0, emission=1.0, layer=0)
    walls = [quad((*a, 0), (*edge, 0), (0, 0, HIGH_MM), glow) for a, edge in ring(ROOM_MM, ROOM_MM)]
    mean = plate.light.reshape(-1, 3).mean(axis=0)
    ceiling = Material(rgb(np.clip(mean, 0.02, 1)), 1.0, 0.0, emission=1.0)
    gloss = float(rng.choice([0.0, rng.uniform(0.15, 0.7)]))
    floor = Material(rgb(np.clip(plate.floor_color(), 0.02, 0.9)), float(np.clip(1 - gloss, 0.1, 1.0)), 0.04)
    _, lamp = plate.lamp()
    return Decor(
        ground=level(ROOM_MM, ROOM_MM, 0, floor),
        surroundings=join(
            [*walls, level(ROOM_MM, ROOM_MM, HIGH_MM, ceiling), level(ROOM_MM, ROOM_MM, -5, dark)]
        ),
        textures=[texture],
        to_lamp=(0.5, 0.0, 0.866),
        lamp_color=rgb(1.5 * lamp),
        ambient_color=rgb(0.5 * mean),
        ground_gloss=gloss,
        paint=(float(rng.uniform(0.7, 1.6)), float(rng.uniform(0.8, 1.5)), float(rng.uniform(1.0, 3.0))),
        eye_tint=EYE_RGB,
    )


def furnished(decor: Decor, room: Room) -> Decor:
    """The surround with the things of the room's kinds, some of them in the photograph's colours."""
    if not any(thing.kind in SIZES for thing in (*room.obstacles, *room.loose)):
        return decor
    layers, rng = list(decor.textures), np.random.default_rng([room.seed, 4, 1])
    sorts = rng.choice(len(textures.THINGS), 2, replace=False)
    surfaces = [0, *range(len(layers), len(layers) + len(sorts))]
    layers += [textures.drawn(textures.THINGS[sort], rng) for sort in sorts]
    things = harder_things(room, layers, surfaces, shelves=False)
    standing = tuple(thing for thing in room.obstacles if thing.kind in SIZES)
    floor = Material(rgb(decor.ground[0, COLOR]), float(decor.ground[0, ROUGHNESS]), 0.04)
    near = shaded_ground(replace(room, obstacles=standing), floor, 1000.0)
    ground = join([near, *_ground_around(room, floor)])
    return replace(decor, ground=ground, textures=layers, things=tuple(things))


def _ground_around(room: Room, floor: Material) -> list[np.ndarray]:
    """Four rectangles from the room's ground to its walls."""
    x, y = room.half_x_mm, room.half_y_mm
    beside_x, beside_y = (ROOM_MM - x) / 2, (ROOM_MM - y) / 2
    side, end = level(beside_x, ROOM_MM, 0, floor), level(x, beside_y, 0, floor)
    places = [
        (side, x + beside_x, 0),
        (side, -x - beside_x, 0),
        (end, 0, y + beside_y),
        (end, 0, -y - beside_y),
    ]
    return [moved(rows, (to_x, to_y, 0)) for rows, to_x, to_y in places]
