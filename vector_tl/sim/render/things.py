"""Clutter: things of many shapes, among them dark, glossy and round ones that are easily taken for a Vector.

Each thing is drawn as vertex rows (N, 15) that stand on z = 0 within a footprint of half sizes hx, hy (mm).
"""

from collections.abc import Callable

import numpy as np

from vector_tl.sim.render.shapes import (
    Material,
    box,
    ellipsoid,
    grey,
    grid,
    join,
    lathe,
    moved,
    quad,
    rgb,
    rounded,
    rounded_patch,
    tube,
)
from vector_tl.sim.render.textures import tone
from vector_tl.sim.world.room import KINDS

Rng = np.random.Generator


def finish(rng: np.random.Generator, layers: list[int]) -> Material:
    """A random surface: dark and glossy in every third case, else plain or textured (one of `layers`)."""
    case = rng.random()
    if case < 0.35:
        dark = rgb(rng.uniform(0.004, 0.05) * (1 + rng.normal(0, 0.1, 3)).clip(0.3, 2))
        return Material(dark, rng.uniform(0.08, 0.6), rng.uniform(0.04, 0.08))
    if case < 0.42:  # bare metal
        return Material((0.05, 0.05, 0.05), rng.uniform(0.1, 0.35), rng.uniform(0.5, 0.9))
    if case < 0.7 and layers:
        return Material((1.0, 1.0, 1.0), rng.uniform(0.2, 0.9), 0.04, layer=int(rng.choice(layers)))
    color = np.square(tone(rng, 0.2, 0.95, 0.15 if rng.random() < 0.7 else 0.6))  # most things are dull
    return Material(rgb(color), rng.uniform(0.1, 0.9), 0.04)


def dark(rng: Rng) -> Material:
    """Black or nearly black plastic, matte or glossy."""
    return Material(grey(rng.uniform(0.005, 0.035)), rng.uniform(0.15, 0.7), 0.045)


def plastic(rng: Rng, colorful: float = 0.6) -> Material:
    """A plain surface of some colour."""
    return Material(rgb(np.square(tone(rng, 0.25, 0.98, colorful))), rng.uniform(0.15, 0.7), 0.045)


def vivid(rng: Rng) -> Material:
    """The strong colours of toys and tools."""
    colors = ((0.7, 0.03, 0.03), (0.9, 0.55, 0.03), (0.03, 0.15, 0.6), (0.05, 0.4, 0.08), (0.8, 0.2, 0.02))
    color = np.array(colors[int(rng.integers(len(colors)))]) * rng.uniform(0.5, 1.1)
    return Material(rgb(color.clip(0.01, 0.95)), rng.uniform(0.2, 0.6), 0.045)


def random_kind(rng: np.random.Generator) -> tuple[str, float, tuple[float, float]]:
    """A kind of thing, half a width of it and the range of its heights (mm)."""
    kind = str(rng.choice(list(KINDS)))
    widths, heights = KINDS[kind]
    return kind, rng.uniform(*widths), heights


def thing(
    kind: str,
    half_x_mm: float,
    half_y_mm: float,
    height_mm: float,
    rng: np.random.Generator,
    layers: list[int],
) -> np.ndarray:
    """Vertex rows (N, 15) of one thing of a kind, standing at the origin within its footprint."""
    return SHAPES[kind](half_x_mm, half_y_mm, height_mm, rng, layers)


