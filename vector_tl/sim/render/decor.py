"""How a room looks: surfaces, furniture, windows and lamps, drawn from the room's seed."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.sim.render import textures
from vector_tl.sim.render.furniture import furnish_around
from vector_tl.sim.render.mesh import EYE_SHAPES
from vector_tl.sim.render.shapes import Material, box, grid, join, lathe, moved, quad, tube
from vector_tl.sim.render.things import finish, leaning_sheet, thing
from vector_tl.sim.world.room import KINDS
from vector_tl.sim.world.scene import Obstacle, Room

ROUGHNESS, EMISSION = 11, 13  # columns of a vertex row
GRID_MM = 20.0  # of the ground's grid: a thing's contact shadow is some of these wide


@dataclass
class Decor:
    """Everything that the renderer needs to know of a room."""

    ground: np.ndarray  # (N, 15) vertex rows of the surface that is driven on
    surroundings: np.ndarray  # (M, 15) all that stands still
    textures: list[np.ndarray]  # each (SIZE, SIZE, 3) uint8
    to_lamp: tuple[float, float, float]  # unit vector towards the main lamp
    lamp_color: tuple[float, float, float]
    ambient_color: tuple[float, float, float]
    ground_gloss: float  # 0 matte, 1 a mirror at grazing angles
    paint: tuple[float, float, float]  # factors on Vector's albedo, roughness and eye light
    eye_tint: tuple[float, float, float]
    eye_shape: str = "square"  # one of `EYE_SHAPES`


class _Shelf:
    """Collects textures and hands out their layer numbers."""

    def __init__(self, rng: np.random.Generator, photos: list[Path]):
        self.rng, self.photos, self.layers = rng, photos, []

    def add(self, choices) -> int:
        if self.photos and self.rng.random() < 0.35:
            image = decode_or_none(self.photos[self.rng.integers(len(self.photos))].read_bytes())
            if image is not None:
                linear_root = np.power(
                    cv2.resize(image, (textures.SIZE,) * 2) / 255.0, 1.1
                )  # sRGB to the square root of light
                self.layers.append((linear_root * 255).astype(np.uint8))
                return len(self.layers) - 1
        draw = choices[self.rng.integers(len(choices))]
        self.layers.append(draw(self.rng))
        return len(self.layers) - 1


def furnish(room: Room, photos: list[Path] | None = None, without: tuple[str, ...] = ()) -> Decor:
    """Surfaces, things and light for `room`; `photos` (without a Vector) serve as further surface textures; `without`: see `features`."""
    rng = np.random.default_rng([0 if "variety" in without else room.seed, 2])
    shelf = _Shelf(rng, photos or [])
    layers = [shelf.add(textures.THINGS) for _ in range(5)]
    gloss = float(rng.choice([rng.uniform(0, 0.15), rng.uniform(0.15, 0.9)]))
    backlit = bool(rng.random() < 0.5)  # one side of the room is far brighter than the rest
    ground = _ground(room, rng, shelf, gloss, backlit)
    warm = rng.normal(0, 0.12)
    lamp_color = np.array([1 + warm, 1.0, 1 - warm]) * rng.choice([0.0, rng.uniform(0.3, 2.5)], p=[0.2, 0.8])
    azimuth, height = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(25, 80))
    parts = _walls(room, rng, shelf, backlit, layers)
    parts += (
        [_plain_box(o) for o in room.obstacles]
        if "distractors" in without
        else _clutter(room, rng, layers) + _litter(room, rng, layers)
    )
    decor = Decor(
        ground=ground,
        surroundings=join(parts),
        textures=shelf.layers,
        to_lamp=(
            math.cos(azimuth) * math.cos(height),
            math.sin(azimuth) * math.cos(height),
            math.sin(height),
        ),
        lamp_color=tuple(lamp_color),
        ambient_color=tuple(rng.uniform(0.08, 0.6) * np.array([1 - warm / 2, 1.0, 1 + warm / 2])),
        ground_gloss=gloss,
        paint=(
            float(rng.choice([rng.uniform(0.5, 1.2), rng.uniform(1.0, 2.0)])),
            rng.uniform(0.8, 1.5),
            float(rng.uniform(0.5, 3.0)),
        ),
        eye_tint=_eye_tint(rng),
        eye_shape=str(rng.choice(list(EYE_SHAPES), p=(0.55, 0.2, 0.15, 0.1))),
    )
    if "light" in without:
        decor.surroundings[:, EMISSION] = 0.0
        decor = replace(
            decor, to_lamp=(0.3, 0.2, 0.93), lamp_color=(1.0, 1.0, 1.0), ambient_color=(0.4, 0.4, 0.4)
        )
    if "mirrors" in without:
        decor.ground[:, ROUGHNESS] = 1.0
        decor = replace(decor, ground_gloss=0.0)
    if "details" in without:
        decor = replace(decor, paint=(1.0, 1.0, 1.5), eye_tint=(0.10, 0.62, 1.0), eye_shape="square")
    return decor


def _litter(room: Room, rng: np.random.Generator, layers: list[int]) -> list[np.ndarray]:
    """What lies flat on the ground and stops no robot: paper, cards, coasters, pens, cables."""
    parts = []
    for _ in range(rng.choice([0, rng.integers(1, 12)])):
        x_mm, y_mm = rng.uniform(-0.95, 0.95, 2) * (room.half_x_mm, room.half_y_mm)
        heading, kind = rng.uniform(-math.pi, math.pi), rng.random()
        if kind < 0.45:
            wide, deep = rng.uniform(25, 150, 2)
            rows = box((wide, deep, rng.uniform(0.4, 2.5)), finish(rng, layers))
        elif kind < 0.65:
            radius, thick = rng.uniform(10, 60), rng.uniform(0.5, 3.0)
            rows = lathe(np.array([[radius, 0], [radius, thick], [0, thick]]), finish(rng, layers))
        elif kind < 0.8:
            rows = tube(
                np.linspace((-70, 0, 3.5), (70, 0, 3.5), 3), rng.uniform(2.5, 4.0), finish(rng, []), 6
            )
        else:
            at = np.linspace(-1, 1, 24)
            bend = rng.uniform(30, 150) * np.sin(at * rng.uniform(1, 5) + rng.uniform(0, 6))
            rows = tube(
                np.column_stack([at * rng.uniform(100, 500), bend, np.full(24, 2.0)]),
                rng.uniform(1.2, 2.5),
                finish(rng, []),
                5,
            )
        parts.append(moved(rows, (x_mm, y_mm, 0), heading))
    return parts


def _plain_box(obstacle: Obstacle) -> np.ndarray:
    rows = box(
        (obstacle.half_x_mm, obstacle.half_y_mm, obstacle.height_mm), Material((0.4, 0.35, 0.3), 0.8, 0.04)
    )
    return moved(rows, (obstacle.x_mm, obstacle.y_mm, 0), obstacle.heading_rad)


def _eye_tint(rng: np.random.Generator) -> tuple[float, ...]:
    """Mostly some blue or cyan; any colour that a person has chosen otherwise."""
    if rng.random() < 0.85:
        return tuple(np.clip(np.array([0.10, 0.62, 1.0]) * (1 + rng.normal(0, [0.9, 0.2, 0.1])), 0.02, 1.2))
    return tuple(rng.uniform(0.1, 1, 3))


def _ground(room: Room, rng: np.random.Generator, shelf: _Shelf, gloss: float, backlit: bool) -> np.ndarray:
    size_mm = rng.uniform(350, 1400)
    patterns = (textures.mat,) if backlit and rng.random() < 0.6 else textures.FLOORS
    material = Material((1, 1, 1), float(np.clip(1 - gloss, 0.1, 1.0)), 0.04, layer=shelf.add(patterns))
    return shaded_ground(room, material, size_mm)


def shaded_ground(room: Room, material: Material, pattern_mm: float) -> np.ndarray:
    """The ground as a fine grid, darker where a thing stands on it and hides the sky: (N, 15)."""
    hx, hy = room.half_x_mm, room.half_y_mm
    x, y = (np.linspace(-half, half, max(2, math.ceil(2 * half / GRID_MM) + 1)) for half in (hx, hy))
    position = np.stack([*np.meshgrid(x, y, indexing="xy"), np.zeros((len(y), len(x)))], axis=2)
    rows = grid(position[::-1], material, (2 * hx / pattern_mm, 2 * hy / pattern_mm))
    rows[:, 3:6] = (0.0, 0.0, 1.0)
    light = np.ones(len(rows), np.float32)
    for o in room.obstacles:
        dx, dy = rows[:, 0] - o.x_mm, rows[:, 1] - o.y_mm
        if o.round:
            outside_mm = np.hypot(dx, dy) - o.half_x_mm
        else:
            c, s = math.cos(o.heading_rad), math.sin(o.heading_rad)
            over = np.stack([np.abs(dx * c + dy * s) - o.half_x_mm, np.abs(dy * c - dx * s) - o.half_y_mm])
            outside_mm = np.hypot(*over.clip(0)) + over.max(axis=0).clip(max=0)
        light *= 1 - 0.75 * np.exp(-outside_mm.clip(0) / (8 + 0.12 * o.height_mm))
    rows[:, 8:11] *= light[:, None]
    return rows


def _walls(
    room: Room, rng: np.random.Generator, shelf: _Shelf, backlit: bool, layers: list[int]
) -> list[np.ndarray]:
    """Four walls with hangings and windows, a ceiling, furniture, and around the ground that is driven on the room's floor."""
    floor = 0.0 if room.surface == "floor" else -720.0
    away = rng.uniform(200, 1200) if room.surface == "floor" else rng.uniform(600, 2500)
    hx, hy, top = room.half_x_mm + away, room.half_y_mm + away * rng.uniform(0.5, 1.5), floor + 2500
    wall = Material(tuple(rng.uniform(0.4, 1.0, 1).repeat(3)), 0.9, 0.02, layer=shelf.add(textures.WALLS))
    parts = [quad((-hx, -hy, top), (2 * hx, 0, 0), (0, 2 * hy, 0), Material((0.8, 0.8, 0.8), 0.9, 0.02))]
    parts += furnish_around(room, floor, (hx, hy), rng, layers)
    if room.surface == "floor":
        parts.append(
            quad(
                (-hx, -hy, -1.5),
                (2 * hx, 0, 0),
                (0, 2 * hy, 0),
                Material((0.6, 0.6, 0.6), 0.9, 0.03, layer=shelf.add(textures.FLOORS)),
                (4, 4),
            )
        )
    else:
        below = Material((0.7, 0.7, 0.7), rng.uniform(0.3, 1), 0.04, layer=shelf.add(textures.FLOORS))
        parts.append(quad((-hx, -hy, floor), (2 * hx, 0, 0), (0, 2 * hy, 0), below, (4, 4)))
        parts += _table_edge(room, rng)
    corners = [(-hx, -hy), (hx, -hy), (hx, hy), (-hx, hy)]
    sides = set(rng.choice(4, rng.integers(1, 4), replace=False)) if backlit or rng.random() < 0.7 else set()
    hangings = [shelf.add(textures.HANGINGS) for _ in range(rng.integers(2, 6))]
    outdoors = shelf.add((textures.outdoors,))
    for side in range(4):
        a, b = np.array([*corners[side], floor]), np.array([*corners[(side + 1) % 4], floor])
        along, up, inward = (
            b - a,
            np.array([0, 0, top - floor]),
            np.array([a[1] - b[1], b[0] - a[0], 0]) / np.linalg.norm(b - a),
        )
        length = float(np.linalg.norm(along))
        glow = rng.uniform(2.0, 20.0) if backlit and side in sides and rng.random() < 0.7 else 0.0
        lit = Material(wall.color, wall.roughness, wall.reflectance, glow, wall.layer)
        parts.append(quad(a, along, up, lit, (length / 900, 2500 / 900)))
        x = rng.uniform(0, 250)
        while x < length - 150:  # a frieze of hangings, windows and furniture along the wall
            width = rng.uniform(120, min(1100, max(200, length * 0.6)))
            low, tall = rng.uniform(0, 900), rng.uniform(200, 1700)
            if rng.random() < 0.4:
                low = 0.0
            width = min(width, length - x)
            if side in sides and rng.random() < 0.5:
                panel = Material(
                    (1, 1, 1),
                    0.2,
                    0.04,
                    rng.uniform(3.0, 25.0) if backlit else rng.uniform(1.5, 5.0),
                    outdoors,
                )
            else:
                panel = Material(
                    tuple(rng.uniform(0.3, 1.0, 1).repeat(3)),
                    rng.uniform(0.3, 1),
                    0.04,
                    layer=int(rng.choice(hangings)),
                )
            origin = a + along / length * x + inward * rng.uniform(5, 40) + (0, 0, low)
            if rng.random() < 0.75:
                parts.append(
                    quad(
                        origin,
                        along / length * width,
                        (0, 0, min(tall, top - floor - low)),
                        panel,
                        (max(1, round(width / 600)), 1),
                    )
                )
            x += width * rng.uniform(1.0, 1.8)
    for _ in range(rng.integers(0, 3)):  # lamps in the ceiling
        center, half = (
            np.array([rng.uniform(-hx, hx) * 0.7, rng.uniform(-hy, hy) * 0.7, top - 10]),
            rng.uniform(60, 350),
        )
        parts.append(
            quad(
                center - (half, half, 0),
                (2 * half, 0, 0),
                (0, 2 * half, 0),
                Material((1, 0.95, 0.85), 0.5, 0.0, rng.uniform(4, 20)),
            )
        )
    return parts


