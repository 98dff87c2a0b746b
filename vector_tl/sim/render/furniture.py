"""Furniture around the ground to drive on: dressers, chairs, beds, desks, shelves, lamps.

A detector that was trained on empty walls takes a dark chair or a chest of drawers for a Vector, so rooms are
full of them. Each piece is drawn as vertex rows (N, 15) that stand on z = 0 and face +x, and half its depth
(mm).
"""

import math
from collections.abc import Callable

import numpy as np

from vector_tl.sim.render.shapes import Material, box, join, lathe, moved, quad, tube
from vector_tl.sim.render.things import block, finish, random_kind, thing
from vector_tl.sim.world.scene import Room

Piece = tuple[np.ndarray, float]


def furnish_around(
    room: Room, floor_mm: float, half_wh_mm: tuple[float, float], rng: np.random.Generator, layers: list[int]
) -> list[np.ndarray]:
    """Pieces on z = `floor_mm` between the ground and the walls at +-`half_wh_mm`, facing inwards."""
    parts = []
    for _ in range(rng.integers(3, 12)):
        piece, depth = PIECES[rng.integers(len(PIECES))](rng, layers)
        side, along = rng.integers(4), rng.uniform(-1, 1)
        near_x, near_y = room.half_x_mm + depth, room.half_y_mm + depth
        reach_x, reach_y = max(half_wh_mm[0] - depth, near_x), max(half_wh_mm[1] - depth, near_y)
        gap = rng.uniform(0.0, 1.0)
        x_mm = near_x + gap * (reach_x - room.half_x_mm - depth)
        y_mm = near_y + gap * (reach_y - room.half_y_mm - depth)
        center = [
            (x_mm, along * reach_y),
            (along * reach_x, y_mm),
            (-x_mm, along * reach_y),
            (along * reach_x, -y_mm),
        ][side]
        heading = side * math.pi / 2 + math.pi + rng.choice([0.0, rng.normal(0, 0.5)])
        parts.append(moved(piece, (*center, floor_mm), heading))
    return parts


def _dresser(rng: np.random.Generator, layers: list[int]) -> Piece:
    depth, half, height = rng.uniform(180, 280), rng.uniform(250, 650), rng.uniform(450, 1400)
    body, front = finish(rng, layers), finish(rng, layers)
    parts = [box((depth, half, height), body)]
    rows, columns = rng.integers(2, 6), rng.integers(1, 4)
    for row in range(rows):
        for column in range(columns):
            width, tall = 2 * half / columns, height / rows
            y, z = -half + column * width + 0.06 * width, row * tall + 0.08 * tall
            parts.append(quad((depth + 4, y, z), (0, 0.88 * width, 0), (0, 0, 0.84 * tall), front))
            knob = box((5, 12, 12), Material((0.02, 0.02, 0.02), 0.3, 0.2))
            parts.append(moved(knob, (depth + 6, y + 0.44 * width, z + 0.42 * tall)))
    return join(parts + _on_top(depth, half, height, rng, layers)), depth


def _on_top(
    depth: float, half: float, height: float, rng: np.random.Generator, layers: list[int]
) -> list[np.ndarray]:
    """Things that stand on a piece of furniture."""
    parts = []
    for _ in range(rng.integers(0, 4)):
        kind, size, heights = random_kind(rng)
        size *= rng.uniform(1, 2)
        rows = thing(kind, size, size * 0.7, rng.uniform(*heights) * rng.uniform(1, 1.8), rng, layers)
        place = (rng.uniform(-0.5, 0.5) * depth, rng.uniform(-0.8, 0.8) * half, height)
        parts.append(moved(rows, place, rng.uniform(-math.pi, math.pi)))
    return parts


def _chair(rng: np.random.Generator, layers: list[int]) -> Piece:
    half = rng.uniform(180, 300)
    rows = [thing("chair", half, half * rng.uniform(0.8, 1.1), rng.uniform(750, 1100), rng, layers)]
    if rng.random() < 0.5:  # arms
        material, seat = finish(rng, []), rng.uniform(600, 700)
        for y in (-half, half):
            front = half * 0.8
            path = [(-half, y, seat), (0, y * 1.05, seat + 40), (front, y, seat), (front, y, 0)]
            rows.append(tube(path, rng.uniform(10, 25), material, 6))
    if rng.random() < 0.5:  # a cushion or coat
        cushion = block(half * 0.8, half * 0.8, rng.uniform(60, 350), 3, finish(rng, layers))
        rows.append(moved(cushion, (0, 0, 430)))
    return moved(join(rows), heading_rad=rng.uniform(-math.pi, math.pi)), half * 1.4


