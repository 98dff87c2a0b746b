"""Draws a sheet of augmented training images with their boxes, to see what the network is trained on.

    .venv/bin/python scripts/trials/augmentation_sheet.py SHEET.png [--data data] [--seed 0]

First comes one image with one change at a time, named below it; then whole batches as they are trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro

from vector_tl.data.dataset import Item, load_dataset
from vector_tl.data.images import encode_png
from vector_tl.files import write_atomic
from vector_tl.train.augment import (
    LIGHT,
    REACH_PX,
    blur,
    boxes_in_window,
    convolve,
    focus_kernel,
    motion_kernel,
    relight,
    resample_windows,
)
from vector_tl.train.batches import Batches, Images, keep_images

SIZE_WH, COLUMNS, BATCHES = (300, 300), 8, 6
DRAWS = 24
CAPTION_PX, GREEN = 26, (94, 224, 127)
WHOLE = np.array([0.0, 0.0, 1.0, 1.0])


@dataclass(frozen=True)
class Sheet:
    """Draw augmented images."""

    sheet: tyro.conf.Positional[Path]
    """PNG to write."""
    data: Path = Path("data")
    """Dataset."""
    seed: int = 0
    """Seed of the augmentation."""


def one_at_a_time(images: Images, seed: int) -> list[np.ndarray]:
    """A tile for each change of an image alone: geometry, then light, blur, noise and JPEG.

    Each of the latter is as strong as it gets in `DRAWS` draws.
    """
    boxes = images.boxes[0]
    around = np.clip(np.concatenate([boxes[0, :2] - 0.15, boxes[0, 2:] + 0.15]), 0, 1)
    geometry = {
        "as it is": (WHOLE, False),
        "crop": (around, False),
        "zoomed out": (np.array([-0.4, -0.5, 1.3, 1.2]), False),
        "mirrored": (WHOLE, True),
    }
    tiles = []
    for name, (window, mirrored) in geometry.items():
        batch = resample_windows(
            images.pixels[:1], window[None], np.array([mirrored]), SIZE_WH, torch.full((1, 3), 0.5)
        )
        tiles.append(draw_tile(batch[0], boxes_in_window(boxes, window, mirrored, SIZE_WH), name))
    plain = resample_windows(
        images.pixels[:1], WHOLE[None], np.array([False]), SIZE_WH, torch.full((1, 3), 0.5)
    )
    light = {
        change.__name__.replace("_", " "): strongest(change, plain, seed)
        for change in LIGHT
        if change is not blur
    }
    light |= {
        "blur": convolve(plain, focus_kernel(1.8)[None]),
        "motion blur": convolve(plain, motion_kernel(REACH_PX, 0.5)[None]),
    }
    light |= {
        f"all together, draw {k + 1}": relight(plain, np.random.default_rng([seed, k])) for k in range(3)
    }
    return tiles + [
        draw_tile(batch[0], boxes_in_window(boxes, WHOLE, False, SIZE_WH), name)
        for name, batch in light.items()
    ]


def strongest(
    change: Callable[[torch.Tensor, np.random.Generator], torch.Tensor], plain: torch.Tensor, seed: int
) -> torch.Tensor:
    """The draw that changes the image most; many draws leave it as it is."""
    made = [change(plain, np.random.default_rng([seed, k])).clamp(0, 1) for k in range(DRAWS)]
    return max(made, key=lambda batch: float((batch - plain).abs().mean()))


def draw_tile(image: torch.Tensor, boxes: np.ndarray, caption: str) -> np.ndarray:
    """A tile, uint8 (h + CAPTION_PX, w, 3), of an image (3, h, w) in 0..1, with a caption below it."""
    pixels = (image.clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    tile = np.vstack([pixels, np.full((CAPTION_PX, pixels.shape[1], 3), 32, np.uint8)])
    for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
        cv2.rectangle(tile, (x1, y1), (x2, y2), GREEN, 2)
    cv2.putText(
        tile, caption, (6, len(tile) - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA
    )
    return tile


def batches_of(items: list[Item], seed: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Tiles of `BATCHES` batches as they are trained on."""
    batches = Batches(
        keep_images([items[i] for i in rng.permutation(len(items))[:64]]),
        None,
        COLUMNS,
        SIZE_WH,
        seed,
        torch.device("cpu"),
    )
    tiles = []
    for number in range(BATCHES):
        pixels, targets = batches.next_batch()
        tiles += [
            draw_tile(image, target["boxes"].numpy(), f"batch {number + 1}")
            for image, target in zip(pixels, targets, strict=True)
        ]
    return tiles


def in_rows(tiles: list[np.ndarray]) -> np.ndarray:
    """All tiles, `COLUMNS` in a row, the last row filled up."""
    tiles = tiles + [np.full_like(tiles[0], 32)] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


if __name__ == "__main__":
    asked = tyro.cli(Sheet)
    items = load_dataset(asked.data, "train").items
    with_box = [item for item in items if len(item.boxes_norm)]
    rng = np.random.default_rng(asked.seed)
    first = one_at_a_time(keep_images([with_box[rng.integers(len(with_box))]]), asked.seed)
    sheet = np.vstack([in_rows(first), in_rows(batches_of(items, asked.seed, rng))])
    write_atomic(asked.sheet, encode_png(sheet))
