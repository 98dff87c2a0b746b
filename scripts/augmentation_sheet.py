"""What training shows the network: a sheet of augmented pictures with their boxes, to look at.

    .venv/bin/python scripts/augmentation_sheet.py SHEET.png [--data data] [--seed 0]

The first row is one picture, drawn again and again with one thing at a time; the others are batches as they are trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro

from vector_tl.files import write_atomic
from vector_tl.labels.dataset import load_dataset
from vector_tl.train.augment import boxes_in_window, compress, cut, relight
from vector_tl.train.batches import Batches, Pictures, keep

SIZE_WH, COLUMNS, BATCHES = (300, 300), 8, 6
WHOLE = np.array([0.0, 0.0, 1.0, 1.0])


@dataclass(frozen=True)
class Sheet:
    """Draw augmented pictures."""

    sheet: tyro.conf.Positional[Path]
    """PNG to write."""
    data: Path = Path("data")
    """Data set."""
    seed: int = 0
    """Of the draws."""


def one_at_a_time(pictures: Pictures, seed: int) -> list[np.ndarray]:
    """As it is, crop, zoomed out, mirrored, JPEG, and three draws of light, blur and noise."""
    boxes = pictures.boxes[0]
    around = np.clip(np.concatenate([boxes[0, :2] - 0.15, boxes[0, 2:] + 0.15]), 0, 1)
    wide = np.array([-0.4, -0.5, 1.3, 1.2])
    same: Callable = lambda batch: batch  # noqa: E731
    kinds = [(WHOLE, False, same), (around, False, same), (wide, False, same), (WHOLE, True, same), (WHOLE, False, lambda b: compress(b, np.array([15.0])))]
    kinds += [(WHOLE, False, lambda b, k=k: relight(b, np.random.default_rng([seed, k]))) for k in range(3)]
    tiles = []
    for window, mirrored, change in kinds:
        batch = change(cut(pictures.pixels[:1], window[None], np.array([mirrored]), SIZE_WH, torch.full((1, 3), 0.5)))
        tiles.append(drawn(batch[0], boxes_in_window(boxes, window, mirrored, SIZE_WH)))
    return tiles


def drawn(picture: torch.Tensor, boxes: np.ndarray) -> np.ndarray:
    """A tile, uint8 (h, w, 3), of a picture (3, h, w) in 0..1."""
    tile = np.ascontiguousarray((picture.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
        cv2.rectangle(tile, (x1, y1), (x2, y2), (94, 224, 127), 2)
    return tile


if __name__ == "__main__":
    asked = tyro.cli(Sheet)
    items = load_dataset(asked.data, "train").items
    with_box = [item for item in items if len(item.boxes_norm)]
    rng = np.random.default_rng(asked.seed)
    tiles = one_at_a_time(keep([with_box[rng.integers(len(with_box))]]), asked.seed)
    batches = Batches(keep([items[i] for i in rng.permutation(len(items))[:64]]), None, COLUMNS, SIZE_WH, asked.seed, torch.device("cpu"))
    for _ in range(BATCHES):
        pixels, targets = batches.next()
        tiles += [drawn(picture, target["boxes"].numpy()) for picture, target in zip(pixels, targets, strict=True)]
    sheet = np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])
    write_atomic(asked.sheet, cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
