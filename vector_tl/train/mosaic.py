"""Mosaics: four images at about half their size in one, with their boxes.

They are the cheapest variety: Vectors that are small, in corners, beside each other and in strange company.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vector_tl.train.augment import cuts_none, move_boxes

FOUR, HALF, MAX_JITTER, TRIES = 4, 0.5, 0.15, 10


def make_mosaic(
    pixels: Tensor, boxes: list[np.ndarray], rng: np.random.Generator
) -> tuple[Tensor, np.ndarray]:
    """One image of four, which meet near its centre.

    Args:
        pixels: uint8 (4, 3, H, W).
        boxes: of each image (n, 4) xyxy in 0..1.
        rng: of the draw.

    Returns:
        uint8 (3, H, W), and the boxes (m, 4) in 0..1 of it, in the images' order. Those outside of
        the part of an image that is shown are missing; none is cut by half.
    """
    height, width = pixels.shape[2:]
    size_wh = np.array([width, height])
    centre = np.round((HALF + rng.uniform(-MAX_JITTER, MAX_JITTER, 2)) * size_wh).astype(int)
    mosaic, kept = torch.empty_like(pixels[0]), []
    for image, of_image, place in zip(pixels, boxes, quarters(centre, size_wh), strict=True):
        left, top, right, bottom = place.tolist()
        window = draw_part(of_image, (place[2:] - place[:2]) / size_wh, size_wh, rng)
        x1, y1, x2, y2 = window.tolist()
        part = image[None, :, y1:y2, x1:x2].contiguous()
        mosaic[:, top:bottom, left:right] = _resize(part, (bottom - top, right - left))[0]
        inside = move_boxes(of_image, window / np.tile(size_wh, 2))  # (m, 4)
        kept.append(
            (np.tile(place[:2], 2) + inside * np.tile(place[2:] - place[:2], 2)) / np.tile(size_wh, 2)
        )
    return mosaic, np.concatenate(kept)


def _resize(image: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """An image, uint8 (1, 3, H, W), at another size.

    It is filtered as by a lens, as a Vector that is far away has no coarse steps.
    """
    if image.device.type == "cpu":  # bytes are five times faster there, and nowhere else possible
        return F.interpolate(image, size=size_hw, mode="bilinear", antialias=True)
    floats = F.interpolate(image.float(), size=size_hw, mode="bilinear", antialias=True)
    return floats.round().clamp(0, 255).to(torch.uint8)


def quarters(centre: np.ndarray, size_wh: np.ndarray) -> np.ndarray:
    """The four parts (4, 4), x1 y1 x2 y2, of an image that is divided at a centre (2,)."""
    (x, y), (width, height) = centre, size_wh
    return np.array([[0, 0, x, y], [x, 0, width, y], [0, y, x, height], [x, y, width, height]])


def draw_part(
    boxes: np.ndarray, quarter_wh: np.ndarray, size_wh: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The part of an image, x1 y1 x2 y2 in whole pixels, that is shown in a quarter of a mosaic.

    It has the quarter's shape, so that the image is drawn at half its size, or as much larger as the quarter
    is; where each such part would cut a box by half, it is the whole image, drawn narrower or lower.

    Args:
        boxes: of the image (n, 4) in 0..1.
        quarter_wh: of the quarter, as shares of the mosaic's sides.
        size_wh: of the image in pixels.
        rng: of the draw.
    """
    shown = quarter_wh / max(HALF, *quarter_wh)  # shares of the image's sides
    for _ in range(TRIES):
        corner = rng.random(2) * (1 - shown)
        window = np.round(np.concatenate([corner, corner + shown]) * np.tile(size_wh, 2)).astype(int)
        if cuts_none(boxes, window / np.tile(size_wh, 2)):
            return window
    return np.array([0, 0, *size_wh])
