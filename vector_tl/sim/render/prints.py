"""Textures of things in rooms of harder kinds: keys, written pages, shirts, screens; and where they lie."""

from dataclasses import dataclass

import cv2
import numpy as np

from vector_tl.sim.render.light_cube import marker_texture
from vector_tl.sim.render.textures import SIZE, Draw, Texture, clouds, drawn, tone


@dataclass(frozen=True)
class Prints:
    """Texture layers.

    Attributes:
        surfaces: of no thing in particular.
        markers: of light cubes.
        keys, page, shirt, screen: what the functions of these names draw.
    """

    surfaces: list[int]
    markers: int
    keys: int
    page: int
    shirt: int
    screen: int


def add_prints(
    layers: list[np.ndarray],
    surfaces: list[int],
    rng: np.random.Generator,
    shirts: Texture,
    draw: Draw = drawn,
) -> Prints:
    """Draw the textures and append them to `layers`; `surfaces` are those of them that suit any thing."""
    first = len(layers)
    sorts: tuple[Texture, ...] = (marker_texture, keys, page, shirts, screen)
    layers += [draw(sort, rng) for sort in sorts]
    return Prints(surfaces, *range(first, first + len(sorts)))


def keys(rng: np.random.Generator) -> np.ndarray:
    """Rows of keys with pale letters, twice as many across as along."""
    dark = rng.random() < 0.75
    base, top = (0.12, rng.uniform(0.18, 0.3)) if dark else (0.6, rng.uniform(0.8, 0.95))
    image = np.full((SIZE, SIZE, 3), base, np.float32)
    rows, columns = 5, 14
    tall, wide = SIZE / rows, SIZE / columns
    for row in range(rows):
        x = wide * 0.25 * row
        while x < SIZE - 4:
            width = wide * (5 if row == 4 and 0.25 * SIZE < x < 0.4 * SIZE else 1)
            start, end = (int(x + 3), int(row * tall + 8)), (int(x + width - 3), int((row + 1) * tall - 8))
            cv2.rectangle(image, start, end, (top,) * 3, -1)
            letter = (int(x + 8), int(row * tall + 0.5 * tall))
            shown = chr(int(rng.integers(65, 91)))
            _write(image, shown, letter, (0.6, 1), 1.0 - base)
            x += width
    return _texels(image)


def page(rng: np.random.Generator) -> np.ndarray:
    """A page with lines of text, and now and then an image or a table."""
    white = tone(rng, 0.85, 1.0, 0.03)
    image = np.ascontiguousarray(np.broadcast_to(white, (SIZE, SIZE, 3)), np.float32)
    ink, y = float(rng.uniform(0.1, 0.45)), 40
    while y < SIZE - 40:
        if rng.random() < 0.12:
            end = (int(rng.integers(150, SIZE - 40)), min(SIZE - 40, y + int(rng.integers(40, 140))))
            cv2.rectangle(image, (40, y), end, tuple(map(float, tone(rng, 0.2, 0.9, 0.4))), -1)
            y = end[1] + 20
        x, stop = 40, SIZE - 40 if rng.random() < 0.8 else int(rng.integers(120, SIZE))
        while x < stop:
            width = int(rng.integers(8, 50))
            cv2.line(image, (x, y), (min(x + width, SIZE - 40), y), (ink,) * 3, 5)
            x += width + 9
        y += 16
    return _texels(image)


def shirt(rng: np.random.Generator) -> np.ndarray:
    """Mostly dark cloth, with a print before the chest or a pattern all over."""
    base = tone(rng, 0.06, 0.35, 0.25) if rng.random() < 0.7 else tone(rng, 0.2, 0.9, 0.3)
    folds = cv2.GaussianBlur(clouds(rng, 4, 3), (0, 0), 6)
    image = np.ascontiguousarray(base * (0.75 + 0.5 * folds[..., None]), np.float32)
    case = rng.random()
    if case < 0.6:  # a print: shapes and a word
        for _ in range(int(rng.integers(2, 7))):
            color = tuple(map(float, tone(rng, 0.3, 1.0, 0.5)))
            middle = (int(rng.normal(SIZE / 2, 40)), int(rng.normal(0.45 * SIZE, 50)))
            if rng.random() < 0.5:
                cv2.ellipse(
                    image, middle, (int(rng.integers(8, 60)), int(rng.integers(8, 60))), 0, 0, 360, color, -1
                )
            else:
                corner = (middle[0] + int(rng.integers(10, 80)), middle[1] + int(rng.integers(6, 60)))
                cv2.rectangle(image, middle, corner, color, -1)
        word = "".join(rng.choice(list("ABCDEHKLMNORSTUVWY"), int(rng.integers(3, 7))))
        where = (SIZE // 2 - 90, int(rng.uniform(0.4, 0.6) * SIZE))
        _write(image, word, where, (float(rng.uniform(1, 1.8)), 4), float(rng.uniform(0.6, 1)))
    elif case < 0.85:  # stripes or checks
        band, step = tone(rng, 0.1, 0.9, 0.3), int(rng.integers(14, 50))
        image[(np.arange(SIZE) // step) % 2 == 0] = (
            0.5 * image[(np.arange(SIZE) // step) % 2 == 0] + 0.5 * band
        )
        if rng.random() < 0.6:
            columns = (np.arange(SIZE) // step) % 2 == 0
            image[:, columns] = 0.6 * image[:, columns] + 0.4 * band
    return _texels(image)


def screen(rng: np.random.Generator) -> np.ndarray:
    """What a monitor or a phone shows: windows with lines of text, an image, or nothing."""
    image = np.ascontiguousarray(np.broadcast_to(tone(rng, 0.1, 0.6, 0.4), (SIZE, SIZE, 3)), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        x, y = (int(v) for v in rng.integers(10, 260, 2))
        end = (x + int(rng.integers(120, 240)), y + int(rng.integers(120, 240)))
        dark = rng.random() < 0.5
        cv2.rectangle(image, (x, y), end, (0.15,) * 3 if dark else (0.95,) * 3, -1)
        for line in range(y + 14, end[1] - 6, 12):
            stop = int(rng.integers(x + 20, end[0]))
            cv2.line(image, (x + 8, line), (stop, line), (0.7,) * 3 if dark else (0.3,) * 3, 3)
    return _texels(image)


def _write(
    image: np.ndarray, text: str, where: tuple[int, int], size: tuple[float, int], shade: float
) -> None:
    """Write into an image (SIZE, SIZE, 3) in 0..1; `size` is the font's scale and thickness."""
    ink = np.zeros((SIZE, SIZE), np.uint8)
    cv2.putText(ink, text, where, cv2.FONT_HERSHEY_DUPLEX, size[0], 255, size[1], cv2.LINE_AA)
    x, y, width, height = cv2.boundingRect(ink)  # elsewhere nothing changes
    part, ink = image[y : y + height, x : x + width], ink[y : y + height, x : x + width]
    part += (shade - part) * (ink / np.float32(255))[..., None]


def _texels(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)
