"""Light cubes: dark grey, their corners cut off (there the lights are), a bold white marker on each face."""

from dataclasses import replace

import cv2
import numpy as np

from vector_tl.sim.render.shapes import Material, grey, join, moved, quad, rgb
from vector_tl.sim.render.solids import hull
from vector_tl.sim.render.textures import SIZE
from vector_tl.sim.world.clutter import CUBE_MM

HALF_MM, CORNER_MM, EDGE_MM, PANEL_MM = CUBE_MM / 2, 8.5, 1.3, 17.0
CELLS = 4  # markers along each side of their texture
LIGHTS = (
    (0.1, 1.0, 0.2),
    (0.1, 0.35, 1.0),
    (1.0, 0.12, 0.08),
    (1.0, 0.7, 0.1),
    (0.1, 0.9, 1.0),
    (1.0, 1.0, 1.0),
)
_LOW, _MID, _HIGH = 26, 64, 102  # of a cell of 128 texels
# Each marker as lines through points of a 3 x 3 grid, counted row by row; the last one is closed where it
# ends at its beginning.
MARKERS = (
    ((0, 2, 8, 6, 0),),
    ((1, 7), (3, 5)),
    ((0, 8), (2, 6)),
    ((1, 3, 5, 7),),
    ((6, 0, 8, 2),),
    ((1, 8, 6, 1),),
    ((0, 2, 4, 6, 8),),
    ((3, 1, 5), (1, 7)),
    ((0, 2), (3, 5), (6, 8)),
    ((2, 0, 6, 8), (5, 8)),
    ((0, 6), (1, 7), (2, 8)),
    ((0, 4, 2), (4, 7)),
    ((1, 5, 7, 3, 1),),
    ((2, 0, 3, 5, 8, 6),),
)


def marker_texture(rng: np.random.Generator) -> np.ndarray:
    """A sheet of `CELLS` x `CELLS` markers, white on nearly black, (SIZE, SIZE, 3) uint8."""
    cell = SIZE // CELLS
    sheet = np.full((SIZE, SIZE), 40, np.uint8)
    for number in range(CELLS * CELLS):
        part = np.full((cell, cell), int(rng.uniform(30, 60)), np.uint8)
        bold, white = int(rng.integers(13, 22)), int(rng.uniform(205, 250))
        if number < len(MARKERS):
            for line in MARKERS[number]:
                points = [((_LOW, _MID, _HIGH)[p % 3], (_LOW, _MID, _HIGH)[p // 3]) for p in line]
                cv2.polylines(part, [np.array(points)], False, white, bold, cv2.LINE_AA)
        else:
            cv2.circle(part, (_MID, _MID), 38, white, bold, cv2.LINE_AA)
            if number % 2:
                cv2.circle(part, (_MID, _MID), 12, white, -1, cv2.LINE_AA)
        row, column = divmod(number, CELLS)
        sheet[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = part
    return np.repeat(cv2.GaussianBlur(sheet, (0, 0), 0.8)[..., None], 3, axis=2)


def light_cube(rng: np.random.Generator, markers: int) -> np.ndarray:
    """One light cube on z = 0, about the z axis, (N, 15).

    Its lights are on in half of the cases.

    Args:
        rng: what is drawn from.
        markers: texture layer of `marker_texture`.
    """
    shell = grey(rng.uniform(0.018, 0.05))
    rows = hull(_corners(), Material(shell, rng.uniform(0.3, 0.55), 0.045))
    normal = np.abs(rows[:, 3:6])
    rows[normal.max(axis=1) < 0.68, 8:15] = _light(rng)
    faces = [
        _marker(axis, side, int(rng.integers(CELLS * CELLS)), markers, rng)
        for axis in range(3)
        for side in (-1, 1)
    ]
    return moved(join([rows, *faces]), (0, 0, HALF_MM))


def cube_stack(height_mm: float, rng: np.random.Generator, markers: int) -> np.ndarray:
    """As many cubes as fit into the height, one upon the other, not quite straight."""
    cubes = []
    for number in range(max(1, round(height_mm / CUBE_MM))):
        turn = rng.normal(0, 0.12) if number else 0.0
        aside = rng.normal(0, 1.0, 2).clip(-2, 2)
        cubes.append(
            moved(light_cube(rng, markers), (*aside, number * CUBE_MM), float(np.clip(turn, -0.2, 0.2)))
        )
    return join(cubes)


def _corners() -> np.ndarray:
    """The cube's corner points about its middle: each face is a square without its corners, (48, 3)."""
    near, far = HALF_MM - CORNER_MM, HALF_MM - EDGE_MM
    flat = [(HALF_MM, a * u, b * v) for u, v in ((near, far), (far, near)) for a in (-1, 1) for b in (-1, 1)]
    return np.array(
        [np.roll((side * x, y, z), axis) for axis in range(3) for side in (-1, 1) for x, y, z in flat]
    )


def _light(rng: np.random.Generator) -> tuple[float, ...]:
    """Colour and surface of a cube's corners: lit, or milky plastic."""
    milky = Material(grey(rng.uniform(0.12, 0.35)), 0.35, 0.05)
    if rng.random() < 0.5:
        color = np.array(LIGHTS[int(rng.integers(len(LIGHTS)))]) * rng.uniform(0.7, 1.0)
        milky = replace(milky, color=rgb(color.clip(0.02, 1)), emission=float(rng.uniform(0.7, 3.5)))
    return (*milky.color, milky.roughness, milky.reflectance, milky.emission, milky.layer)


def _marker(axis: int, side: int, number: int, layer: int, rng: np.random.Generator) -> np.ndarray:
    """The marker on the face to the `side` (-1 or 1) of an axis, in any of its four turns."""
    u, v = np.roll((0.0, 1.0, 0.0), axis), np.roll((0.0, 0.0, 1.0), axis)
    for _ in range(int(rng.integers(4))):
        u, v = v, -u
    out = np.roll((side * (HALF_MM + 0.12), 0.0, 0.0), axis)
    surface = Material((1.0, 1.0, 1.0), 0.35, 0.045, layer=layer)
    rows = quad(out - PANEL_MM * (u + v), 2 * PANEL_MM * u, 2 * PANEL_MM * v, surface)
    row, column = divmod(number, CELLS)
    rows[:, 6:8] = (0.02 + 0.96 * rows[:, 6:8] + (column, CELLS - 1 - row)) / CELLS
    return rows
