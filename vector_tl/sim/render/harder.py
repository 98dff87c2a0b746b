"""Rooms of harder kinds: what is drawn beside a room's usual things, and what desks are made of."""

import math

import numpy as np

from vector_tl.sim.render import textures
from vector_tl.sim.render.charger import MIDDLE_X_MM, charger
from vector_tl.sim.render.desk import DESK_SHAPES
from vector_tl.sim.render.figures import FIGURES
from vector_tl.sim.render.held_out_surfaces import GROUNDS, tartan
from vector_tl.sim.render.held_out_things import design, has_own_design
from vector_tl.sim.render.light_cube import cube_stack
from vector_tl.sim.render.other_robot import cozmo
from vector_tl.sim.render.prints import Prints, add_prints, shirt
from vector_tl.sim.render.shapes import Material, box, grey, moved
from vector_tl.sim.render.textures import Draw, drawn
from vector_tl.sim.render.things import SHAPES
from vector_tl.sim.render.toys import TOYS
from vector_tl.sim.render.vessels import VESSELS
from vector_tl.sim.world.clutter import CUBE_MM, SIZES
from vector_tl.sim.world.held_out import is_held_out
from vector_tl.sim.world.scene import Obstacle, Room

LAYER = 14  # column of a vertex row
USUAL = {
    "carton": "box",
    "device": "gadget",
    "shoes": "shoe",
    "sack": "bag",
}  # drawn as one of `things.SHAPES`


def harder_things(
    room: Room,
    layers: list[np.ndarray],
    surfaces: list[int],
    draw: Draw = drawn,
    shelves: bool = True,
) -> list[tuple[str, np.ndarray]]:
    """Everything that the room's kinds have put into it, in its place: kind and vertex rows (N, 15) each.

    A hand around a light cube is a "cube-in-hand".

    Args:
        room: the room.
        layers: textures; those of these things are appended.
        surfaces: which of them suit any thing.
        draw: how textures are drawn.
        shelves: whether some desks have shelves behind them.
    """
    added = [thing for thing in (*room.obstacles, *room.loose) if thing.kind in SIZES]
    if not added:
        return []
    held_out = is_held_out(room.seed)
    shirts = tartan if held_out else shirt
    prints = add_prints(layers, surfaces, np.random.default_rng([room.seed, 8, 100]), shirts, draw)
    things = []
    for number, thing in enumerate(added):
        rows = draw_thing(thing, np.random.default_rng([room.seed, 8, 101 + number]), prints, held_out)
        with_cube = thing.kind == "hand" and (rows[:, LAYER] == prints.markers).any()
        placed = moved(rows, (thing.x_mm, thing.y_mm, 0), thing.heading_rad)
        things.append(("cube-in-hand" if with_cube else thing.kind, placed))
    if shelves and "clutter" in room.kinds and room.surface == "table":
        things += _shelf_behind(room, np.random.default_rng([room.seed, 8, 99]), prints)
    return things


def draw_thing(
    thing: Obstacle, rng: np.random.Generator, prints: Prints, held_out: bool = False
) -> np.ndarray:
    """One thing at the origin, vertex rows (N, 15)."""
    size = thing.half_x_mm, thing.half_y_mm, thing.height_mm
    if held_out and has_own_design(thing.kind):
        return design(thing.kind, *size, rng, prints.surfaces)
    if thing.kind in USUAL:
        return SHAPES[USUAL[thing.kind]](*size, rng, prints.surfaces)
    if thing.kind in ("cube", "cube-stack"):
        return cube_stack(thing.height_mm, rng, prints.markers)
    if thing.kind == "charger":
        return moved(charger(), (-MIDDLE_X_MM, 0, 0))
    return (VESSELS | DESK_SHAPES | FIGURES | TOYS | {"cozmo": cozmo})[thing.kind](*size, rng, prints)


def desk_top(room: Room, layers: list[np.ndarray], draw: Draw = drawn) -> tuple[Material, float] | None:
    """What the ground of a cluttered desk is made of and how large its pattern is (mm); None: as ever."""
    rng = np.random.default_rng([room.seed, 8, 98])
    case = rng.random()
    if "clutter" not in room.kinds or room.surface != "table" or case > 0.8:
        return None
    gloss = float(rng.uniform(0.25, 0.8))
    if is_held_out(room.seed):
        layers.append(draw(GROUNDS[int(rng.integers(len(GROUNDS)))], rng))
        return Material((1.0, 1.0, 1.0), gloss, 0.04, layer=len(layers) - 1), float(rng.uniform(400, 1200))
    if case < 0.35:  # white, which the camera often blows out
        return Material(grey(rng.uniform(0.8, 0.97)), gloss, 0.045), 600.0
    layers.append(draw(textures.yellow_wood if case < 0.65 else textures.mat, rng))
    return Material((1.0, 1.0, 1.0), gloss, 0.04, layer=len(layers) - 1), float(rng.uniform(400, 1200))


def _shelf_behind(room: Room, rng: np.random.Generator, prints: Prints) -> list[tuple[str, np.ndarray]]:
    """Boards behind one of the desk's long sides, with cubes, books and cartons on them."""
    if rng.random() < 0.4:
        return []
    board, half = Material(grey(rng.uniform(0.02, 0.8)), 0.6, 0.04), rng.uniform(250, 500)
    parts = []
    for z in (-20.0, rng.uniform(150, 260), rng.uniform(330, 480)):
        parts.append(("shelf", moved(box((90, half, 14), board), (0, 0, z))))
        y = -half + 40
        while y < half - 60:
            name = str(rng.choice(["cube", "cube-stack", "carton", "can", "device", "books", "plush"]))
            wide, tall = float(rng.uniform(24, 60)), float(rng.uniform(50, 120))
            if name.startswith("cube"):
                wide, tall = CUBE_MM / 2, CUBE_MM * (1 + (name == "cube-stack"))
            thing = Obstacle(0, 0, 0, min(wide, 60), wide, tall, name)
            if rng.random() < 0.75:
                rows = draw_thing(thing, rng, prints, is_held_out(room.seed))
                parts.append((name, moved(rows, (rng.uniform(-20, 30), y + wide, z + 14))))
            y += 2 * wide + rng.uniform(8, 120)
    side = float(rng.choice([-1, 1]))
    place = (rng.uniform(-0.4, 0.4) * room.half_x_mm, side * (room.half_y_mm + rng.uniform(150, 500)), 0)
    return [(name, moved(rows, place, -side * math.pi / 2)) for name, rows in parts]
