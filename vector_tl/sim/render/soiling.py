"""Dirt on the lens, and the ghosts of bright lights that it and the glass throw over an image."""

import math

import cv2
import numpy as np

WHITE = 1.0  # signal from which light throws ghosts
GHOST_SIZES = (-0.55, -1.2, 0.4)  # of the ghosts' images, about the middle; minus: upside down
GHOST_COLORS = ((0.5, 1.0, 0.6), (1.0, 0.6, 0.9), (0.6, 0.7, 1.0))


def dirt_map(amount: float, seed: int, size_wh: tuple[int, int]) -> np.ndarray:
    """Share of light (H, W) float32 that passes dust, fingermarks and smears so near that they are blurred.

    Args:
        amount: how much the darkest of it takes away, 0 to 1.
        seed: of the draw.
        size_wh: of the image.
    """
    rng = np.random.default_rng([seed, 1])
    small = np.zeros((90, 160), np.float32)
    for _ in range(int(rng.integers(1, 14))):
        center = (int(rng.integers(160)), int(rng.integers(90)))
        cv2.circle(small, center, int(rng.integers(1, 7)), float(rng.uniform(0.2, 1.0)), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 3))):  # a finger's width, wiped across
        x, y, angle, length = (
            rng.uniform(0, 160),
            rng.uniform(0, 90),
            rng.uniform(0, math.pi),
            rng.uniform(15, 90),
        )
        end = (int(x + length * math.cos(angle)), int(y + length * math.sin(angle)))
        cv2.line(
            small, (int(x), int(y)), end, float(rng.uniform(0.2, 0.7)), int(rng.integers(8, 22)), cv2.LINE_AA
        )
    blurred = cv2.GaussianBlur(small, (0, 0), rng.uniform(1.5, 5.0))
    return 1 - amount * cv2.resize(np.clip(blurred, 0, 1), size_wh, interpolation=cv2.INTER_LINEAR)


def ghosts(small: np.ndarray, gain: float, strength: float) -> np.ndarray:
    """Light (h, w, 3) that a reduced image's bright parts throw elsewhere: coloured images of themselves."""
    height, width = small.shape[:2]
    bright = np.clip(small * gain - WHITE, 0.0, 8.0) / max(gain, 1e-6)
    light = np.zeros_like(small)
    for scale, color in zip(GHOST_SIZES, GHOST_COLORS, strict=True):
        middle = np.array([width / 2, height / 2])
        matrix = np.column_stack([np.eye(2) * scale, middle * (1 - scale)])
        light += cv2.warpAffine(bright, matrix, (width, height)) * np.array(color, np.float32)
    return cv2.GaussianBlur(light, (0, 0), width / 40) * (strength / len(GHOST_SIZES))
