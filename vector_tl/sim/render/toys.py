"""Toys in rooms of harder kinds: trucks, cars, building blocks, stuffed animals, figures on four legs.

As in `vessels`, each is drawn within its footprint.
"""

import numpy as np

from vector_tl.sim.render.prints import Prints
from vector_tl.sim.render.shapes import (
    Material,
    box,
    ellipsoid,
    grey,
    join,
    moved,
    rgb,
    rounded_patch,
)
from vector_tl.sim.render.solids import bent, bevelled, capsule, mirrored, prism, wheel
from vector_tl.sim.render.things import Rng, plastic, vivid
from vector_tl.sim.render.vessels import Shape


def _truck(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    paint, other, tyre = vivid(rng), vivid(rng), Material(grey(0.012), 0.7, 0.03)
    r = min(0.22 * hx, 0.3 * height)
    wide = hy - 1
    cab = [(0.3 * hx, r), (hx, r), (hx, 0.5 * height), (0.85 * hx, height), (0.3 * hx, height)]
    bed = [
        (-hx, 0.45 * height),
        (-0.85 * hx, 0.9 * height),
        (0.1 * hx, 0.9 * height),
        (0.22 * hx, 1.1 * r),
        (-0.8 * hx, 1.1 * r),
    ]
    glass = Material((0.02, 0.03, 0.04), 0.1, 0.06)
    window = [
        (0.45 * hx, 0.55 * height),
        (0.94 * hx, 0.55 * height),
        (0.84 * hx, 0.92 * height),
        (0.45 * hx, 0.92 * height),
    ]
    parts = [
        prism(cab, wide * 0.86, paint),
        prism(bed, wide * 0.95, other),
        prism(window, wide * 0.875, glass),
        moved(box((0.95 * hx, wide * 0.6, 0.5 * r), tyre), (0, 0, 0.8 * r)),
    ]
    return join([*parts, *_wheels(hx, hy, r, (-0.62, -0.2, 0.62), vivid(rng))])


def _car(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    paint = vivid(rng) if rng.random() < 0.7 else plastic(rng)
    r = 0.3 * height
    hull_ = [(-hx, 0.6 * r), (-0.98 * hx, 0.62 * height), (0.95 * hx, 0.52 * height), (hx, 0.6 * r)]
    roof = [(-0.75 * hx, 0.6 * height), (-0.5 * hx, height), (0.15 * hx, height), (0.5 * hx, 0.55 * height)]
    glass = Material((0.01, 0.015, 0.02), 0.08, 0.06)
    parts = [prism(hull_, hy * 0.92, paint), prism(roof, hy * 0.8, glass)]
    parts.append(moved(box((0.3 * hx, hy * 0.78, 1.2), paint), (-0.18 * hx, 0, height - 0.8)))
    return join([*parts, *_wheels(hx, hy, r, (-0.6, 0.6), Material(grey(0.4), 0.3, 0.3))])


def _wheels(hx: float, hy: float, r: float, at: tuple[float, ...], hub: Material) -> list[np.ndarray]:
    """Pairs of wheels of radius `r`, `at` these shares of hx."""
    tyre = Material(grey(0.012), 0.7, 0.03)
    parts = []
    for x in at:
        tyres = moved(prism(wheel((x * hx, r), r), 0.1 * hy, tyre), (0, 0.88 * hy, 0))
        disc = rounded_patch((x * hx, 0.985 * hy, r), (0.55 * r, 0, 0), (0, 0, -0.55 * r), 2.0, hub)
        parts.append(mirrored(join([tyres, disc])))
    return parts


def _blocks(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """Building blocks: a heap of coloured cuboids."""
    parts, z = [], 0.0
    while z < height - 12:
        tall = min(height - z, rng.uniform(18, 40))
        share = rng.uniform(0.4, 0.95, 2)
        aside = rng.uniform(-1, 1, 2) * (1 - share) * (hx, hy)
        parts.append(moved(bevelled(share[0] * hx, share[1] * hy, tall, 1.5, vivid(rng)), (*aside, z)))
        z += tall
    return join(parts)


def _plush(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """A sitting bear, monkey or rabbit."""
    furs = ((0.18, 0.09, 0.04), (0.35, 0.2, 0.09), (0.5, 0.45, 0.4), (0.6, 0.2, 0.06), (0.08, 0.07, 0.07))
    fur = Material(rgb(np.array(furs[int(rng.integers(len(furs)))]) * rng.uniform(0.6, 1.4)), 0.95, 0.02)
    pale = Material(rgb(np.minimum(np.array(fur.color) * 2.2 + 0.05, 0.9)), 0.95, 0.02)
    black, r = Material(grey(0.006), 0.15, 0.05), hx * 0.95
    tall, head = 0.58 * height, 0.2 * height
    parts = [
        ellipsoid((0.55 * r, 0.55 * r, tall / 2), fur, 16),
        moved(ellipsoid((0.4 * r, 0.38 * r, 0.36 * tall), pale, 14), (0.22 * r, 0, 0.12 * tall)),
    ]
    skull = (min(0.5 * r, 1.1 * head), min(0.55 * r, 1.2 * head), head)
    parts.append(moved(ellipsoid(skull, fur, 16), (0.08 * r, 0, height - 2.15 * head)))
    middle = height - 1.15 * head
    parts.append(
        moved(
            ellipsoid((0.5 * skull[0], 0.5 * skull[1], 0.4 * head), pale, 12),
            (0.08 * r + 0.72 * skull[0], 0, middle - 0.65 * head),
        )
    )
    parts.append(moved(ellipsoid((3, 4.5, 3), black, 8), (0.08 * r + 1.2 * skull[0], 0, middle - 0.2 * head)))
    ear = ellipsoid((0.15 * r, 0.28 * skull[1], rng.uniform(0.25, 0.42) * head), fur, 10)
    limbs = [moved(ear, (0.05 * r, 0.8 * skull[1], middle + 0.25 * head))]
    limbs.append(
        moved(ellipsoid((2.5, 3.2, 3.2), black, 8), (0.08 * r + 0.86 * skull[0], 0.36 * skull[1], middle))
    )
    limb = 0.17 * r
    limbs.append(
        capsule(
            bent(
                (0.1 * r, 0.45 * r, 0.8 * tall),
                (0.25 * r, 0.95 * r - limb, 0.6 * tall),
                (0.5 * r, 0.6 * r, 0.4 * tall),
                6,
            ),
            limb,
            fur,
        )
    )
    limbs.append(
        capsule(
            np.linspace((0.15 * r, 0.4 * r, 1.1 * limb), (0.75 * r, 0.5 * r, 1.1 * limb), 4), 1.1 * limb, fur
        )
    )
    rows = join([*parts, mirrored(join(limbs))])
    rows[:, 2] = rows[:, 2].clip(0)
    return rows


def _animal(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """A figure on four legs with a neck, perhaps a tail, horns or antlers."""
    coats = ((0.12, 0.05, 0.025), (0.3, 0.17, 0.07), (0.05, 0.12, 0.04), (0.4, 0.4, 0.38), (0.5, 0.12, 0.03))
    coat = Material(rgb(np.array(coats[int(rng.integers(len(coats)))]) * rng.uniform(0.6, 1.4)), 0.6, 0.04)
    leg, girth = 0.48 * height, min(0.5 * hy, 0.17 * height)
    spine = leg + 0.5 * girth
    body = capsule(
        [(-0.6 * hx, 0, spine), (0, 0, spine), (0.4 * hx, 0, spine)], girth * np.array([0.9, 1.0, 0.95]), coat
    )
    neck = bent((0.45 * hx, 0, spine), (0.6 * hx, 0, 0.7 * height), (0.68 * hx, 0, 0.84 * height), 5)
    skull = [(0.66 * hx, 0, 0.84 * height), (0.8 * hx, 0, 0.8 * height), (0.92 * hx, 0, 0.77 * height)]
    parts = [
        body,
        capsule(neck, np.linspace(0.7, 0.5, 5) * girth, coat),
        capsule(skull, girth * np.array([0.5, 0.42, 0.26]), coat),
    ]
    limbs = [
        capsule(
            np.linspace((x * hx, 0.6 * girth, spine), ((x + 0.04) * hx, 0.75 * girth, 0.3 * girth), 4),
            girth * np.array([0.5, 0.34, 0.25, 0.28]),
            coat,
            8,
        )
        for x in (-0.58, 0.38)
    ]
    if rng.random() < 0.6:
        horn = Material((0.45, 0.3, 0.14), 0.6, 0.04)
        curve = bent(
            (0.62 * hx, 0.2 * girth, 0.88 * height),
            (0.5 * hx, 0.7 * hy, 0.93 * height),
            (0.6 * hx, 0.8 * hy, height - 2),
            6,
        )
        limbs.append(capsule(curve, np.linspace(2.4, 1.2, 6), horn, 6))
    tail = bent(
        (-0.65 * hx, 0, spine), (-0.85 * hx, 0, spine), (-0.94 * hx, 0, rng.uniform(0.25, 0.7) * height), 5
    )
    return join([*parts, capsule(tail, np.linspace(0.35, 0.12, 5) * girth, coat, 6), mirrored(join(limbs))])


TOYS: dict[str, Shape] = {
    "truck": _truck,
    "car": _car,
    "blocks": _blocks,
    "plush": _plush,
    "animal": _animal,
}
