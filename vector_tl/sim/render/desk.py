"""Devices, tools and papers of desks in rooms of harder kinds: speakers, keyboards, headphones, cables.

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
    lathe,
    moved,
    quad,
    rounded_patch,
    tube,
)
from vector_tl.sim.render.solids import bent, bevelled, capsule, hull, posed
from vector_tl.sim.render.things import Rng, block, dark, finish, plastic, vivid
from vector_tl.sim.render.vessels import Shape


def _speaker(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    shell, cone = dark(rng), Material(grey(rng.uniform(0.01, 0.06)), 0.5, 0.05)
    parts = [bevelled(hx * 0.98, hy, height, rng.uniform(1.5, 6), shell)]
    low, high = min(hy * 0.72, height * 0.25), min(hy * 0.35, height * 0.12)
    for radius, z in ((low, 0.34 * height), (high, 0.74 * height)):
        for share, material in ((1.0, cone), (0.82, shell), (0.34, cone)):
            at = hx * (0.985 + 0.006 * (1 - share))
            parts.append(
                rounded_patch((at, 0, z), (0, share * radius, 0), (0, 0, share * radius), 2.0, material)
            )
    return join(parts)


def _keyboard(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    wedge = [(x, y, z) for x, z in ((-hx, 0), (hx, 0), (-hx, height), (hx, height * 0.45)) for y in (-hy, hy)]
    shell = dark(rng) if rng.random() < 0.75 else Material(grey(0.6), 0.4, 0.04)
    keys = Material((1.0, 1.0, 1.0), 0.5, 0.04, layer=prints.keys)
    back, front = (-0.9 * hx, 0.97 * height), (0.9 * hx, 0.48 * height + 0.8)
    slope = (front[0] - back[0], 0, front[1] - back[1])
    face = quad((back[0], -0.96 * hy, back[1] + 0.8), (0, 1.92 * hy, 0), slope, keys)
    return join([hull(wedge, shell), face])


def _mouse(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    shell = dark(rng) if rng.random() < 0.7 else Material(grey(0.7), 0.3, 0.045)
    half = ellipsoid((hx, hy, height), shell, 20)
    half[:, 2] = (half[:, 2] - height).clip(0)
    wheel = moved(box((6, 2.2, 3), Material(grey(0.1), 0.6, 0.04)), (0.55 * hx, 0, 0.82 * height))
    return join([half, wheel])


def _notebook(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    cover = dark(rng) if rng.random() < 0.4 else plastic(rng)
    open_ = rng.random() < 0.4
    page = Material((1.0, 1.0, 1.0), 0.8, 0.03, layer=prints.page)
    if open_:
        top = quad((-0.97 * hx, -0.97 * hy, height + 0.5), (1.94 * hx, 0, 0), (0, 1.94 * hy, 0), page)
        return join([bevelled(hx, hy, height, 1, cover), top])
    pages = moved(
        box((0.97 * hx, 0.97 * hy, height * 0.8), Material(grey(0.8), 0.9, 0.03)), (0, 0, height * 0.1)
    )
    lids = [moved(box((hx, hy, height * 0.1), cover), (0, 0, z * height)) for z in (0, 0.9)]
    rings = []
    if rng.random() < 0.5:
        wire = Material(grey(0.2), 0.25, 0.4)
        arc = np.linspace(0, np.pi, 6)
        loop = np.column_stack([-hx + 4 * np.cos(arc) + 4, 0 * arc, height + 1.5 * np.sin(arc)])
        rings = [moved(tube(loop, 0.8, wire, 5), (0, y, 0)) for y in np.linspace(-0.9, 0.9, 14) * hy]
    return join([pages, *lids, *rings])


def _books(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    parts, z, count = [], 0.0, max(1, round(height / 26))
    for _ in range(count):
        thick, share = height / count, rng.uniform(0.75, 0.97)
        parts.append(
            moved(
                _notebook(hx * share, hy * share, thick, rng, prints),
                (0, 0, z),
                float(rng.choice([0.0, np.pi])),
            )
        )
        z += thick
    return join(parts)


def _headphones(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """Lying on their band and cups, which face each other."""
    shell, cushion = dark(rng), Material(grey(rng.uniform(0.01, 0.03)), 0.8, 0.03)
    if rng.random() < 0.2:
        shell = plastic(rng, 0.2)
    radius, cup = 0.8 * hy, height / 2
    arc = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 15)
    band = np.column_stack(
        [0.1 * hx - 0.95 * radius * np.cos(arc), radius * np.sin(arc), np.full(15, 0.55 * cup)]
    )
    parts = [capsule(band, 5.5, shell, 8), capsule(band[3:-3] + (3.5, 0, 0), 6.5, cushion, 8)]
    for side in (-1, 1):
        arm = bent(
            (0.1 * hx, side * radius, 0.55 * cup),
            (0.3 * hx, side * radius, 0.6 * cup),
            (0.4 * hx, side * radius * 0.95, cup),
            5,
        )
        parts.append(capsule(arm, 4.5, shell, 6))
        for depth, share, material in ((0.0, 1.0, shell), (-0.16, 0.92, cushion)):
            disc = ellipsoid((cup * share, 0.22 * hy, cup * share), material, 16)
            parts.append(moved(disc, (0.5 * hx, side * hy * (0.72 + depth), cup * (1 - share))))
    return join(parts)


def _phone_stand(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    base, glass = dark(rng), Material(grey(0.004), 0.06, 0.06)
    on = rng.random() < 0.5
    shown = Material((1.0, 1.0, 1.0), 0.2, 0.05, float(rng.uniform(0.5, 2.0)), prints.screen) if on else glass
    parts = [bevelled(hx, hy, 9, 3, base)]
    phone = [bevelled(4, 0.9 * hy, height * 1.02, 1.5, base)]
    phone.append(quad((4.2, -0.84 * hy, 0.04 * height), (0, 1.68 * hy, 0), (0, 0, 0.94 * height), shown))
    parts.append(posed(join(phone), (0.25 * hx, 0, 8), (0, -15, 0)))
    parts.append(posed(bevelled(5, 0.3 * hy, height * 0.7, 2, base), (-0.6 * hx, 0, 4), (0, 12, 0)))
    return join(parts)


def _adapter(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    shell = dark(rng) if rng.random() < 0.75 else Material(grey(0.75), 0.4, 0.04)
    wire = bent((-0.6 * hx, 0, 4), (-2.2 * hx, 0, 3), (-3.0 * hx, rng.uniform(-2, 2) * hx, 3), 10)
    return join([bevelled(hx, hy, height, 4, shell), capsule(wire, 2.2, shell, 6)])


def _screwdriver(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    steel, grip = Material((0.25, 0.25, 0.26), 0.25, 0.6), vivid(rng) if rng.random() < 0.7 else dark(rng)
    r = min(hy, height / 2)
    handle = capsule(
        np.linspace((-hx + r, 0, r), (-0.1 * hx, 0, r), 6), r * np.array([0.95, 1, 0.85, 1, 0.9, 0.7]), grip
    )
    return join([handle, capsule(np.linspace((-0.1 * hx, 0, r), (hx - 4, 0, r), 3), 3.0, steel, 6)])


def _pliers(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    steel, grip, r = Material((0.12, 0.12, 0.13), 0.3, 0.5), vivid(rng), height / 2
    parts = [moved(bevelled(0.28 * hx, 0.4 * hy, height, 3, steel), (0.3 * hx, 0, 0))]
    for side in (-1, 1):
        handle = bent((-hx + r, side * 0.7 * hy, r), (-0.4 * hx, side * hy * 0.95, r), (0.1 * hx, 0, r))
        parts.append(capsule(handle, r * 0.95, grip, 8))
        jaw = [(0.5 * hx, side * 0.3 * hy, r), (0.75 * hx, side * 0.2 * hy, r), (hx - r, side * 0.05 * hy, r)]
        parts.append(capsule(jaw, r * np.array([0.9, 0.8, 0.5]), steel, 6))
    return join(parts)


def _monitor(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """A foot and a neck, above them the panel, whose lower edge a Vector sees before all else."""
    shell = dark(rng) if rng.random() < 0.8 else Material(grey(0.55), 0.35, 0.05)
    low, half = rng.uniform(85, 140), rng.uniform(230, 330)
    on = rng.random() < 0.6
    glow = float(rng.uniform(0.6, 2.5)) if on else 0.0
    shown = (
        Material((1.0, 1.0, 1.0), 0.2, 0.05, glow, prints.screen) if on else Material(grey(0.006), 0.15, 0.05)
    )
    parts = [
        bevelled(hx, hy, 10, 3, shell),
        moved(box((14, 30, low + 60), shell), (-0.3 * hx, 0, 0)),
        moved(bevelled(14, half, height - low, 4, shell), (0, 0, low)),
        quad((14.4, -half + 9, low + 18), (0, 2 * half - 18, 0), (0, 0, height - low - 28), shown),
    ]
    return join(parts)


def _lamp(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    metal = dark(rng) if rng.random() < 0.6 else plastic(rng)
    knee = np.array((-0.5 * hx, 0, 0.6 * height))
    head = np.array((rng.uniform(0.8, 2.0) * hx, 0, 0.92 * height))
    shade = lathe([(14, 0), (22, -10), (62, -62)], metal, 20)
    warm = Material(
        (1.0, 0.85, 0.6), 0.5, 0.0, emission=float(rng.uniform(4, 18)) if rng.random() < 0.7 else 0.0
    )
    bulb = moved(ellipsoid((24, 24, 20), warm, 10), (0, 0, -62))
    foot = lathe([(0, 0), (hx, 0), (hx, 12), (hx * 0.9, 17), (0, 17)], metal)
    arms = [tube(np.linspace(a, b, 3), 6, metal, 6) for a, b in (((0, 0, 15), knee), (knee, head))]
    return join([foot, *arms, posed(join([shade, bulb]), head, (0, -15, 0))])


def _paper(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    page = Material((1.0, 1.0, 1.0), 0.85, 0.03, layer=prints.page)
    if rng.random() < 0.25:
        page = Material(grey(rng.uniform(0.7, 0.95)), 0.85, 0.03)
    return moved(quad((-hx, -hy, 0), (2 * hx, 0, 0), (0, 2 * hy, 0), page), (0, 0, height))


def _note(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    colors = ((0.9, 0.8, 0.15), (0.9, 0.35, 0.5), (0.3, 0.7, 0.85), (0.5, 0.8, 0.2))
    color = Material(colors[int(rng.integers(len(colors)))], 0.85, 0.03)
    return moved(quad((-hx, -hy, 0), (2 * hx, 0, 0), (0, 2 * hy, 0), color), (0, 0, height))


def _pen(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    r, body = height / 2, vivid(rng) if rng.random() < 0.5 else dark(rng)
    shaft = capsule(np.linspace((-hx + r, 0, r), (0.75 * hx, 0, r), 3), r, body, 7)
    tip = capsule(
        [(0.75 * hx, 0, r), (0.9 * hx, 0, r), (hx - 2, 0, r)], r * np.array([0.9, 0.5, 0.2]), dark(rng), 7
    )
    return join([shaft, tip])


def _cable(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    t, r = np.linspace(-1, 1, 30), height / 2
    if rng.random() < 0.4:  # a coil
        turns = rng.uniform(2, 4) * 2 * np.pi
        reach = min(hx, hy) * (0.75 + 0.2 * np.sin(t * 9))
        path = np.column_stack([reach * np.cos(t * turns / 2), reach * np.sin(t * turns / 2), r + 0 * t])
    else:
        swing = np.sin(t * rng.uniform(1.5, 5) + rng.uniform(0, 6)) * (1 - r / hy)
        path = np.column_stack([t * (hx - r), hy * swing, r + 0 * t])
    return tube(path, r, dark(rng) if rng.random() < 0.7 else Material(grey(0.75), 0.5, 0.04), 6)


def _mat(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    return block(hx, hy, height, 8, dark(rng) if rng.random() < 0.6 else finish(rng, prints.surfaces))


DESK_SHAPES: dict[str, Shape] = {
    "speaker": _speaker,
    "keyboard": _keyboard,
    "mouse": _mouse,
    "notebook": _notebook,
    "books": _books,
    "headphones": _headphones,
    "phone-stand": _phone_stand,
    "adapter": _adapter,
    "screwdriver": _screwdriver,
    "pliers": _pliers,
    "monitor": _monitor,
    "lamp": _lamp,
    "paper": _paper,
    "note": _note,
    "pen": _pen,
    "cable": _cable,
    "mat": _mat,
}
