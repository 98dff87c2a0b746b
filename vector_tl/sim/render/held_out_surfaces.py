"""Surfaces of held-out rooms, in place of those of `textures`; see `world/held_out.py`.

As there, each is (SIZE, SIZE, 3) uint8 of the square root of linear light.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from vector_tl.sim.render import textures
from vector_tl.sim.render.textures import SIZE, Texture, clouds

Rng = np.random.Generator
# Colours (square root of linear light) that `textures.tone` hardly draws, each with lighter and darker ones.
PALETTE = np.array(
    [
        (0.45, 0.55, 0.42),  # sage
        (0.12, 0.42, 0.45),  # teal
        (0.45, 0.12, 0.22),  # burgundy
        (0.62, 0.50, 0.68),  # lilac
        (0.42, 0.42, 0.16),  # olive
        (0.86, 0.62, 0.60),  # rose
        (0.22, 0.26, 0.48),  # indigo
        (0.80, 0.72, 0.40),  # mustard
    ]
)


def hue(rng: Rng) -> np.ndarray:
    """A colour (3,) of held-out rooms, mostly dull as in homes."""
    color = PALETTE[int(rng.integers(len(PALETTE)))] * rng.uniform(0.55, 1.45)
    return np.clip(color.mean() + rng.uniform(0.25, 0.9) * (color - color.mean()), 0.03, 1.0)


def _texels(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def _axes() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    return x, y


def _mix(a: np.ndarray, b: np.ndarray, amount: np.ndarray) -> np.ndarray:
    return a + (b - a) * np.clip(amount, 0, 1)[..., None]


def herringbone(rng: Rng) -> np.ndarray:
    """Parquet: short boards in a zigzag."""
    x, y = _axes()
    n = float(rng.integers(5, 11))
    side = (x * n).astype(int) % 2
    along = y * 2 * n + np.where(side == 0, x * n % 1, 1 - x * n % 1)
    board = along.astype(int)
    shade = rng.uniform(0.75, 1.15, (2, int(2 * n) + 3))[side, board % (int(2 * n) + 3)]
    gap = (along % 1 < 0.06) | (x * n % 1 < 0.03)
    wood = np.array([0.72, 0.55, 0.38]) * rng.uniform(0.4, 1.2)
    return _texels(wood * (shade * np.where(gap, 0.6, 1.0))[..., None])


def hexagons(rng: Rng) -> np.ndarray:
    """Six-sided tiles."""
    x, y = _axes()
    n = float(rng.integers(4, 11))
    u, v = x * n, y * n / 0.866
    best = np.full((SIZE, SIZE), 9.0, np.float32)
    second, tile = best.copy(), np.zeros((SIZE, SIZE), int)
    for row in range(-1, int(n / 0.866) + 2):
        for column in range(-1, int(n) + 2):
            d = np.hypot(u - column - 0.5 * (row % 2), (v - row) * 0.866)
            nearer = d < best
            second = np.where(nearer, best, np.minimum(second, d))
            tile, best = np.where(nearer, row * 31 + column, tile), np.where(nearer, d, best)
    two, shade = (hue(rng), hue(rng)), rng.uniform(0.9, 1.1, 997)
    image = _mix(*two, (tile % 3 == 0).astype(np.float32)) * shade[tile % 997][..., None]
    return _texels(_mix(image, np.full(3, rng.uniform(0.2, 0.8)), (second - best < 0.07).astype(np.float32)))


def marble(rng: Rng) -> np.ndarray:
    """Stone with veins."""
    x, y = _axes()
    veins = np.abs(
        np.sin((x * rng.uniform(1, 4) + y * rng.uniform(1, 4) + 1.6 * clouds(rng, 6, 2)) * 2 * np.pi)
    )
    return _texels(_mix(hue(rng), np.full(3, rng.uniform(0.75, 1.0)), np.sqrt(veins) + 0.1 * clouds(rng)))


def tartan(rng: Rng) -> np.ndarray:
    """Bands that cross, of three colours."""
    x, y = _axes()
    image = np.broadcast_to(hue(rng), (SIZE, SIZE, 3)).astype(np.float32)
    for _ in range(int(rng.integers(2, 5))):
        n, width, at = float(rng.integers(2, 8)), rng.uniform(0.05, 0.45), rng.random()
        color = hue(rng)
        for axis in (x, y):
            image = _mix(image, color, 0.45 * ((axis * n + at) % 1 < width))
    return _texels(image)


def chevrons(rng: Rng) -> np.ndarray:
    """Zigzag bands."""
    x, y = _axes()
    n, steep = float(rng.integers(3, 11)), rng.uniform(0.3, 1.0)
    phase = y * n + steep * np.abs((x * n) % 1 - 0.5)
    return _texels(_mix(hue(rng), hue(rng), (phase % 1 < rng.uniform(0.3, 0.7)).astype(np.float32)))


def scales(rng: Rng) -> np.ndarray:
    """Rows of overlapping arcs."""
    x, y = _axes()
    n = float(rng.integers(4, 12))
    row = (y * n).astype(int)
    d = np.hypot((x * n + 0.5 * (row % 2)) % 1 - 0.5, (y * n) % 1)
    return _texels(_mix(hue(rng), hue(rng), 0.5 + 0.5 * np.sin(d * 2 * np.pi * rng.integers(2, 6))))


def camouflage(rng: Rng) -> np.ndarray:
    """Blots of three colours with hard edges."""
    some = clouds(rng, 4, int(rng.integers(3, 7)))
    image = np.where((some > 0.5)[..., None], hue(rng), hue(rng))
    return _texels(np.where((clouds(rng, 4, 5) > 0.62)[..., None], hue(rng), image))


def carpet(rng: Rng) -> np.ndarray:
    """A carpet with borders and a medallion."""
    x, y = _axes()
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    image = np.broadcast_to(hue(rng), (SIZE, SIZE, 3)).astype(np.float32)
    for low in sorted(rng.uniform(0.02, 0.25, 4)):
        image = np.where(((edge > low) & (edge < low + rng.uniform(0.01, 0.06)))[..., None], hue(rng), image)
    angle, away = np.arctan2(y - 0.5, x - 0.5), np.hypot(x - 0.5, y - 0.5)
    petals = away < rng.uniform(0.1, 0.25) * (1 + 0.35 * np.cos(angle * rng.integers(4, 13)))
    image = np.where(petals[..., None], hue(rng), image)
    return _texels(image * (0.85 + 0.15 * rng.random((SIZE, SIZE, 1), dtype=np.float32)))


def notice_board(rng: Rng) -> np.ndarray:
    """Cork with notes, photographs and strings on it."""
    cork = np.array([0.62, 0.47, 0.32]) * rng.uniform(0.8, 1.2)
    image = np.ascontiguousarray(cork * (0.8 + 0.3 * rng.random((SIZE, SIZE, 1), dtype=np.float32)))
    for _ in range(int(rng.integers(6, 22))):
        middle, size = rng.integers(20, SIZE - 20, 2), rng.integers(30, 130, 2)
        corners = cv2.boxPoints((tuple(map(float, middle)), tuple(map(float, size)), rng.uniform(-20, 20)))
        paper = np.full(3, rng.uniform(0.8, 1)) if rng.random() < 0.5 else hue(rng)
        cv2.fillPoly(image, [corners.astype(np.int32)], tuple(map(float, paper)))
        cv2.circle(image, tuple(map(int, middle)), 5, tuple(map(float, hue(rng))), -1)
    return _texels(image)


def garlands(rng: Rng) -> np.ndarray:
    """Curved stalks with leaves, as on wallpaper."""
    image = np.ascontiguousarray(np.broadcast_to(hue(rng), (SIZE, SIZE, 3)), np.float32)
    leaf = tuple(map(float, hue(rng)))
    for x0 in range(0, SIZE, int(rng.integers(50, 120))):
        bend, turn = rng.uniform(8, 25), rng.uniform(0, 6)
        for y in range(0, SIZE, 22):
            x = int(x0 + bend * np.sin(y / 60 + turn))
            cv2.ellipse(image, (x + 9, y), (11, 4), -35, 0, 360, leaf, -1, cv2.LINE_AA)
            cv2.ellipse(image, (x - 9, y + 10), (11, 4), 35, 0, 360, leaf, -1, cv2.LINE_AA)
    return _texels(image)


def washed(rng: Rng) -> np.ndarray:
    """A wall in one colour, painted unevenly with a broad brush."""
    strokes = cv2.GaussianBlur(rng.random((SIZE, SIZE), dtype=np.float32), (0, 0), 3, sigmaY=40)
    strokes = (strokes - strokes.min()) / np.ptp(strokes)
    return _texels(hue(rng) * (0.85 + 0.2 * strokes[..., None]))


GROUNDS: tuple[Texture, ...] = (herringbone, hexagons, marble, marble, carpet, tartan, washed, camouflage)
WALLS: tuple[Texture, ...] = (washed, washed, washed, garlands, scales, chevrons, hexagons)
HANGINGS: tuple[Texture, ...] = (notice_board, tartan, garlands, carpet, chevrons, camouflage)
THINGS: tuple[Texture, ...] = (marble, tartan, chevrons, scales, camouflage, washed, hexagons)
INSTEAD = {
    textures.FLOORS: GROUNDS,
    textures.WALLS: WALLS,
    textures.HANGINGS: HANGINGS,
    textures.THINGS: THINGS,
}


def instead_of(choices: Sequence[Texture]) -> Sequence[Texture]:
    """What a held-out room draws instead of `choices`; what its windows show stays."""
    if textures.outdoors in choices:
        return choices
    return INSTEAD.get(tuple(choices), GROUNDS)
