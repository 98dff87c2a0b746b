"""Things of held-out rooms, in place of those of other rooms; see `world/held_out.py`.

As there, each is drawn as vertex rows (N, 15) on z = 0 within a footprint of half sizes hx, hy (mm).
"""

from collections.abc import Callable

import numpy as np

from vector_tl.sim.render.held_out_surfaces import hue
from vector_tl.sim.render.shapes import Material, ellipsoid, grey, join, lathe, moved, rgb, rounded_patch
from vector_tl.sim.render.solids import bent, bevelled, capsule, mirrored, prism, wheel
from vector_tl.sim.world.clutter import SIZES, TOYS
from vector_tl.sim.world.room import KINDS, ROUND

Rng = np.random.Generator
Layers = list[int]
Design = Callable[[float, float, float, Rng, Layers], np.ndarray]


def finish(rng: Rng, layers: Layers) -> Material:
    """A surface: dark in a third of the cases, else of a held-out colour or texture."""
    case, rough = rng.random(), rng.uniform(0.08, 0.8)
    if case < 0.35:
        return Material(rgb(np.square(hue(rng)) * 0.08), rough, 0.05)
    if case < 0.6 and layers:
        return Material((1.0, 1.0, 1.0), rough, 0.04, layer=int(rng.choice(layers)))
    return Material(rgb(np.square(hue(rng))), rough, 0.045)


