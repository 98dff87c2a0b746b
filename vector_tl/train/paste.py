"""Vectors of other images pasted onto an image by their instance masks: alone, touching, one before another.

D. Dwibedi et al., "Cut, Paste and Learn", ICCV 2017, for things in kitchens. Pasted Vectors have no shadow.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from vector_tl.data.dataset import Item, mask_path
from vector_tl.data.images import KEPT_WH, read_mask, resize_to_kept
from vector_tl.errors import UserError
from vector_tl.train.upload import upload

MAX_CUTOUTS = 2000  # about 0.06 MB each
MIN_CUTOUT_PX, MIN_VISIBLE_PX = 40, 1500  # a side, and all of it, at `KEPT_WH`
HEIGHTS_PX, MAX_ENLARGED = (28, 190), 1.3
COUNTS = (0.45, 0.35, 0.2)  # how often one, two or three are pasted
MAX_PASTED = len(COUNTS)
BESIDE, ALIKE = (0.55, 1.1), 0.15  # how far apart, in mean widths; by how much their heights differ
MIN_LEFT = 0.4  # share of a Vector that another one leaves in sight
GAINS, GAMMAS = (0.55, 1.35), (0.75, 1.35)
TRIES, OPAQUE = 6, 128


@dataclass(frozen=True)
class Cutout:
    """A Vector cut out of an image: `rgb` uint8 (h, w, 3), and `alpha` uint8 (h, w), 255 where it is."""

    rgb: np.ndarray
    alpha: np.ndarray

    @property
    def height_px(self) -> int:
        """Its height."""
        return len(self.alpha)


@dataclass(frozen=True)
class Layer:
    """What hides what lies below it: where `opaque` (h, w) is true, from the place x, y in the image on."""

    x: int
    y: int
    opaque: np.ndarray


def refuse_without_masks(folder: Path, items: list[Item]) -> None:
    """Raise `UserError` where no image of a dataset to train on has an instance mask."""
    if not any(mask_path(folder, item.session, item.name).exists() for item in items):
        raise UserError(
            f"--paste: no image of {folder} has a mask (masks/); capture some with vector-tl capture "
            "--robot sim --masks."
        )


def cut_out(folder: Path, items: list[Item], seed: int) -> list[Cutout]:
    """The Vectors of those images of a dataset that have an instance mask; of many, a choice by the seed.

    Vectors that the image's edge cuts, and small ones, are left out.
    """
    masked = [item for item in items if mask_path(folder, item.session, item.name).exists()]
    cutouts: list[Cutout] = []
    for i in np.random.default_rng([seed, 13]).permutation(len(masked)):
        item = masked[i]
        mask = read_mask(mask_path(folder, item.session, item.name))
        mask = cv2.resize(mask, KEPT_WH, interpolation=cv2.INTER_NEAREST)
        numbers = np.unique(mask[mask > 0])
        if len(numbers):
            image = resize_to_kept(item.image())
            cutouts += [cut for number in numbers if (cut := _cut(image, mask == number)) is not None]
        if len(cutouts) >= MAX_CUTOUTS:
            break
    return cutouts[:MAX_CUTOUTS]


def _cut(image: np.ndarray, there: np.ndarray) -> Cutout | None:
    x, y, width, height = cv2.boundingRect(there.view(np.uint8))
    cut_by_edge = x == 0 or y == 0 or x + width == KEPT_WH[0] or y + height == KEPT_WH[1]
    if cut_by_edge or min(width, height) < MIN_CUTOUT_PX or there.sum() < MIN_VISIBLE_PX:
        return None
    part = (slice(y, y + height), slice(x, x + width))
    return Cutout(image[part].copy(), there[part].astype(np.uint8) * 255)


def paste(image: Tensor, boxes: np.ndarray, cutouts: list[Cutout], rng: np.random.Generator) -> np.ndarray:
    """Paste one Vector or a group that stands together onto an image, in place.

    What was in the image before counts as a rectangle that may be hidden in part.

    Args:
        image: uint8 (3, H, W).
        boxes: of it (n, 4) xyxy in 0..1.
        cutouts: one or more.
        rng: of the draw.

    Returns:
        The boxes (m, 4) in 0..1 of what stays visible of each, earlier ones first. A Vector for which no
        place is found, so that enough of each is visible, is not pasted.
    """
    size_wh = np.array([image.shape[2], image.shape[1]])
    layers = [_rectangle(box * np.tile(size_wh, 2)) for box in boxes]
    height_px = math.exp(rng.uniform(*np.log(HEIGHTS_PX)))
    beside: Layer | None = None
    for _ in range(1 + rng.choice(len(COUNTS), p=COUNTS)):
        cutout = _vary(
            cutouts[rng.integers(len(cutouts))], height_px * rng.uniform(1 - ALIKE, 1 + ALIKE), rng
        )
        for _ in range(TRIES):
            x, y = _place(cutout, beside, size_wh, rng)
            layer = _inside(Layer(x, y, cutout.alpha >= OPAQUE), size_wh)
            whole = (cutout.alpha >= OPAQUE).sum()
            if layer.opaque.sum() >= MIN_LEFT * whole and _leaves_enough([*layers, layer], size_wh):
                _draw(image, cutout, x, y)
                layers.append(layer)
                beside = layer
                break
    return np.array([visible_box(layers, k, size_wh) for k in range(len(layers))]).reshape(-1, 4) / np.tile(
        size_wh, 2
    )


def _rectangle(box_px: np.ndarray) -> Layer:
    x1, y1, x2, y2 = np.round(box_px).astype(int)
    return Layer(x1, y1, np.ones((max(y2 - y1, 1), max(x2 - x1, 1)), bool))


def _vary(cutout: Cutout, height_px: float, rng: np.random.Generator) -> Cutout:
    """A cutout about `height_px` high, in another light, perhaps mirrored."""
    scale = min(height_px / cutout.height_px, MAX_ENLARGED)
    height, width = (max(2, round(scale * side)) for side in cutout.alpha.shape)
    rgb, alpha = (
        cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for values in (cutout.rgb, cutout.alpha)
    )
    gain, gamma = rng.uniform(*GAINS), math.exp(rng.uniform(*np.log(GAMMAS)))
    levels = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).astype(np.uint8)
    rgb = levels[rgb]
    return Cutout(rgb[:, ::-1], alpha[:, ::-1]) if rng.random() < 0.5 else Cutout(rgb, alpha)


def _place(
    cutout: Cutout, beside: Layer | None, size_wh: np.ndarray, rng: np.random.Generator
) -> tuple[int, int]:
    """Where the top left corner goes: anywhere, or next to another Vector and about as low as that."""
    height, width = cutout.alpha.shape
    if beside is None:
        x, y = rng.uniform([-0.3 * width, -0.1 * height], size_wh - [0.7 * width, 0.8 * height])
        return round(x), round(y)
    tall, wide = beside.opaque.shape
    apart = rng.uniform(*BESIDE) * (width + wide) / 2 * (1 if rng.random() < 0.5 else -1)
    bottom = beside.y + tall + rng.uniform(-0.1, 0.2) * height
    return round(beside.x + wide / 2 + apart - width / 2), round(bottom - height)


def _inside(layer: Layer, size_wh: np.ndarray) -> Layer:
    """The part of a layer that lies in the image; an empty one where none does."""
    height, width = layer.opaque.shape
    left, top = max(0, -layer.x), max(0, -layer.y)
    right, bottom = min(width, size_wh[0] - layer.x), min(height, size_wh[1] - layer.y)
    part = layer.opaque[top : max(bottom, top), left : max(right, left)]
    return Layer(layer.x + left, layer.y + top, part)


def _visible(layers: list[Layer], number: int, size_wh: np.ndarray) -> np.ndarray:
    """Where (H, W) a layer is not hidden by those after it."""
    seen = np.zeros(size_wh[::-1], bool)
    for k, layer in enumerate(layers[number:]):
        height, width = layer.opaque.shape
        part = seen[layer.y : layer.y + height, layer.x : layer.x + width]
        part[:] = layer.opaque[: part.shape[0], : part.shape[1]] if k == 0 else part & ~layer.opaque
    return seen


def _leaves_enough(layers: list[Layer], size_wh: np.ndarray) -> bool:
    return all(
        _visible(layers, k, size_wh).sum() >= MIN_LEFT * layer.opaque.sum() for k, layer in enumerate(layers)
    )


def visible_box(layers: list[Layer], number: int, size_wh: np.ndarray) -> tuple[int, int, int, int]:
    """The box x1 y1 x2 y2 in pixels of what the layers after it leave of a layer."""
    x, y, width, height = cv2.boundingRect(_visible(layers, number, size_wh).view(np.uint8))
    return x, y, x + width, y + height


def _draw(image: Tensor, cutout: Cutout, x: int, y: int) -> None:
    """Blend a cutout into an image (3, H, W), in place."""
    height, width = cutout.alpha.shape
    left, top = max(0, -x), max(0, -y)
    part = image[:, max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    inside = (slice(top, top + part.shape[1]), slice(left, left + part.shape[2]))
    alpha = upload(cutout.alpha[inside].astype(np.float32) / 255, image.device)
    rgb = upload(cutout.rgb[inside].astype(np.float32), image.device).permute(2, 0, 1)
    part.copy_((alpha * rgb + (1 - alpha) * part.float()).round().to(torch.uint8))