def _bed(rng: np.random.Generator, layers: list[int]) -> Piece:
    half, depth, height = rng.uniform(450, 800), rng.uniform(600, 1000), rng.uniform(250, 500)
    parts = [
        box((depth, half, height * 0.6), finish(rng, layers)),
        moved(block(depth, half, height * 0.7, 6, finish(rng, layers)), (0, 0, height * 0.5)),
    ]
    for _ in range(rng.integers(1, 5)):
        size = rng.uniform(100, 250), rng.uniform(150, 300), rng.uniform(90, 200)
        pillow = block(*size, 2.6, finish(rng, layers))
        place = (rng.uniform(-0.9, 0.9) * depth, rng.uniform(-0.7, 0.7) * half, height * 1.1)
        parts.append(moved(pillow, place, rng.uniform(0, 3)))
    rail, head = finish(rng, []), rng.uniform(600, 1100)
    if rng.random() < 0.5:
        for y in np.linspace(-half, half, int(rng.integers(3, 9))):
            post = [(-depth, y, 0), (-depth, y, head * 0.6), (-depth, y, head)]
            parts.append(tube(post, rng.uniform(8, 25), rail, 6))
        bow = [(-depth, -half, head), (-depth, 0, head * 1.1), (-depth, half, head)]
        parts.append(tube(bow, 20, rail, 6))
    else:
        parts.append(moved(box((25, half, head), finish(rng, layers)), (-depth, 0, 0)))
    return join(parts), depth * 1.05


def _desk(rng: np.random.Generator, layers: list[int]) -> Piece:
    half, depth, height = rng.uniform(400, 800), rng.uniform(200, 350), rng.uniform(550, 800)
    top, leg = finish(rng, layers), finish(rng, [])
    parts = [moved(box((depth, half, 30), top), (0, 0, height))]
    parts += [
        moved(box((20, 20, height), leg), (x * depth * 0.9, y * half * 0.95, 0))
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    return join(parts + _on_top(depth, half, height + 30, rng, layers)), depth


def _shelf(rng: np.random.Generator, layers: list[int]) -> Piece:
    depth, half, height = rng.uniform(120, 200), rng.uniform(250, 600), rng.uniform(900, 2100)
    wood, rows = finish(rng, layers), int(rng.integers(3, 7))
    parts = [moved(box((depth, 12, height), wood), (0, y, 0)) for y in (-half, half)]
    parts.append(quad((-depth, -half, 0), (0, 2 * half, 0), (0, 0, height), wood))
    for row in range(rows + 1):
        z = row * height / rows
        parts.append(moved(box((depth, half, 15), wood), (0, 0, z)))
        y = -half + 30
        while row < rows and y < half - 60:
            width, tall = rng.uniform(15, 110), rng.uniform(0.3, 0.85) * height / rows
            if rng.random() < 0.8:
                book = box((depth * rng.uniform(0.4, 0.9), width / 2, tall), finish(rng, layers))
                parts.append(moved(book, (0, y + width / 2, z + 15)))
            y += width * rng.uniform(1.02, 1.6)
    return join(parts), depth


def _lamp(rng: np.random.Generator, layers: list[int]) -> Piece:
    height, radius = rng.uniform(400, 1600), rng.uniform(80, 220)
    glow = rng.uniform(1.0, 8.0) if rng.random() < 0.6 else 0.0
    cone = [(radius, height * 0.75), (radius * rng.uniform(0.4, 1), height)]
    shade = lathe(cone, Material((0.9, 0.8, 0.6), 0.8, 0.03, glow), 16)
    stand = [(0, 0), (radius * 0.8, 0), (radius * 0.7, 25), (15, 40), (12, height * 0.8)]
    return join([shade, lathe(stand, finish(rng, []), 12)]), radius


def _heap(rng: np.random.Generator, layers: list[int]) -> Piece:
    """Bags, clothes, blankets, toys on the floor."""
    parts = []
    for _ in range(rng.integers(2, 7)):
        size = rng.uniform(60, 350), rng.uniform(60, 250), rng.uniform(60, 450)
        rows = block(*size, rng.uniform(2.2, 5), finish(rng, layers))
        place = (rng.uniform(-200, 200), rng.uniform(-350, 350), 0)
        parts.append(moved(rows, place, rng.uniform(0, math.pi)))
    return join(parts), 350.0


PIECES: tuple[Callable[[np.random.Generator, list[int]], Piece], ...] = (
    _dresser,
    _dresser,
    _chair,
    _chair,
    _bed,
    _desk,
    _shelf,
    _lamp,
    _heap,
)