def _teapot(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    glaze, tall = finish(rng, layers), 0.8 * height
    z = np.linspace(0, 1, 12)
    belly = np.column_stack([0.72 * hx * np.sqrt(np.sin(np.pi * (0.12 + 0.8 * z))), tall * z])
    spout = bent((0.55 * hx, 0, 0.3 * tall), (0.95 * hx, 0, 0.4 * tall), (0.95 * hx, 0, 0.85 * tall))
    handle = bent((-0.6 * hx, 0, 0.25 * tall), (-1.3 * hx, 0, 0.55 * tall), (-0.6 * hx, 0, 0.85 * tall))
    knob = lathe([(0.12 * hx, 0), (0.2 * hx, 0.1 * height), (0, 0.2 * height)], glaze)
    return join(
        [
            lathe(np.vstack([[0, 0], belly, [0, tall]]), glaze),
            capsule(spout, np.linspace(0.14, 0.07, 7) * hx, glaze),
            capsule(handle, 0.06 * hx, glaze),
            moved(knob, (0, 0, tall)),
        ]
    )


def _lantern(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    frame = finish(rng, [])
    light = rgb(np.array((1.0, 0.7, 0.35)) * rng.uniform(0.3, 1.0))
    glass = Material(light, 0.3, 0.06, emission=float(rng.choice([0.0, rng.uniform(0.5, 3)])))
    foot = [(0, 0), (hx, 0), (0.9 * hx, 0.12 * height), (0.6 * hx, 0.15 * height)]
    chimney = [(0.55 * hx, 0.15 * height), (0.75 * hx, 0.4 * height), (0.55 * hx, 0.7 * height)]
    roof = [(0.85 * hx, 0.7 * height), (0.3 * hx, 0.9 * height), (0.25 * hx, height), (0, height)]
    return join([lathe(foot, frame), lathe(chimney, glass), lathe(roof, frame)])


def _goblet(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    stem = rng.uniform(0.08, 0.2)
    r = np.array([0, 0.75, 0.7, stem, stem, 0.7, 1.0, 0.92, 0.6, 0]) * hx
    z = np.array([0, 0, 0.04, 0.12, 0.4, 0.55, 1.0, 1.0, 0.6, 0.55]) * height
    return lathe(np.column_stack([r, z]), finish(rng, layers))


def _hive(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    """Rings of two colours, one upon the other, smaller above."""
    two, rings = (finish(rng, layers), finish(rng, [])), int(rng.integers(4, 8))
    tall, parts = height / rings, []
    for number in range(rings):
        wide = hx * (1 - 0.7 * (number / rings) ** 2)
        profile = [(0, 0), (0.9 * wide, 0), (wide, 0.5 * tall), (0.9 * wide, tall), (0, tall)]
        parts.append(moved(lathe(profile, two[number % 2]), (0, 0, number * tall)))
    return join(parts)


def _radio(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    case, dark = finish(rng, layers), Material(grey(0.02), 0.6, 0.04)
    tall = 0.8 * height
    parts = [bevelled(hx, hy, tall, 0.12 * min(hx, hy, tall), case)]
    radius = min(0.55 * hy, 0.38 * tall)
    front = (hx + 0.4, 0.35 * hy, 0.5 * tall)
    parts.append(rounded_patch(front, (0, radius, 0), (0, 0, radius), 2.0, dark))
    for z in (0.3, 0.7):
        knob = (hx + 0.4, -0.6 * hy, z * tall)
        parts.append(rounded_patch(knob, (0, 0.12 * hy, 0), (0, 0, 0.12 * hy), 2.0, finish(rng, [])))
    handle = bent((0, -0.8 * hy, 0.95 * tall), (0, 0, 1.45 * tall), (0, 0.8 * hy, 0.95 * tall))
    return join([*parts, capsule(handle, 0.04 * height, dark)])


def _house(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    """A bird's house: a gable roof, a round door."""
    tall = 0.6 * height
    walls = bevelled(0.9 * hx, 0.9 * hy, tall, 1.0, finish(rng, layers))
    roof = prism([(-hx, 0.95 * tall), (hx, 0.95 * tall), (0, height)], hy, finish(rng, layers))
    hole = 0.3 * min(hy, tall)
    door = rounded_patch(
        (0.905 * hx, 0, 0.6 * tall), (0, hole, 0), (0, 0, hole), 2.0, Material(grey(0.01), 0.9, 0.02)
    )
    return join([walls, roof, door])


def _trays(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    """Boards on four posts."""
    board, post = finish(rng, layers), finish(rng, [])
    levels = max(2, int(height / 35))
    thick = min(6.0, 0.2 * height)
    parts = [
        moved(bevelled(hx, hy, thick, 0.5, board), (0, 0, z)) for z in np.linspace(0, height - thick, levels)
    ]
    legs = [
        moved(bevelled(0.06 * hx + 1, 0.06 * hy + 1, height, 0.5, post), (x, y, 0))
        for x in (-0.85 * hx, 0.85 * hx)
        for y in (-0.85 * hy, 0.85 * hy)
    ]
    return join([*parts, *legs])


def _pad(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    """A controller with two grips and buttons."""
    shell = finish(rng, [])
    parts = [bevelled(0.6 * hx, 0.9 * hy, 0.8 * height, 0.2 * height, shell)]
    for side in (-1, 1):
        parts.append(
            moved(ellipsoid((0.7 * hx, 0.3 * hy, 0.4 * height), shell, 12), (-0.25 * hx, side * 0.65 * hy, 0))
        )
        for x in (-0.15, 0.15):
            button = lathe(
                [(0.09 * hx, 0), (0.09 * hx, 0.2 * height), (0, 0.2 * height)], finish(rng, []), 10
            )
            parts.append(moved(button, (x * hx, side * 0.45 * hy, 0.75 * height)))
    rows = join(parts)
    rows[:, 2] = rows[:, 2].clip(0)
    return rows


def _duck(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    skin, beak = finish(rng, []), Material((0.7, 0.2, 0.02), 0.4, 0.04)
    body = ellipsoid((0.9 * hx, hy, 0.3 * height), skin)
    head = ellipsoid((0.4 * hx, 0.55 * hy, 0.24 * height), skin)
    bill = capsule(
        [(0.75 * hx, 0, 0.7 * height), (0.85 * hx, 0, 0.7 * height), (0.95 * hx, 0, 0.69 * height)],
        0.05 * height,
        beak,
        8,
    )
    rows = join([body, moved(head, (0.4 * hx, 0, 0.48 * height)), bill])
    rows[:, 2] -= rows[:, 2].min()
    return rows


def _rocket(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    radius = 0.55 * min(hx, hy)
    r = np.array([0, 0.6, 1.0, 1.0, 0.5, 0]) * radius
    z = np.array([0.12, 0.12, 0.3, 0.6, 0.88, 1.0]) * height
    fin = prism(
        [(0.3 * radius, 0.1 * height), (min(hx, 1.8 * radius), 0), (0.9 * radius, 0.45 * height)],
        1.5,
        finish(rng, []),
    )
    fins = [moved(fin, heading_rad=turn) for turn in (0, np.pi)]
    return join([lathe(np.column_stack([r, z]), finish(rng, layers)), *fins])


def _train(hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    paint, other, tyre = finish(rng, []), finish(rng, []), Material(grey(0.015), 0.6, 0.03)
    r = 0.22 * height
    boiler = prism(wheel((0.3 * hx, 0.5 * height), 0.28 * height), 0.6 * hy, paint)
    cab = moved(bevelled(0.35 * hx, 0.85 * hy, 0.75 * height, 1.5, other), (-0.6 * hx, 0, 0.25 * height))
    bed = moved(bevelled(0.95 * hx, 0.7 * hy, 0.2 * height, 1.0, tyre), (0, 0, 0.15 * height))
    chimney = lathe([(0.1 * hx, 0), (0.15 * hx, 0.3 * height), (0, 0.3 * height)], tyre, 12)
    wheels = [
        moved(prism(wheel((x * hx, r), r), 0.08 * hy, other), (0, 0.82 * hy, 0)) for x in (-0.6, 0, 0.6)
    ]
    return join([boiler, cab, bed, moved(chimney, (0.55 * hx, 0, 0.7 * height)), mirrored(join(wheels))])


ROUND_DESIGNS: tuple[Design, ...] = (_teapot, _lantern, _goblet, _hive)
LONG_DESIGNS: tuple[Design, ...] = (_radio, _house, _trays)
LOW_DESIGNS: tuple[Design, ...] = (_trays, _pad)
TOY_DESIGNS: tuple[Design, ...] = (_duck, _rocket, _train)
LOW_MM = 45.0
# Whose design is the same everywhere: what they are follows from how they look.
SAME = {"cube", "cube-stack", "charger", "cozmo", "hand", "torso", "sitter", "keyboard", "monitor", "lamp"}


def has_own_design(kind: str) -> bool:
    """Whether held-out rooms draw a kind of thing otherwise."""
    return kind in KINDS or (kind in SIZES and kind not in SAME and SIZES[kind].at != "flat")


def design(kind: str, hx: float, hy: float, height: float, rng: Rng, layers: Layers) -> np.ndarray:
    """Vertex rows (N, 15) of a thing of any held-out design, as large as those of its kind."""
    if kind in TOYS:
        designs = TOY_DESIGNS
    elif kind in ROUND or (kind in SIZES and SIZES[kind].round):
        designs = ROUND_DESIGNS
    else:
        designs = LOW_DESIGNS if height < LOW_MM else LONG_DESIGNS
    return designs[int(rng.integers(len(designs)))](hx, hy, height, rng, layers)
