"""Procedural surfaces: every texture function draws one, (SIZE, SIZE, 3) uint8, from a random generator.

Texels hold the square root of linear light, so that dark tones keep their steps.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

SIZE = 512


def clouds(rng: np.random.Generator, octaves: int = 5, first: int = 2, fade: float = 0.55) -> np.ndarray:
    """Smooth noise (SIZE, SIZE) in 0..1: random grids of doubling resolution, each fainter than the last."""
    total, weight = np.zeros((SIZE, SIZE), np.float32), 1.0
    for octave in range(octaves):
        cells = min(first << octave, SIZE)
        points = rng.random((cells, cells), dtype=np.float32)
        total += weight * cv2.resize(points, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        weight *= fade
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def tone(
    rng: np.random.Generator, low: float = 0.05, high: float = 0.95, colorful: float = 0.12
) -> np.ndarray:
    """A random colour (3,) in texel units: a grey level with some hue.

    As in homes, it is far more often warm or cool than green or magenta.
    """
    warm, green = rng.normal(0.3, 1.0) * colorful, rng.normal(0, 0.4) * colorful
    color = rng.uniform(low, high) * (1 + np.array([warm - green / 2, green, -warm - green / 2]))
    return np.clip(color, 0.01, 1).astype(np.float32)


def _paint(
    rng: np.random.Generator, low: float = 0.05, high: float = 0.95, colorful: float = 0.12
) -> tuple[float, ...]:
    """A `tone` in the form that OpenCV's drawing functions take."""
    return tuple(map(float, tone(rng, low, high, colorful)))


def _mix(a: np.ndarray, b: np.ndarray, amount: np.ndarray) -> np.ndarray:
    return a + (b - a) * np.clip(amount, 0, 1)[..., None]


def _texels(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def _axes() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    return x, y


def plaster(rng: np.random.Generator) -> np.ndarray:
    """Painted plaster."""
    base = tone(rng, 0.35, 0.98, 0.08)
    return _texels(base * (0.9 + 0.12 * clouds(rng)[..., None] + rng.normal(0, 0.01, (SIZE, SIZE, 1))))


def wood(rng: np.random.Generator) -> np.ndarray:
    """Grain, in half the cases in planks."""
    x, y = _axes()
    warp = clouds(rng, 4, 2)
    grain = 0.5 + 0.5 * np.sin((y * rng.uniform(8, 30) + warp * rng.uniform(2, 6)) * 2 * np.pi)
    bands = rng.random((SIZE, 12), dtype=np.float32)
    streaks = cv2.resize(bands, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    light = np.array([0.80, 0.62, 0.42]) * rng.uniform(0.35, 1.15)
    image = _mix(light, light * rng.uniform(0.5, 0.85), 0.55 * grain + 0.45 * streaks)
    if rng.random() < 0.5:  # planks
        planks = rng.integers(3, 8)
        row = np.minimum((y * planks).astype(int), planks - 1)
        image *= rng.uniform(0.8, 1.1, planks)[row][..., None]
        image *= np.where((y * planks) % 1 < 0.02, 0.5, 1.0)[..., None]
    return _texels(image)


def yellow_wood(rng: np.random.Generator) -> np.ndarray:
    """Bright desk tops of yellow wood."""
    grain = wood(rng).astype(np.float32) / 255
    yellow = np.array([0.98, 0.86, 0.62]) * rng.uniform(0.8, 1.0)
    return _texels(yellow * (0.75 + 0.25 * grain / grain.mean()))


def stone(rng: np.random.Generator) -> np.ndarray:
    """Granite, terrazzo, concrete, worn mats."""
    base, speck = tone(rng, 0.1, 0.9, 0.1), tone(rng, 0.05, 1.0, 0.15)
    fine = cv2.GaussianBlur(rng.random((SIZE, SIZE), dtype=np.float32), (0, 0), rng.uniform(0.6, 2.5))
    fine = (fine - fine.mean()) / fine.std()
    return _texels(_mix(base, speck, 0.25 * clouds(rng, 6, 3) + 0.3 * (fine > rng.uniform(0.5, 2.0))))


def mat(rng: np.random.Generator) -> np.ndarray:
    """A dark, nearly plain mat, sometimes with pale lines or letters printed on it."""
    base = tone(rng, 0.08, 0.38, 0.08)
    image = base * (0.9 + 0.2 * clouds(rng, 6, 4)[..., None] + rng.normal(0, 0.02, (SIZE, SIZE, 1)))
    ink = np.zeros((SIZE, SIZE), np.uint8)
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 4)):
            start, end = (tuple(int(v) for v in rng.integers(0, SIZE, 2)) for _ in range(2))
            cv2.line(ink, start, end, 255, int(rng.integers(2, 8)), cv2.LINE_AA)
    if rng.random() < 0.5:
        text = "".join(rng.choice(list("ABCDEFGHKLMORSTUVXYZ0123456789"), rng.integers(2, 7)))
        where = (int(rng.integers(0, 250)), int(rng.integers(100, 480)))
        scale, thickness = float(rng.uniform(1, 4)), int(rng.integers(2, 6))
        cv2.putText(ink, text, where, cv2.FONT_HERSHEY_DUPLEX, scale, 255, thickness, cv2.LINE_AA)
    return _texels(_mix(image, tone(rng, 0.4, 1.0, 0.1), ink / 255.0))


