"""People in rooms of harder kinds: hands with sleeves, torsos in printed shirts.

As in `vessels`, but arms and bodies reach beyond their footprint where they are higher than a Vector.
"""

import numpy as np

from vector_tl.sim.render.light_cube import light_cube
from vector_tl.sim.render.prints import Prints
from vector_tl.sim.render.shapes import (
    Material,
    ellipsoid,
    join,
    moved,
    rgb,
)
from vector_tl.sim.render.solids import bent, capsule, posed
from vector_tl.sim.render.things import Rng, block, plastic
from vector_tl.sim.render.vessels import Shape

SKIN = ((0.75, 0.45, 0.32), (0.62, 0.36, 0.24), (0.45, 0.24, 0.14), (0.25, 0.12, 0.07), (0.10, 0.05, 0.03))
FINGERS = ((26.0, 62.0, 8.0), (9.0, 70.0, 8.6), (-9.0, 66.0, 8.4), (-26.0, 54.0, 7.2))  # y, length, radius


def skin(rng: Rng) -> Material:
    """A colour of skin."""
    tone = np.array(SKIN[int(rng.integers(len(SKIN)))]) * rng.uniform(0.85, 1.15)
    return Material(rgb(tone.clip(0.02, 0.9)), 0.6, 0.035)


def cloth(rng: Rng, prints: Prints) -> Material:
    """A shirt or a sleeve."""
    if rng.random() < 0.6:
        return Material((1.0, 1.0, 1.0), 0.9, 0.02, layer=prints.shirt)
    return Material(plastic(rng, 0.4).color, 0.9, 0.02)