def _profile(rng: np.random.Generator, radius: float, height: float, waist: tuple[float, ...]) -> np.ndarray:
    """A smooth outline through random widths (fractions of `radius`), closed at the bottom."""
    z = np.linspace(0, 1, 14)
    width = np.interp(z, np.linspace(0, 1, len(waist)), waist)
    width = np.convolve(np.pad(width, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid") * radius
    return np.vstack([[0, 0], np.column_stack([width, z * height])])


def _box(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    return box((hx, hy, height), finish(rng, layers))


def _bottle(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    neck = rng.uniform(0.25, 0.45)
    body = lathe(_profile(rng, hx, height, (1, 1, 1, rng.uniform(0.9, 1), neck, neck)), finish(rng, layers))
    wide, tall = hx * neck * 1.15, height * 0.06
    cap = moved(lathe([(wide, 0), (wide, tall), (0, tall)], finish(rng, [])), (0, 0, height * 0.98))
    label = lathe([(hx * 1.02, height * 0.2), (hx * 1.02, height * 0.5)], finish(rng, layers))
    return join([body, cap] + ([label] if rng.random() < 0.6 else []))


def _vase(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    pot = height * rng.uniform(0.4, 0.75)
    parts = [lathe(_profile(rng, hx, pot, tuple(rng.uniform(0.35, 1.0, 5))), finish(rng, layers))]
    petals = rgb(np.clip(rng.uniform(0.2, 0.9) * (1 + rng.normal(0, 0.6, 3)), 0.02, 0.95))
    flower, leaf = Material(petals, 0.8, 0.03), Material((0.05, rng.uniform(0.1, 0.3), 0.04), 0.7, 0.03)
    for _ in range(rng.integers(3, 10)):
        top = np.array([rng.normal(0, hx * 0.6), rng.normal(0, hx * 0.6), height * rng.uniform(0.75, 1.1)])
        parts.append(tube(np.linspace((0, 0, pot * 0.8), top, 4), 2.0, leaf, 5))
        bloom = ellipsoid((hx * 0.22, hx * 0.22, hx * 0.18), flower if rng.random() < 0.7 else leaf, 8)
        parts.append(moved(bloom, top))
    return join(parts)


def _kettle(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    material, dark = finish(rng, []), Material((0.01, 0.01, 0.01), 0.3, 0.05)
    pot = height * 0.75
    parts = [lathe(_profile(rng, hx * 0.85, pot, (0.95, 1, 0.98, 0.8, 0.55, 0.1)), material)]
    arc = np.linspace(0, np.pi, 12)
    if rng.random() < 0.5:  # handle above
        x, z, radius = hx * 0.6 * np.cos(arc), pot * 0.7 + (height - pot * 0.7) * np.sin(arc), hx * 0.08
    else:  # handle behind
        x, z, radius = -hx * 0.7 - hx * 0.3 * np.sin(arc), pot * (0.5 + 0.35 * np.cos(arc)), hx * 0.09
    parts.append(tube(np.column_stack([x, 0 * arc, z]), radius, dark))
    spout = [(hx * 0.6, 0, pot * 0.45), (hx * 0.85, 0, pot * 0.6), (hx * 1.0, 0, pot * 0.85)]
    parts.append(tube(spout, hx * 0.12, material))
    parts.append(moved(ellipsoid((hx * 0.12, hx * 0.12, hx * 0.1), dark, 8), (0, 0, pot)))
    return join(parts)


def _mug(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    material = finish(rng, layers)
    radius, arc = hx * 0.75, np.linspace(-np.pi / 2, np.pi / 2, 9)
    outside = [(0, 0), (radius, 0), (radius, height)]
    inside = [(radius * 0.9, height), (radius * 0.85, height * 0.1), (0, height * 0.1)]
    x, z = radius + hx * 0.3 * np.cos(arc), height * (0.5 + 0.28 * np.sin(arc))
    handle = tube(np.column_stack([x, 0 * arc, z]), hx * 0.08, material)
    return join([lathe(outside + inside, material), handle])


def _bowl(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    z = np.linspace(0, 1, 9)
    outside = np.column_stack([hx * (0.45 + 0.55 * np.sqrt(z)), height * z])
    return lathe(np.vstack([[0, 0], outside, outside[::-1] * (0.93, 0.95)]), finish(rng, layers))


def _ball(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    return ellipsoid((hx, hx, height / 2), finish(rng, layers), 20)


def _bag(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    """A slumped, rounded block with a handle: bags, cushions, folded coats."""
    rows = block(hx, hy, height * 0.8, rng.uniform(2.5, 5), finish(rng, layers))
    rows[:, 0:3] *= 1 + 0.04 * np.sin(rows[:, 0:3][:, [1, 2, 0]] / 17 + rng.uniform(0, 6, 3))
    arc = np.linspace(0, np.pi, 12)
    x, z = hx * 0.6 * np.cos(arc), height * (0.72 + 0.28 * np.sin(arc))
    return join([rows, tube(np.column_stack([x, 0 * arc, z]), 4, finish(rng, []))])


def _gadget(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    """A router, speaker, toy or clock: a dark rounded case, often with small lights, a screen or wheels."""
    dark = Material(grey(rng.uniform(0.004, 0.04)), rng.uniform(0.1, 0.5), 0.05)
    parts = [block(hx, hy, height, rng.uniform(3, 8), dark)]
    for _ in range(rng.integers(0, 4)):
        glow = Material(rgb(rng.uniform(0.1, 1.0, 3)), 0.5, 0.0, emission=rng.uniform(0.5, 4))
        half = rng.uniform(1, 6)
        center = (hx * 1.01, rng.uniform(-0.7, 0.7) * hy, rng.uniform(0.2, 0.85) * height)
        parts.append(rounded_patch(center, (0, half * rng.uniform(1, 3), 0), (0, 0, half), 4.0, glow))
    if rng.random() < 0.4:
        wheel, radius = Material(grey(0.05), 0.5, 0.04), height * 0.22
        for x in (-0.6, 0.6):
            for side in (1, -1):
                center = (x * hx, side * hy * 1.03, height * 0.25)
                parts.append(rounded_patch(center, (radius, 0, 0), (0, 0, -side * radius), 2.0, wheel))
    return join(parts)


def _rack(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    """A rack of wires with plates in it."""
    wire = Material(grey(0.03 if rng.random() < 0.6 else 0.4), 0.3, 0.3)
    parts = []
    for y in np.linspace(-hy, hy, int(rng.integers(4, 8))):
        parts.append(tube([(-hx, y, 0), (-hx, y, height), (hx, y, height), (hx, y, 0)], 2.5, wire, 5))
        if rng.random() < 0.6:
            radius = height * 0.45
            plate = lathe([(0, 0), (radius, 4), (radius, 6), (0, 2)], finish(rng, layers), 16)
            plate[:, [1, 2]], plate[:, [4, 5]] = plate[:, [2, 1]], plate[:, [5, 4]]
            parts.append(moved(plate, (rng.uniform(-0.4, 0.4) * hx, y, height * 0.5)))
    for z in (0.05, 1.0):
        for x in (-hx, hx):
            rail = [(x, -hy, z * height), (x, 0, z * height), (x, hy, z * height)]
            parts.append(tube(rail, 3, wire, 5))
    return join(parts)


def _chair(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    material = finish(rng, layers)
    seat = height * rng.uniform(0.4, 0.6)
    leg = hx * rng.uniform(0.06, 0.14)
    parts = [
        moved(box((leg, leg, seat), material), (x, y, 0))
        for x in (-hx + leg, hx - leg)
        for y in (-hy + leg, hy - leg)
    ]
    parts.append(moved(box((hx, hy, height * 0.05), material), (0, 0, seat)))
    parts.append(moved(box((leg, hy, height - seat), material), (-hx + leg, 0, seat)))
    return join(parts)


def _shoe(hx: float, hy: float, height: float, rng: np.random.Generator, layers: list[int]) -> np.ndarray:
    upper, sole = finish(rng, layers), finish(rng, [])
    half = hy * 0.8
    toe = moved(block(hx * 0.95, half * 0.9, height * 0.5, 3, upper), (0, 0, height * 0.15))
    heel = moved(block(hx * 0.45, half * 0.85, height * 0.7, 3, upper), (-hx * 0.45, 0, height * 0.3))
    return join([block(hx, half, height * 0.22, 4, sole), toe, heel])


def block(hx: float, hy: float, height: float, corner: float, material: Material) -> np.ndarray:
    """A block with rounded edges, (N, 15); `corner` 2 is an ellipsoid, large values a box."""
    up, round_ = np.meshgrid(np.linspace(-np.pi / 2, np.pi / 2, 11), np.linspace(0, 2 * np.pi, 25))
    around = rounded(np.cos(up), corner)
    position = [
        hx * around * rounded(np.cos(round_), corner),
        hy * around * rounded(np.sin(round_), corner),
        height / 2 * (rounded(np.sin(up), corner) + 1),
    ]
    return grid(np.stack(position, axis=2), material)


def leaning_sheet(width_mm: float, height_mm: float, material: Material) -> np.ndarray:
    """A card or sheet that stands up, leaning back a little."""
    return quad((-width_mm / 2, 0, 0), (width_mm, 0, 0), (0, height_mm * 0.25, height_mm), material)


SHAPES: dict[str, Callable[[float, float, float, np.random.Generator, list[int]], np.ndarray]] = {
    "box": _box,
    "bottle": _bottle,
    "vase": _vase,
    "kettle": _kettle,
    "mug": _mug,
    "bowl": _bowl,
    "ball": _ball,
    "bag": _bag,
    "gadget": _gadget,
    "rack": _rack,
    "chair": _chair,
    "shoe": _shoe,
}