def fabric(rng: np.random.Generator) -> np.ndarray:
    """Woven cloth."""
    x, y = _axes()
    threads = 0.5 + 0.25 * np.sin(x * 2 * np.pi * 96) + 0.25 * np.sin(y * 2 * np.pi * 96)
    return _texels(tone(rng, 0.1, 0.9) * (0.75 + 0.25 * threads + 0.2 * (clouds(rng) - 0.5))[..., None])


def tiles(rng: np.random.Generator) -> np.ndarray:
    """Tiles with joints, sometimes a chequerboard."""
    x, y = _axes()
    count, joint = rng.integers(2, 9), rng.uniform(0.015, 0.06)
    cells = rng.uniform(0.88, 1.08, (count, count, 1)) * tone(rng, 0.15, 0.95, 0.15)
    if rng.random() < 0.3:
        cells[(np.add.outer(np.arange(count), np.arange(count)) % 2) == 1] = tone(rng)
    image = cells[(y * count).astype(int), (x * count).astype(int)] * (0.93 + 0.1 * clouds(rng)[..., None])
    gap = (np.minimum((x * count) % 1, (y * count) % 1) < joint).astype(np.float32)
    return _texels(_mix(image, tone(rng, 0.2, 0.8, 0.05), gap))


def bricks(rng: np.random.Generator) -> np.ndarray:
    """A brick wall."""
    x, y = _axes()
    rows, columns = rng.integers(8, 18), rng.integers(4, 9)
    r = (y * rows).astype(int)
    shifted = x * columns + 0.5 * (r % 2)
    shade = rng.uniform(0.7, 1.15, (rows, columns + 1))[r, shifted.astype(int)]
    gap = ((y * rows) % 1 < 0.1) | (shifted % 1 < 0.06)
    brick, joint = tone(rng, 0.25, 0.8, 0.25) * shade[..., None], tone(rng, 0.4, 0.9, 0.05)
    wall = _mix(brick, joint, gap.astype(np.float32))
    return _texels(wall * (0.85 + 0.2 * clouds(rng)[..., None]))


def stripes(rng: np.random.Generator) -> np.ndarray:
    """Stripes of two tones, soft or sharp."""
    x, y = _axes()
    phase = (x if rng.random() < 0.8 else y) * rng.integers(4, 24)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * phase)
    wave = wave if rng.random() < 0.4 else (wave > rng.uniform(0.2, 0.8)).astype(np.float32)
    return _texels(_mix(tone(rng), tone(rng), wave) * (0.94 + 0.08 * clouds(rng)[..., None]))


