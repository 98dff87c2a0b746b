"""How a room looks: surfaces, furniture, windows and lamps, drawn from the room's seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.sim.render import textures
from vector_tl.sim.render.furniture import furnish_around
from vector_tl.sim.render.harder import desk_top, harder_things
from vector_tl.sim.render.held_out_surfaces import instead_of
from vector_tl.sim.render.held_out_things import design
from vector_tl.sim.render.looks import held_out_eyes
from vector_tl.sim.render.mesh import EYE_RGB, EYE_SHAPES
from vector_tl.sim.render.shapes import (
    Material,
    box,
    grey,
    grid,
    join,
    lathe,
    lattice_corners,
    level,
    moved,
    quad,
    rgb,
    ring,
    tube,
)
from vector_tl.sim.render.things import finish, leaning_sheet, random_kind, thing
from vector_tl.sim.world.held_out import is_held_out
from vector_tl.sim.world.room import KINDS
from vector_tl.sim.world.scene import Obstacle, Rgb, Room

ROUGHNESS, EMISSION = 11, 13  # columns of a vertex row
GRID_MM = 20.0  # of the ground's grid: a thing's contact shadow is a few of these wide


@dataclass
class Decor:
    """Everything that the renderer needs to know about a room."""

    ground: np.ndarray  # (N, 15) vertex rows of the surface to drive on
    surroundings: np.ndarray  # (M, 15) all that stands still
    textures: list[np.ndarray]  # each (SIZE, SIZE, 3) uint8
    to_lamp: tuple[float, float, float]  # unit vector towards the main lamp
    lamp_color: Rgb
    ambient_color: Rgb
    ground_gloss: float  # 0 matte, 1 a mirror at grazing angles
    paint: tuple[float, float, float]  # factors on Vector's albedo, roughness and eye light
    eye_tint: Rgb
    eye_shape: str = "square"  # one of `EYE_SHAPES`
    things: tuple[tuple[str, np.ndarray], ...] = ()  # what a room's kinds have put into it: kind, (N, 15)


class _Shelf:
    """Collects textures and hands out their layer numbers."""

    def __init__(
        self,
        rng: np.random.Generator,
        photos: list[Path],
        held_out: bool,
        draw: textures.Draw = textures.drawn,
    ):
        self.rng, self.photos, self.held_out, self.draw = rng, photos, held_out, draw
        self.layers: list[Any] = []

    def add(self, choices: Sequence[textures.Texture]) -> int:
        """Draw a texture, one of `choices` or now and then a photograph. Returns its layer."""
        layer = self._photo()
        if layer is None:
            choices = instead_of(choices) if self.held_out else choices
            layer = self.draw(choices[int(self.rng.integers(len(choices)))], self.rng)
        self.layers.append(layer)
        return len(self.layers) - 1

    def _photo(self) -> np.ndarray | None:
        if not self.photos or self.rng.random() >= 0.35:
            return None
        image = decode_or_none(self.photos[self.rng.integers(len(self.photos))].read_bytes())
        if image is None:
            return None
        small = cv2.resize(image, (textures.SIZE,) * 2) / 255.0
        return (np.power(small, 1.1) * 255).astype(np.uint8)  # sRGB to the square root of light


def direction(azimuth_rad: float, height_rad: float) -> tuple[float, float, float]:
    """The unit vector towards an azimuth (left positive) and a height above the horizon."""
    level_part = math.cos(height_rad)
    return math.cos(azimuth_rad) * level_part, math.sin(azimuth_rad) * level_part, math.sin(height_rad)


def furnish(
    room: Room,
    photos: list[Path] | None = None,
    without: tuple[str, ...] = (),
    draw: textures.Draw = textures.drawn,
) -> Decor:
    """Surfaces, things and light for a room.

    Args:
        room: the room.
        photos: photographs without a Vector in them, further surface textures.
        without: what is left out, of `robot.sim_features.FEATURES`.
        draw: how textures are drawn; the decor's `textures` are what it returns.
    """
    rng = np.random.default_rng([0 if "variety" in without else room.seed, 2])
    shelf = _Shelf(rng, photos or [], is_held_out(room.seed), draw)
    layers = [shelf.add(textures.THINGS) for _ in range(5)]
    gloss = float(rng.choice([rng.uniform(0, 0.15), rng.uniform(0.15, 0.9)]))
    backlit = bool(rng.random() < 0.5)  # one side of the room is far brighter than the rest
    ground = _ground(rng, shelf, gloss, backlit)
    warm = rng.normal(0, 0.12)
    lamp_color = np.array([1 + warm, 1.0, 1 - warm]) * rng.choice([0.0, rng.uniform(0.3, 2.5)], p=[0.2, 0.8])
    azimuth, height = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(25, 80))
    parts = _surroundings(room, rng, shelf, backlit, layers)
    things: list[tuple[str, np.ndarray]] = []
    if "distractors" in without:
        parts += [_plain_box(o) for o in room.obstacles]
    else:
        parts += _clutter(room, rng, layers) + _litter(room, rng, layers)
        things = harder_things(room, shelf.layers, layers, draw)
        ground = desk_top(room, shelf.layers, draw) or ground
    decor = Decor(
        ground=shaded_ground(room, *ground),
        surroundings=join(parts),
        textures=shelf.layers,
        to_lamp=direction(azimuth, height),
        lamp_color=rgb(lamp_color),
        ambient_color=rgb(rng.uniform(0.08, 0.6) * np.array([1 - warm / 2, 1.0, 1 + warm / 2])),
        ground_gloss=gloss,
        paint=(
            float(rng.choice([rng.uniform(0.5, 1.2), rng.uniform(1.0, 2.0)])),
            rng.uniform(0.8, 1.5),
            float(rng.uniform(0.5, 3.0)),
        ),
        eye_tint=_eye_tint(rng),
        eye_shape=str(rng.choice(list(EYE_SHAPES), p=(0.55, 0.2, 0.15, 0.1))),
        things=tuple(things),
    )
    if is_held_out(room.seed):
        eye_rgb, eye_shape = held_out_eyes(np.random.default_rng([room.seed, 11]))
        decor = replace(decor, eye_tint=eye_rgb, eye_shape=eye_shape)
    if "light" in without:
        decor.surroundings[:, EMISSION] = 0.0
        decor = replace(decor, to_lamp=(0.3, 0.2, 0.93), lamp_color=grey(1.0), ambient_color=grey(0.4))
    if "mirrors" in without:
        decor.ground[:, ROUGHNESS] = 1.0
        decor = replace(decor, ground_gloss=0.0)
    if "details" in without:
        decor = replace(decor, paint=(1.0, 1.0, 1.5), eye_tint=EYE_RGB, eye_shape="square")
    return decor


def _litter(room: Room, rng: np.random.Generator, layers: list[int]) -> list[np.ndarray]:
    """What lies flat on the ground and stops no robot: paper, cards, coasters, pens, cables."""
    parts = []
    for _ in range(int(rng.choice([0, int(rng.integers(1, 12))]))):
        x_mm, y_mm = rng.uniform(-0.95, 0.95, 2) * (room.half_x_mm, room.half_y_mm)
        heading, kind = rng.uniform(-math.pi, math.pi), rng.random()
        if kind < 0.45:
            wide, deep = rng.uniform(25, 150, 2)
            rows = box((wide, deep, rng.uniform(0.4, 2.5)), finish(rng, layers))
        elif kind < 0.65:
            radius, thick = rng.uniform(10, 60), rng.uniform(0.5, 3.0)
            rows = lathe(np.array([[radius, 0], [radius, thick], [0, thick]]), finish(rng, layers))
        elif kind < 0.8:
            path = np.linspace((-70, 0, 3.5), (70, 0, 3.5), 3)
            rows = tube(path, rng.uniform(2.5, 4.0), finish(rng, []), 6)
        else:
            at = np.linspace(-1, 1, 24)
            bend = rng.uniform(30, 150) * np.sin(at * rng.uniform(1, 5) + rng.uniform(0, 6))
            path = np.column_stack([at * rng.uniform(100, 500), bend, np.full(24, 2.0)])
            rows = tube(path, rng.uniform(1.2, 2.5), finish(rng, []), 5)
        parts.append(moved(rows, (x_mm, y_mm, 0), heading))
    return parts


def _plain_box(obstacle: Obstacle) -> np.ndarray:
    half_mm = (obstacle.half_x_mm, obstacle.half_y_mm, obstacle.height_mm)
    rows = box(half_mm, Material((0.4, 0.35, 0.3), 0.8, 0.04))
    return moved(rows, (obstacle.x_mm, obstacle.y_mm, 0), obstacle.heading_rad)


def _eye_tint(rng: np.random.Generator) -> Rgb:
    """Mostly some blue or cyan, sometimes any colour, as a person may have chosen."""
    if rng.random() < 0.85:
        return rgb(np.clip(np.array(EYE_RGB) * (1 + rng.normal(0, [0.9, 0.2, 0.1])), 0.02, 1.2))
    return rgb(rng.uniform(0.1, 1, 3))


def _ground(rng: np.random.Generator, shelf: _Shelf, gloss: float, backlit: bool) -> tuple[Material, float]:
    """What the ground is made of, and how large its pattern is (mm)."""
    size_mm = rng.uniform(350, 1400)
    patterns = (textures.mat,) if backlit and rng.random() < 0.6 else textures.FLOORS
    material = Material((1, 1, 1), float(np.clip(1 - gloss, 0.1, 1.0)), 0.04, layer=shelf.add(patterns))
    return material, size_mm


def shaded_ground(room: Room, material: Material, pattern_mm: float) -> np.ndarray:
    """The ground as a fine grid, darker where a thing stands on it and hides the sky: (N, 15)."""
    hx, hy = room.half_x_mm, room.half_y_mm
    x, y = (np.linspace(-half, half, max(2, math.ceil(2 * half / GRID_MM) + 1)) for half in (hx, hy))
    position = np.stack([*np.meshgrid(x, y, indexing="xy"), np.zeros((len(y), len(x)))], axis=2)
    rows = grid(position[::-1], material, (2 * hx / pattern_mm, 2 * hy / pattern_mm))
    rows[:, 3:6] = (0.0, 0.0, 1.0)
    if room.obstacles:
        light = _light_beside(room.obstacles, *position[::-1].reshape(-1, 3).T[:2].astype(np.float32))
        rows[:, 8:11] *= light[lattice_corners(*position.shape[:2])][:, None]
    return rows


def _light_beside(obstacles: Sequence[Obstacle], x_mm: np.ndarray, y_mm: np.ndarray) -> np.ndarray:
    """The share of the sky's light (N,) that things leave to places (x, y), (N,) each."""
    light = np.ones(len(x_mm), np.float32)
    for o in obstacles:
        dx, dy = x_mm - o.x_mm, y_mm - o.y_mm
        if o.round:
            outside_mm = np.hypot(dx, dy) - o.half_x_mm
        else:
            c, s = math.cos(o.heading_rad), math.sin(o.heading_rad)
            over = np.stack([np.abs(dx * c + dy * s) - o.half_x_mm, np.abs(dy * c - dx * s) - o.half_y_mm])
            outside_mm = np.hypot(*over.clip(0)) + over.max(axis=0).clip(max=0)
        light *= 1 - 0.75 * np.exp(-outside_mm.clip(0) / (8 + 0.12 * o.height_mm))
    return light