def _table_edge(room: Room, rng: np.random.Generator) -> list[np.ndarray]:
    """The table's rim: its sides, and often a low kerb or a pale line along its border."""
    hx, hy = room.half_x_mm, room.half_y_mm
    material = finish(rng, [])
    parts = []
    line = rng.random() < 0.4
    kerb = rng.uniform(6, 40) if rng.random() < 0.4 else 0.0
    pale = Material(tuple(rng.uniform(0.5, 0.9, 1).repeat(3)), 0.5, 0.04)
    for (x, y), (u, v) in zip(
        ((-hx, -hy), (hx, -hy), (hx, hy), (-hx, hy)),
        ((2 * hx, 0), (0, 2 * hy), (-2 * hx, 0), (0, -2 * hy)),
        strict=True,
    ):
        parts.append(quad((x, y, -30), (u, v, 0), (0, 0, 30 + kerb), material))
        inward = np.array([-v, u, 0]) / math.hypot(u, v)
        if line:
            border = rng.uniform(40, 90)
            parts.append(
                quad(np.array([x, y, 0.4]) + inward * border, (u, v, 0), inward * rng.uniform(3, 9), pale)
            )
    return parts


def _clutter(room: Room, rng: np.random.Generator, layers: list[int]) -> list[np.ndarray]:
    """The obstacles themselves, and behind a table's edge things on chairs and sideboards at the level of the eye."""
    parts = [
        moved(
            thing(o.kind, o.half_x_mm, o.half_y_mm, o.height_mm, rng, layers),
            (o.x_mm, o.y_mm, 0),
            o.heading_rad,
        )
        for o in room.obstacles
    ]
    if room.surface == "table":
        for _ in range(rng.integers(0, 9)):
            kind = str(rng.choice(list(KINDS)))
            widths, heights = KINDS[kind]
            half, grow = rng.uniform(*widths), rng.uniform(1, 2.5)
            angle = rng.uniform(-math.pi, math.pi)
            reach = math.hypot(room.half_x_mm, room.half_y_mm) + half * grow + rng.uniform(50, 500)
            rows = thing(
                kind,
                half * grow,
                half * grow * rng.uniform(0.5, 1),
                rng.uniform(*heights) * grow,
                rng,
                layers,
            )
            parts.append(
                moved(
                    rows,
                    (reach * math.cos(angle), reach * math.sin(angle), rng.uniform(-300, 60)),
                    rng.uniform(-math.pi, math.pi),
                )
            )
    for _ in range(rng.integers(0, 3)):
        sheet = leaning_sheet(rng.uniform(40, 250), rng.uniform(40, 250), finish(rng, layers))
        x, y = rng.choice([-1, 1], 2) * rng.uniform(0.75, 0.98, 2) * (room.half_x_mm, room.half_y_mm)
        parts.append(moved(sheet, (x, y, 0), rng.uniform(-math.pi, math.pi)))
    return parts