def lattice(rng: np.random.Generator) -> np.ndarray:
    """Ogee and trellis patterns, as on curtains and wallpaper."""
    x, y = _axes()
    n, bend, width = rng.integers(3, 9), rng.uniform(0, 0.28), rng.uniform(0.08, 0.2)
    u = x * n + bend * np.sin(2 * np.pi * y * n)
    v = x * n - bend * np.sin(2 * np.pi * y * n) + 0.5 * (rng.random() < 0.5)
    line = (np.minimum(np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5)) < width / 2).astype(np.float32)
    return _texels(_mix(tone(rng), tone(rng), cv2.GaussianBlur(line, (0, 0), 1)))


def dots(rng: np.random.Generator) -> np.ndarray:
    """Dots on a plain ground."""
    x, y = _axes()
    n = rng.integers(4, 16)
    distance = np.hypot((x * n) % 1 - 0.5, (y * n) % 1 - 0.5)
    return _texels(_mix(tone(rng), tone(rng), np.clip((rng.uniform(0.15, 0.42) - distance) * 20, 0, 1)))


def folds(rng: np.random.Generator) -> np.ndarray:
    """A curtain: a pattern shaded by vertical folds."""
    x, _ = _axes()
    patterns = (stripes, lattice, dots, fabric, plaster)
    cloth = patterns[int(rng.choice(len(patterns)))](rng).astype(np.float32) / 255
    shade = 0.72 + 0.28 * np.sin(2 * np.pi * (x * rng.integers(5, 16) + 0.3 * clouds(rng, 2, 2)))
    return _texels(cloth * shade[..., None])


def books(rng: np.random.Generator) -> np.ndarray:
    """Book spines on shelves."""
    image = np.empty((SIZE, SIZE, 3), np.float32)
    image[:] = tone(rng, 0.05, 0.6, 0.1)
    shelves = int(rng.integers(2, 5))
    for shelf in range(shelves):
        bottom, x = (shelf + 1) * SIZE // shelves - 10, 4
        while x < SIZE - 40:
            width, height = int(rng.integers(8, 34)), int(SIZE / shelves * rng.uniform(0.55, 0.9))
            if rng.random() < 0.9:
                cover = _paint(rng, 0.05, 0.9, 0.4)
                cv2.rectangle(image, (x, bottom - height), (x + width - 2, bottom), cover, -1)
                mid = bottom - int(height * rng.uniform(0.3, 0.8))
                end = (x + width - 4, mid + int(rng.integers(3, 14)))
                cv2.rectangle(image, (x + 2, mid), end, _paint(rng, 0.3, 1), -1)
            x += width
    return _texels(image)