def _surroundings(
    room: Room, rng: np.random.Generator, shelf: _Shelf, backlit: bool, layers: list[int]
) -> list[np.ndarray]:
    """Four walls with hangings and windows, a ceiling, furniture, and the room's floor around the ground."""
    floor = 0.0 if room.surface == "floor" else -720.0
    away = rng.uniform(200, 1200) if room.surface == "floor" else rng.uniform(600, 2500)
    hx, hy, top = room.half_x_mm + away, room.half_y_mm + away * rng.uniform(0.5, 1.5), floor + 2500
    wall = Material(grey(rng.uniform(0.4, 1.0)), 0.9, 0.02, layer=shelf.add(textures.WALLS))
    parts = [level(hx, hy, top, Material(grey(0.8), 0.9, 0.02))]
    parts += furnish_around(room, floor, (hx, hy), rng, layers)
    if room.surface == "floor":
        around = Material(grey(0.6), 0.9, 0.03, layer=shelf.add(textures.FLOORS))
        parts.append(level(hx, hy, -1.5, around, (4, 4)))
    else:
        below = Material(grey(0.7), rng.uniform(0.3, 1), 0.04, layer=shelf.add(textures.FLOORS))
        parts.append(level(hx, hy, floor, below, (4, 4)))
        parts += _table_edge(room, rng)
    windows = (
        set(rng.choice(4, rng.integers(1, 4), replace=False)) if backlit or rng.random() < 0.7 else set()
    )
    hangings = [shelf.add(textures.HANGINGS) for _ in range(rng.integers(2, 6))]
    outdoors = shelf.add((textures.outdoors,))
    for side, ((x, y), (u, v)) in enumerate(ring(hx, hy)):
        corner, along = np.array([x, y, floor]), np.array([u, v, 0.0])
        length = float(np.linalg.norm(along))
        glow = rng.uniform(2.0, 20.0) if backlit and side in windows and rng.random() < 0.7 else 0.0
        parts.append(
            quad(corner, along, (0, 0, top - floor), replace(wall, emission=glow), (length / 900, 2500 / 900))
        )
        parts += _frieze(
            corner, along, top - floor, rng, hangings, outdoors if side in windows else None, backlit
        )
    for _ in range(rng.integers(0, 3)):  # lamps in the ceiling
        center = np.array([rng.uniform(-hx, hx) * 0.7, rng.uniform(-hy, hy) * 0.7, top - 10])
        half = rng.uniform(60, 350)
        lamp = Material((1, 0.95, 0.85), 0.5, 0.0, rng.uniform(4, 20))
        parts.append(quad(center - (half, half, 0), (2 * half, 0, 0), (0, 2 * half, 0), lamp))
    return parts


