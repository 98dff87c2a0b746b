"""Options that make training images more various than rendered ones are; all are off unless asked for.

They draw from a random generator of their own, so that a training without them has the same batches as ever.
The order of a batch: mosaics (`mosaic.py`), window, then the changes below, then `augment.relight`.
"""

import numpy as np
import torch
from torch import Tensor

from vector_tl.data.boxes import intersections
from vector_tl.train.settings import Variety
from vector_tl.train.upload import upload

CAST_SIGMA = 0.28  # of the logarithm of each colour's gain; `augment.white_balance` has .08 in every image
MAX_HIDDEN = 0.4  # share of a box's area under a patch
PATCH_SIDES = (0.25, 0.75)  # of a box's sides: below 1, so that some of each edge stays in sight
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def vary(batch: Tensor, boxes: list[np.ndarray], variety: Variety, rng: np.random.Generator) -> Tensor:
    """Patches and colours of a batch (B, 3, h, w) in 0..1, whose boxes (n, 4) are in its pixels."""
    if variety.cutout:
        batch = hide_parts(batch, boxes, variety.cutout, rng)
    if variety.colour_cast:
        batch = cast_colours(batch, variety.colour_cast, rng)
    if variety.grayscale:
        batch = remove_colours(batch, variety.grayscale, rng)
    return batch


def cast_colours(batch: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A white balance that is far off, for a share of the images (B, 3, h, w): yellow, green, blue ones.

    The image's brightness stays, as the gains' mean is 1.
    """
    chosen = rng.random(len(batch)) < share
    gains = np.exp(rng.normal(0, CAST_SIGMA, (len(batch), 3)))
    gains = np.where(chosen[:, None], gains / gains.mean(axis=1, keepdims=True), 1.0)
    return batch * upload(gains, batch.device, torch.float32)[:, :, None, None]


def remove_colours(batch: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A share of the images (B, 3, h, w) in grey."""
    chosen = upload(rng.random(len(batch)) < share, batch.device)
    weights = upload(LUMA, batch.device).view(1, 3, 1, 1)
    grey = (batch * weights).sum(dim=1, keepdim=True)
    return torch.where(chosen.view(-1, 1, 1, 1), grey, batch)


def hide_parts(batch: Tensor, boxes: list[np.ndarray], share: float, rng: np.random.Generator) -> Tensor:
    """Patches of other images of the batch, or plain ones, over a share of the boxes.

    A patch hides at most `MAX_HIDDEN` of a box and leaves some of each of its edges in sight, so the box is
    still that of the visible extent.

    Args:
        batch: images (B, 3, h, w).
        boxes: of each image (n, 4) xyxy in pixels.
        share: of the boxes that get a patch.
        rng: of the draw.
    """
    before, batch = batch, batch.clone()
    for image, of_image in zip(batch, boxes, strict=True):
        for box in of_image:
            if rng.random() < share:
                x1, y1, x2, y2 = draw_patch(box, rng)
                other = int(rng.integers(len(before)))
                image[:, y1:y2, x1:x2] = _part_of(before[other], boxes[other], (x2 - x1, y2 - y1), rng)
    return batch


def _part_of(image: Tensor, boxes: np.ndarray, size_wh: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """A part (3, h, w) of an image; one of its colours (3, 1, 1) where that would show a Vector."""
    width, height = size_wh
    y, x = (int(rng.integers(a - b + 1)) for a, b in zip(image.shape[1:], (height, width), strict=True))
    if intersections(boxes, [[x, y, x + width, y + height]]).any():
        return image[:, y : y + 1, x : x + 1]
    return image[:, y : y + height, x : x + width]


def draw_patch(box: np.ndarray, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A patch x1 y1 x2 y2 in whole pixels that lies in a box (4,), over at most `MAX_HIDDEN` of its area."""
    x1, y1, x2, y2 = box
    sides = np.array([x2 - x1, y2 - y1])
    shares = rng.uniform(*PATCH_SIDES, 2)
    shares *= min(1.0, np.sqrt(MAX_HIDDEN / shares.prod()))
    size = np.floor(sides * shares).astype(int)  # (2,)
    corner = np.ceil(np.array([x1, y1]) + rng.random(2) * (sides - size - 1).clip(0)).astype(int)
    return int(corner[0]), int(corner[1]), int(corner[0] + size[0]), int(corner[1] + size[1])
