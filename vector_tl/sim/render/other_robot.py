"""A robot that is no Vector: Cozmo, drawn from what photographs show of it.

White body with brushed panels, red rings on its head's sides, white wheels in black treads, white arms, and a
face whose eyes are light-blue blocks of scan lines.
"""

import numpy as np

from vector_tl.sim.render.prints import Prints
from vector_tl.sim.render.shapes import Material, box, grey, join, moved, quad, rgb, rounded_patch
from vector_tl.sim.render.solids import bent, bevelled, capsule, hull, mirrored, posed, prism, wheel

LINES = 5  # of an eye on the coarse screen
PAINTS = ((0.78, 0.78, 0.77), (0.78, 0.78, 0.77), (0.72, 0.71, 0.68), (0.05, 0.16, 0.42), (0.30, 0.31, 0.33))
ACCENTS = ((0.55, 0.01, 0.02), (0.55, 0.01, 0.02), (0.7, 0.45, 0.02))


def cozmo(hx: float, hy: float, height: float, rng: np.random.Generator, prints: Prints) -> np.ndarray:
    """The robot within its footprint, vertex rows (N, 15): on z = 0, facing +x, 114 mm long at scale 1."""
    paint = Material(PAINTS[int(rng.integers(len(PAINTS)))], rng.uniform(0.25, 0.5), 0.05)
    accent = Material(ACCENTS[int(rng.integers(len(ACCENTS)))], 0.35, 0.05)
    panel = Material((0.30, 0.27, 0.22), 0.35, 0.25)
    raised = rng.uniform(-0.36, -0.2) if rng.random() < 0.75 else rng.uniform(-0.2, 0.6)
    parts = [
        *_body(paint, panel, accent),
        _head(paint, panel, accent, rng),
        _arms(paint, raised),
    ]
    parts.append(mirrored(_track(paint, accent)))
    return moved(join(parts), scale=(hx / 57, hy / 31, height / 69))


def _body(paint: Material, panel: Material, accent: Material) -> list[np.ndarray]:
    side = [(-50, 12), (-56, 30), (-50, 44), (-34, 55), (-18, 55), (6, 34), (16, 26), (16, 9), (-44, 8)]
    seam = [(-22, 30), (-24.5, 57), (-21, 57.5), (-18, 30)]
    back = [(-56.4, 30), (-50.4, 44.5), (-34, 55.6), (-34, 50), (-48, 36)]
    front = moved(bevelled(4, 12, 14, 2, panel), (14, 0, 10))
    return [prism(side, 17, paint), prism(back, 11, panel), prism(seam, 17.6, accent), front]


def _head(paint: Material, panel: Material, accent: Material, rng: np.random.Generator) -> np.ndarray:
    """About its pivot, tilted as it pleases; its face is flat, unlike a Vector's rounded one."""
    skull = [(-24, 4), (-20, 20), (-4, 23), (16, 19), (22, 4), (20, -11), (2, -15), (-18, -10)]
    parts = [
        prism(skull, 21.5, paint),
        prism([(-19, 20.4), (-4, 23.5), (12, 20.4), (12, 17), (-19, 17)], 12, panel),
    ]
    for x in (-13, -9, -5, -1):
        parts.append(moved(box((1.0, 8, 0.8), paint), (x, 0, 22.8)))
    ears = [
        rounded_patch((-3, 21.9 + k, 3), (r, 0, 0), (0, 0, -r), 2.4, m)
        for k, r, m in ((0, 12, accent), (0.3, 9, paint), (0.6, 3.5, accent))
    ]
    black = Material(grey(0.004), 0.08, 0.06)
    across, up = np.array((0.0, 1.0, 0.0)), np.array((-2.0, 0.0, 15.0)) / 15.13
    face = np.array((22.3, 0.0, 4.0))
    parts.append(
        hull(
            [face + (d, y * 19, 0) + z * up for d in (-2, 0.3) for y in (-1, 1) for z in (-13.5, 13.5)], black
        )
    )
    if rng.random() < 0.85:
        parts += _eyes(face + (0.8, 0, 0), across, up, rng)
    return moved(
        posed(join([*parts, mirrored(join(ears))]), turn_deg=(0, -rng.uniform(-15, 30), 0)), (-8, 0, 45)
    )


def _eyes(
    middle: np.ndarray, across: np.ndarray, up: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Two blocks of scan lines on the screen."""
    light = Material(
        rgb(np.array((0.25, 0.75, 1.0)) * rng.uniform(0.8, 1.1)), 0.5, 0.0, float(rng.uniform(1.2, 4))
    )
    half_w, half_h = rng.uniform(4.2, 5.4), rng.uniform(2.5, 6.0)
    lines = []
    for eye in (-7.6, 7.6):
        for z in (np.arange(LINES) + 0.5) / LINES * 2 - 1:
            wide = half_w * (0.8 if abs(z) > 0.7 else 1.0)
            corner = middle + (eye - wide) * across + (z - 0.72 / LINES) * half_h * up
            lines.append(quad(corner, 2 * wide * across, 1.44 / LINES * half_h * up, light))
    return lines


def _arms(paint: Material, raised_rad: float) -> np.ndarray:
    """Two white bars on each side to a fork before the body."""
    reach = np.array((66 * np.cos(raised_rad), 0.0, 66 * np.sin(raised_rad)))
    fork_down = np.array((4.0, 0.0, -14.0))
    rows = []
    for x, z, share in ((-38, 41, 1.0), (-37, 31, 1.0)):
        start = np.array((x, 27.5, z))
        end = start + share * reach
        rows.append(capsule(bent(start, (start + end) / 2 + (0, 0, 6), end, 5), 3.0, paint, 7))
    tip = np.array((-38, 27.5, 36)) + reach
    low = max(tip[2] + fork_down[2], 6.0)
    rows.append(
        capsule([tip, (tip[0] + 5, 27.5, (tip[2] + low) / 2), (tip[0] + 5, 27.5, low)], 3.2, paint, 7)
    )
    bar = moved(bevelled(4, 30, 7, 1.5, paint), (tip[0] + 6, 0, low - 3))
    return join([mirrored(join(rows)), bar])


def _track(paint: Material, accent: Material) -> np.ndarray:
    """The left track: a black band around two white wheels."""
    rubber = Material(grey(0.012), 0.75, 0.03)
    front, rear = ((4.0, 14.0), 14.0), ((-43.0, 11.5), 11.5)
    band = np.concatenate([wheel(*front), wheel(*rear)])
    parts = [moved(prism(band, 5.5, rubber), (0, 23, 0))]
    for center, radius in (front, rear):
        for k, (share, material) in enumerate(
            ((0.8, paint), (0.42, Material(grey(0.25), 0.4, 0.1)), (0.2, accent))
        ):
            r = share * radius
            parts.append(
                rounded_patch((center[0], 28.7 + 0.3 * k, center[1]), (r, 0, 0), (0, 0, -r), 2.0, material)
            )
    return join(parts)