def _frieze(
    corner: np.ndarray,
    along: np.ndarray,
    height_mm: float,
    rng: np.random.Generator,
    hangings: list[int],
    outdoors: int | None,
    backlit: bool,
) -> list[np.ndarray]:
    """Hangings, windows and furniture along a wall.

    Args:
        corner: where the wall begins, (3,) mm.
        along: the wall's edge from there, (3,) mm.
        height_mm: of the wall.
        rng: what is drawn from.
        hangings: texture layers of what hangs there.
        outdoors: texture layer of what its windows show, None for a wall without windows.
        backlit: whether its windows are far brighter than the room.
    """
    parts = []
    length = float(np.linalg.norm(along))
    inward = np.array([-along[1], along[0], 0]) / length
    x = rng.uniform(0, 250)
    while x < length - 150:
        width = rng.uniform(120, min(1100, max(200, length * 0.6)))
        low, tall = rng.uniform(0, 900), rng.uniform(200, 1700)
        if rng.random() < 0.4:
            low = 0.0
        width = min(width, length - x)
        if outdoors is not None and rng.random() < 0.5:
            glow = rng.uniform(3.0, 25.0) if backlit else rng.uniform(1.5, 5.0)
            panel = Material((1, 1, 1), 0.2, 0.04, glow, outdoors)
        else:
            color, roughness = grey(rng.uniform(0.3, 1.0)), rng.uniform(0.3, 1)
            panel = Material(color, roughness, 0.04, layer=int(rng.choice(hangings)))
        origin = corner + along / length * x + inward * rng.uniform(5, 40) + (0, 0, low)
        if rng.random() < 0.75:
            up, repeat = (0, 0, min(tall, height_mm - low)), (max(1, round(width / 600)), 1)
            parts.append(quad(origin, along / length * width, up, panel, repeat))
        x += width * rng.uniform(1.0, 1.8)
    return parts


