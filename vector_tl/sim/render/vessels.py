"""Round things of desks and floors in rooms of harder kinds: mugs, bottles, plants, dishes, tape, cans.

As in `things`, each is drawn as vertex rows (N, 15) that stand on z = 0 within a footprint of half sizes hx,
hy (mm) and face +x; what is higher than a Vector may reach beyond its footprint.
"""

from collections.abc import Callable

import numpy as np

from vector_tl.sim.render.prints import Prints
from vector_tl.sim.render.shapes import (
    Material,
    ellipsoid,
    grey,
    join,
    lathe,
    moved,
    rgb,
)
from vector_tl.sim.render.solids import capsule, posed
from vector_tl.sim.render.things import Rng, dark, finish, plastic, vivid

Shape = Callable[[float, float, float, Rng, Prints], np.ndarray]


def _ribbed_mug(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    glaze = finish(rng, []) if rng.random() < 0.5 else plastic(rng, 0.3)
    radius, ribs = hx * 0.72, int(rng.integers(5, 11))
    z = np.linspace(0, 1, 4 * ribs + 1)
    wave = radius * (1 - 0.05 * (np.sin(z * ribs * 2 * np.pi) > 0) * (z < 0.92))
    inside = [(radius * 0.92, height), (radius * 0.88, height * 0.1), (0, height * 0.1)]
    wall = np.vstack([[(0, 0)], np.column_stack([wave, z * height]), inside])
    arc = np.linspace(-np.pi / 2, np.pi / 2, 9)
    handle = np.column_stack(
        [radius * 0.94 + hx * 0.22 * np.cos(arc), 0 * arc, height * (0.5 + 0.28 * np.sin(arc))]
    )
    return join([lathe(wall, glaze), capsule(handle, hx * 0.07, glaze, 8)])


def _blue_bottle(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    blue = Material(
        rgb(np.array((0.02, 0.12, 0.45)) * rng.uniform(0.4, 1.6) + rng.uniform(0, 0.03, 3)),
        rng.uniform(0.06, 0.35),
        0.06,
    )
    neck = rng.uniform(0.4, 0.7)
    z = np.array([0, 0, 0.03, 0.7, 0.76, 0.82, 0.88]) * height
    r = np.array([0, 0.93, 1, 1, 0.9, neck * 1.1, neck]) * hx
    cap = dark(rng) if rng.random() < 0.6 else plastic(rng)
    lid = lathe([(hx * neck * 1.15, 0), (hx * neck * 1.15, height * 0.12), (0, height * 0.12)], cap)
    return join([lathe(np.column_stack([r, z]), blue), moved(lid, (0, 0, height * 0.88))])


def _plant(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    pot = height * rng.uniform(0.25, 0.4)
    clay = finish(rng, prints.surfaces) if rng.random() < 0.5 else Material((0.35, 0.12, 0.06), 0.8, 0.03)
    rim = hx * rng.uniform(0.8, 1.0)
    wall = [
        (0, 0),
        (0.72 * rim, 0),
        (0.95 * rim, 0.88 * pot),
        (rim, 0.88 * pot),
        (rim, pot),
        (0.9 * rim, pot),
    ]
    earth = [(0.9 * rim, 0.9 * pot), (0, 0.9 * pot)]
    parts = [lathe(np.array(wall), clay), lathe(np.array(earth), Material((0.03, 0.02, 0.015), 0.95, 0.02))]
    for _ in range(int(rng.integers(7, 18))):
        color = Material(
            (rng.uniform(0.02, 0.12), rng.uniform(0.08, 0.3), rng.uniform(0.01, 0.06)), 0.55, 0.04
        )
        angle, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.6)
        length = (height - pot) * rng.uniform(0.5, 1.0)
        leaf = ellipsoid((length * rng.uniform(0.08, 0.16), length * 0.03, length / 2), color, 10)
        turned = posed(leaf, (0, 0, 0), (0, np.degrees(lean), np.degrees(angle)))
        parts.append(moved(turned, (0.2 * rim * np.cos(angle), 0.2 * rim * np.sin(angle), 0.9 * pot)))
    rows = join(parts)
    rows[:, 2] = rows[:, 2].clip(0)
    return rows


def _black_dish(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    z = np.linspace(0, 1, 7)
    outside = np.column_stack([hx * (0.5 + 0.5 * np.sqrt(z)), height * z])
    glaze = Material(grey(rng.uniform(0.004, 0.025)), rng.uniform(0.06, 0.45), 0.05)
    return lathe(
        np.vstack([[0, 0], outside, outside[::-1] * (0.94, 0.95) + (0, 0.06 * height), [0, 0.1 * height]]),
        glaze,
        28,
    )


def _tape(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    inner, material = hx * rng.uniform(0.55, 0.75), dark(rng) if rng.random() < 0.5 else plastic(rng)
    wall = [(inner, 0), (hx, 0), (hx, height), (inner, height), (inner, 0)]
    return lathe(np.array(wall), material, 32)


def _pen_pot(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    tall = 0.6 * height
    wall = [(0, 0), (hx, 0), (hx, tall), (hx * 0.92, tall), (hx * 0.92, 4), (0, 4)]
    parts = [lathe(np.array(wall), dark(rng) if rng.random() < 0.5 else finish(rng, prints.surfaces))]
    for _ in range(int(rng.integers(2, 9))):
        foot, top = rng.uniform(-0.4, 0.4, 2) * hx, rng.uniform(-0.65, 0.65, 2) * hx
        path = np.linspace((*foot, 6), (*top, height * rng.uniform(0.8, 1.0)), 3)
        parts.append(capsule(path, rng.uniform(3, 4.5), vivid(rng) if rng.random() < 0.6 else dark(rng), 6))
    return join(parts)


def _can(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    r = np.array([0, 0.8, 1, 1, 0.86, 0.86, 0.8, 0]) * hx
    z = np.array([0, 0, 0.06, 0.92, 0.985, 1, 0.98, 0.98]) * height
    skin = vivid(rng) if rng.random() < 0.5 else finish(rng, prints.surfaces)
    return lathe(np.column_stack([r, z]), skin)


VESSELS: dict[str, Shape] = {
    "ribbed-mug": _ribbed_mug,
    "blue-bottle": _blue_bottle,
    "plant": _plant,
    "black-dish": _black_dish,
    "tape": _tape,
    "pen-pot": _pen_pot,
    "can": _can,
}
