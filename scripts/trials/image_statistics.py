"""Compares simulated images with real ones: a table of statistics, and a sheet of images to look at.

    .venv/bin/python scripts/trials/image_statistics.py DATA [MORE_DATA ...] [--images 500]
        [--sheet SHEET.png --rooms 48]

Each DATA is a dataset's folder, of which `--images` labelled images are taken, spread over its sessions.
Noise is the standard deviation of what a median filter over 3 x 3 pixels removes where the image is flat;
the other figures are of grey levels 0 to 255 in 640 x 360.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro

from vector_tl.data.dataset import Item, load_dataset
from vector_tl.data.images import encode_png
from vector_tl.files import write_atomic

SIZE_WH = (640, 360)
BLACK, WHITE = 15, 250
TILE_WH, COLUMNS = (320, 180), 8


@dataclass(frozen=True)
class Statistics:
    """Compare the images of datasets by figures, and by eye."""

    data: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of datasets."""
    images: int = 500
    """At most so many images of each dataset."""
    sheet: Path | None = None
    """Write a sheet: an image of each session of the first dataset, below them two rows of each other one."""
    rooms: int = 48
    """Sessions of the first dataset on the sheet."""


def spread(items: list[Item], count: int) -> list[Item]:
    """`count` items, evenly spaced."""
    return [
        items[i]
        for i in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    ]


def figures(image_rgb: np.ndarray) -> dict[str, float]:
    """The statistics of one image."""
    image = (
        cv2.resize(image_rgb, SIZE_WH, interpolation=cv2.INTER_AREA)
        if image_rgb.shape[:2] != SIZE_WH[::-1]
        else image_rgb
    )
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    smooth = cv2.medianBlur(grey, 3)
    flat = (
        (np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 3).astype(np.float32), cv2.CV_32F)) < 0.5)
        & (grey > BLACK)
        & (grey < WHITE)
    )
    rough = (grey.astype(float) - smooth)[flat]
    return {
        "mean": grey.mean(),
        "contrast": grey.std(),
        "black, %": 100 * (grey < BLACK).mean(),
        "white, %": 100 * (grey > WHITE).mean(),
        "noise": rough.std() if rough.size > 500 else np.nan,
        "saturation": cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1].mean(),
        "blue - red": float(image[..., 2].mean() - image[..., 0].mean()),
    }


def table(sets: dict[str, list[Item]]) -> Iterator[str]:
    """Markdown: means and, in brackets, the 10th to the 90th percentile over the images."""
    for number, (name, items) in enumerate(sets.items()):
        rows = [figures(item.image()) for item in items]
        if number == 0:
            yield f"| images | number | {' | '.join(rows[0])} |"
            yield "|---" * (len(rows[0]) + 2) + "|"
        cells = []
        for key in rows[0]:
            values = np.array([row[key] for row in rows])
            low, high = np.nanpercentile(values, (10, 90))
            cells.append(f"{np.nanmean(values):.1f} ({low:.1f} to {high:.1f})")
        yield f"| {name} | {len(items)} | {' | '.join(cells)} |"


def one_per_session(items: list[Item]) -> list[Item]:
    """One image of each session, with a Vector where the session shows one."""
    sessions: dict[str, Item] = {}
    for item in sorted(items, key=lambda item: len(item.boxes_norm) == 0):
        sessions.setdefault(item.session, item)
    return [sessions[name] for name in sorted(sessions)]


def sheet(items: list[Item]) -> np.ndarray:
    """The images with their boxes, in rows."""
    tiles = []
    for item in items:
        tile = cv2.resize(item.image(), TILE_WH, interpolation=cv2.INTER_AREA)
        for x1, y1, x2, y2 in item.boxes_xyxy(TILE_WH).round().astype(int).tolist():
            cv2.rectangle(tile, (x1, y1), (x2, y2), (94, 224, 127), 1)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


if __name__ == "__main__":
    asked = tyro.cli(Statistics)
    loaded = {folder.name: load_dataset(folder, "all").items for folder in asked.data}
    print("\n".join(table({name: spread(items, asked.images) for name, items in loaded.items()})))
    if asked.sheet is not None:
        first, *others = loaded.values()
        rows = [sheet(spread(one_per_session(first), asked.rooms))]
        for items in others:
            rows += [np.full((12, rows[0].shape[1], 3), 255, np.uint8), sheet(spread(items, 2 * COLUMNS))]
        image = np.vstack(rows)
        write_atomic(asked.sheet, encode_png(image))