def _hand(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """A hand that reaches in along +x: flat on the ground, or around a light cube, which it may lift."""
    of_skin, grown, case = skin(rng), hx / 90, rng.random()
    if case < 0.35:
        rows, wrist = _flat_hand(of_skin, rng), np.array((-38.0, 0.0, 20.0))
    else:
        rows, wrist = _gripping_hand(of_skin), np.array((-62.0, 4.0, 48.0))
        if case < 0.85:
            rows = join([rows, light_cube(rng, prints.markers)])
    rise = rng.uniform(0.25, 0.7)
    away = np.array((-np.cos(rise), rng.uniform(-0.25, 0.25), np.sin(rise)))
    arm = np.array([wrist + t * away for t in (0, 35, 90, 190, 300)])
    sleeve = wrist + np.array([[t] for t in (rng.uniform(40, 110), 200, 330)]) * away
    parts = [rows, capsule(arm, (23, 24, 29, 36, 42), of_skin, 14)]
    if rng.random() < 0.8:
        parts.append(capsule(sleeve, (37, 46, 56), cloth(rng, prints), 14))
    whole = moved(join(parts), scale=(grown,) * 3)
    whole[:, 2] = whole[:, 2].clip(0)
    if rng.random() < 0.5:
        whole[:, [1, 4]] *= -1  # a left hand
    lifted = rng.uniform(5, 60) if case >= 0.35 and rng.random() < 0.4 else 0.0
    return moved(whole, (0, 0, lifted))


def _flat_hand(of_skin: Material, rng: Rng) -> np.ndarray:
    parts = [moved(block(42, 39, 25, 2.7, of_skin), (0, 0, 2))]
    curl = rng.uniform(0, 18)
    for y, length, radius in FINGERS:
        knuckle, tip = np.array((34.0, y, 17.0)), np.array((34.0 + 0.8 * length - curl, y * 1.2, radius))
        middle = (0.6 * knuckle + 0.4 * tip) + (0, 0, 6 + curl)
        parts.append(
            capsule(bent(knuckle, middle, tip), np.linspace(radius * 1.15, radius * 0.8, 7), of_skin)
        )
    thumb = bent((-18, -32, 14), (8, -50, 16), (34, -42, 10))
    return join([*parts, capsule(thumb, np.linspace(12, 8.5, 7), of_skin)])


def _gripping_hand(of_skin: Material) -> np.ndarray:
    """Fingers to the left and the thumb to the right of a cube at the origin, the palm behind it."""
    palm = posed(block(40, 20, 62, 2.6, of_skin), (-52, 0, 14), (0, -25, 0))
    parts = [moved(palm, heading_rad=0.0)]
    for z, length, radius in ((52, 62, 8.4), (36, 66, 8.6), (21, 60, 8.2), (8.2, 48, 7.0)):
        path = bent((-44, 22, z + 6), (-12, 42, z + 2), (-34 + 0.85 * length, 30.5, z))
        parts.append(capsule(path, np.linspace(radius * 1.15, radius * 0.85, 7), of_skin))
    thumb = bent((-58, -14, 46), (-26, -44, 44), (8, -31.5, 34))
    return join([*parts, capsule(thumb, np.linspace(13, 9, 7), of_skin)])


def _torso(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """Somebody who sits or stands at the table: z = 0 is the table's top, the body begins below it."""
    of_skin, shirt = skin(rng), cloth(rng, prints)
    chest = moved(posed(block(hx, hy, height + 350, 2.7, shirt), turn_deg=(0, 0, 180)), (0, 0, -350))
    parts = [chest, _head(height, of_skin, rng)]
    for side in (-1, 1):
        shoulder, elbow = (0, side * hy * 0.95, height - 70), (0.6 * hx, side * (hy + 60), height * 0.35)
        wrist = (hx + rng.uniform(30, 90), side * hy * rng.uniform(0.3, 0.9), 95)
        parts.append(capsule(bent(shoulder, elbow, wrist, 9), np.linspace(62, 36, 9), shirt, 14))
        parts.append(
            capsule(np.asarray(wrist) + [(0, 0, 0), (25, 0, -4), (50, 0, -6)], (25, 30, 16), of_skin)
        )
    return join(parts)


def _sitter(hx: float, hy: float, height: float, rng: Rng, prints: Prints) -> np.ndarray:
    """Somebody who sits on the floor with crossed legs."""
    of_skin, shirt = skin(rng), cloth(rng, prints)
    denim = np.array((0.03, 0.05, 0.12)) * rng.uniform(0.4, 2.5)
    trousers = Material(rgb(denim), 0.9, 0.02)
    back = -0.45 * hx
    chest = posed(block(0.5 * hx, 0.8 * hy, height - 60, 2.6, shirt), (back, 0, 60), (0, 0, 180))
    parts = [moved(block(0.55 * hx, 0.85 * hy, 170, 2.6, trousers), (back, 0, 0)), chest]
    parts.append(moved(_head(height, of_skin, rng), (back, 0, 0)))
    for side in (-1, 1):
        knee = (0.55 * hx, side * (hy - 62), 75)
        parts.append(
            capsule(
                bent((back, side * 0.5 * hy, 90), (0.1 * hx, side * 0.9 * hy, 120), knee, 7),
                np.linspace(80, 58, 7),
                trousers,
                14,
            )
        )
        foot = (0.62 * hx, -side * 0.2 * hy, 52)
        parts.append(
            capsule(
                bent(knee, (0.7 * hx, side * 0.3 * hy, 66), foot, 7), np.linspace(55, 42, 7), trousers, 12
            )
        )
        shoulder = (back, side * 0.78 * hy, height - 80)
        hand = (0.35 * hx, side * 0.5 * hy, 160)
        arm = bent(shoulder, (back * 0.3, side * (hy + 40), 0.45 * height), hand, 9)
        parts.append(capsule(arm, np.linspace(55, 32, 9), shirt, 12))
        parts.append(
            capsule(np.asarray(hand) + [(0, 0, 0), (25, 0, -6), (52, 0, -14)], (24, 28, 14), of_skin)
        )
    rows = join(parts)
    rows[:, 2] = rows[:, 2].clip(0)
    return rows


def _head(shoulders_mm: float, of_skin: Material, rng: Rng) -> np.ndarray:
    hair = Material(rgb(np.array((0.04, 0.025, 0.015)) * rng.uniform(0.2, 8)), 0.7, 0.04)
    neck = capsule(np.linspace((0, 0, shoulders_mm - 30), (10, 0, shoulders_mm + 90), 3), 52, of_skin, 12)
    face = moved(ellipsoid((95, 76, 118), of_skin, 18), (18, 0, shoulders_mm + 45))
    scalp = moved(ellipsoid((98, 84, 105), hair, 18), (-4, 0, shoulders_mm + 88))
    return join([neck, face, scalp])


FIGURES: dict[str, Shape] = {
    "hand": _hand,
    "torso": _torso,
    "sitter": _sitter,
}
