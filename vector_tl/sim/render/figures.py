"""People and toys in rooms of harder kinds: hands with sleeves, torsos in printed shirts, trucks, animals.

As in `things`, each is drawn as vertex rows (N, 15) that stand on z = 0 within a footprint of half sizes hx,
hy (mm) and face +x; arms and bodies reach beyond it where they are higher than a Vector.
"""

from collections.abc import Callable

import numpy as np

from vector_tl.sim.render.desk import Rng, dark, plastic, vivid
from vector_tl.sim.render.light_cube import light_cube
from vector_tl.sim.render.prints import Prints
from vector_tl.sim.render.shapes import Material, box, ellipsoid, grey, join, moved, rgb, rounded_patch
from vector_tl.sim.render.solids import bent, bevelled, capsule, mirrored, posed, prism, wheel
from vector_tl.sim.render.things import block

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
    """A right hand that reaches in along +x: flat on the ground, or around a light cube, which it may lift."""
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
            capsule([wrist, np.add(wrist, (25, 0, -4)), np.add(wrist, (50, 0, -6))], (25, 30, 16), of_skin)
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
            capsule([hand, np.add(hand, (25, 0, -6)), np.add(hand, (52, 0, -14))], (24, 28, 14), of_skin)
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


FIGURES: dict[str, Callable[[float, float, float, Rng, Prints], np.ndarray]] = {
    "hand": _hand,
    "torso": _torso,
    "sitter": _sitter,
    "truck": _truck,
    "car": _car,
    "blocks": _blocks,
    "plush": _plush,
    "animal": _animal,
}