def painting(rng: np.random.Generator) -> np.ndarray:
    """A framed image, poster or screen: clouds of two colours with a few shapes."""
    two = tone(rng, 0.05, 1.0, 0.4), tone(rng, 0.05, 1.0, 0.4)
    image = np.ascontiguousarray(_mix(*two, clouds(rng, 4, 2)))
    for _ in range(rng.integers(0, 9)):
        color = _paint(rng, 0.05, 1, 0.5)
        center = tuple(int(v) for v in rng.integers(0, SIZE, 2))
        if rng.random() < 0.5:
            cv2.circle(image, center, int(rng.integers(10, 120)), color, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(image, center, tuple(int(v) for v in rng.integers(0, SIZE, 2)), color, -1)
    border = int(rng.integers(0, 40))
    if border:
        cv2.rectangle(image, (0, 0), (SIZE - 1, SIZE - 1), _paint(rng, 0.02, 0.9, 0.15), 2 * border)
    return _texels(image)


def outdoors(rng: np.random.Generator) -> np.ndarray:
    """What a window shows: bright sky above blurred green or houses, behind the frame's bars."""
    _, y = _axes()
    sky, land = np.array([0.92, 0.96, 1.0]), tone(rng, 0.25, 0.8, 0.3)
    image = _mix(sky, land, np.clip((y - rng.uniform(0.3, 0.9) + 0.35 * (clouds(rng, 4, 3) - 0.5)) * 8, 0, 1))
    image *= (0.85 + 0.3 * clouds(rng, 6, 4))[..., None]
    image = np.ascontiguousarray(image, np.float32)
    frame, bars = _paint(rng, 0.1, 0.7, 0.1), int(rng.integers(0, 3))
    for k in range(1, bars + 1):
        x = SIZE * k // (bars + 1)
        cv2.line(image, (x, 0), (x, SIZE), frame, int(rng.integers(6, 22)))
    if rng.random() < 0.5:
        cv2.line(image, (0, SIZE // 2), (SIZE, SIZE // 2), frame, int(rng.integers(6, 22)))
    if rng.random() < 0.25:  # blinds
        image *= np.where((y * rng.integers(12, 40)) % 1 < rng.uniform(0.3, 0.7), 1.0, 0.55)[..., None]
    cv2.rectangle(image, (0, 0), (SIZE - 1, SIZE - 1), frame, int(rng.integers(10, 40)))
    return _texels(image)


def door(rng: np.random.Generator) -> np.ndarray:
    """A door with panels and a knob."""
    color = tone(rng, 0.2, 0.98, 0.15)
    image = np.ascontiguousarray(color * (0.95 + 0.08 * clouds(rng)[..., None]), np.float32)
    for k in range(int(rng.integers(1, 4))):
        top, groove = 30 + k * 160, tuple(float(v) for v in color * 0.7)
        cv2.rectangle(image, (90, top), (420, top + 130), groove, int(rng.integers(3, 10)))
    cv2.circle(image, (470, 270), 16, _paint(rng, 0.1, 0.9), -1, cv2.LINE_AA)
    return _texels(image)


def blotches(rng: np.random.Generator) -> np.ndarray:
    """Clouds of a few colours and of every scale, for things that no other texture fits."""

    def some() -> np.ndarray:
        return clouds(rng, int(rng.integers(3, 8)), int(rng.integers(2, 6)), rng.uniform(0.5, 0.9))

    image = _mix(tone(rng, colorful=0.3), tone(rng, colorful=0.3), some())
    return _texels(_mix(image, tone(rng, colorful=0.5), np.clip(some() * 3 - rng.uniform(1, 2), 0, 1)))


def shelves(rng: np.random.Generator) -> np.ndarray:
    """Shelves or racks with a jumble of boxes, jars and bags of every colour."""
    image = np.empty((SIZE, SIZE, 3), np.float32)
    image[:] = tone(rng, 0.05, 0.8, 0.1)
    rows = int(rng.integers(2, 6))
    for row in range(rows):
        bottom, x = (row + 1) * SIZE // rows - 8, int(rng.integers(0, 20))
        cv2.line(image, (0, bottom + 4), (SIZE, bottom + 4), _paint(rng, 0.1, 0.9, 0.1), 8)
        while x < SIZE:
            width, height = int(rng.integers(15, 110)), int(SIZE / rows * rng.uniform(0.25, 0.85))
            color = _paint(rng, 0.03, 0.95, 0.5)
            if rng.random() < 0.3:
                middle = (x + width // 2, bottom - height // 2)
                cv2.ellipse(image, middle, (width // 2, height // 2), 0, 0, 360, color, -1, cv2.LINE_AA)
            elif rng.random() < 0.8:
                cv2.rectangle(image, (x, bottom - height), (x + width, bottom), color, -1)
                label = (x + 4, bottom - height // 2), (x + width - 4, bottom - height // 4)
                cv2.rectangle(image, *label, _paint(rng, 0.1, 1, 0.4), -1)
            x += int(width * rng.uniform(1.0, 1.4))
    return _texels(image * (0.9 + 0.15 * clouds(rng)[..., None]))


Texture = Callable[[np.random.Generator], np.ndarray]
Draw = Callable[[Texture, np.random.Generator], Any]  # `drawn`, or what stands for it: see `stock`


def drawn(texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A texture, drawn for one room."""
    return texture(rng)


FLOORS: tuple[Texture, ...] = (wood, wood, stone, stone, mat, mat, mat, fabric, tiles, plaster)
WALLS: tuple[Texture, ...] = (*(plaster,) * 6, stripes, lattice, bricks, wood, tiles, dots)
HANGINGS: tuple[Texture, ...] = (painting, folds, folds, books, door, lattice, shelves, shelves)
THINGS: tuple[Texture, ...] = (plaster, wood, fabric, stripes, dots, painting, blotches, stone, lattice)