def _table_edge(room: Room, rng: np.random.Generator) -> list[np.ndarray]:
    """The table's rim: its sides, and often a low kerb or a pale line along its border."""
    material = finish(rng, [])
    parts = []
    line = rng.random() < 0.4
    kerb = rng.uniform(6, 40) if rng.random() < 0.4 else 0.0
    pale = Material(grey(rng.uniform(0.5, 0.9)), 0.5, 0.04)
    for (x, y), (u, v) in ring(room.half_x_mm, room.half_y_mm):
        parts.append(quad((x, y, -30), (u, v, 0), (0, 0, 30 + kerb), material))
        inward = np.array([-v, u, 0]) / math.hypot(u, v)
        if line:
            origin = np.array([x, y, 0.4]) + inward * rng.uniform(40, 90)
            parts.append(quad(origin, (u, v, 0), inward * rng.uniform(3, 9), pale))
    return parts


def _clutter(room: Room, rng: np.random.Generator, layers: list[int]) -> list[np.ndarray]:
    """The obstacles themselves, and behind a table's edge things on chairs and sideboards at eye level."""
    draw = design if is_held_out(room.seed) else thing
    parts = [
        moved(
            draw(o.kind, o.half_x_mm, o.half_y_mm, o.height_mm, rng, layers),
            (o.x_mm, o.y_mm, 0),
            o.heading_rad,
        )
        for o in room.obstacles
        if o.kind in KINDS
    ]
    if room.surface == "table":
        for _ in range(rng.integers(0, 9)):
            kind, half, heights = random_kind(rng)
            grow = rng.uniform(1, 2.5)
            angle = rng.uniform(-math.pi, math.pi)
            reach = math.hypot(room.half_x_mm, room.half_y_mm) + half * grow + rng.uniform(50, 500)
            deep, tall = half * grow * rng.uniform(0.5, 1), rng.uniform(*heights) * grow
            rows = draw(kind, half * grow, deep, tall, rng, layers)
            place = (reach * math.cos(angle), reach * math.sin(angle), rng.uniform(-300, 60))
            parts.append(moved(rows, place, rng.uniform(-math.pi, math.pi)))
    for _ in range(rng.integers(0, 3)):
        sheet = leaning_sheet(rng.uniform(40, 250), rng.uniform(40, 250), finish(rng, layers))
        x, y = rng.choice([-1, 1], 2) * rng.uniform(0.75, 0.98, 2) * (room.half_x_mm, room.half_y_mm)
        parts.append(moved(sheet, (x, y, 0), rng.uniform(-math.pi, math.pi)))
    return parts
