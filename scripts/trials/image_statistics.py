"""Compares simulated images with real ones: a table of statistics, and sheets of images to look at.

    .venv/bin/python scripts/trials/image_statistics.py DATA [MORE_DATA ...] [--images 500] [--by-kind]
        [--sheet SHEET.png --rooms 48] [--sheets FOLDER]

Each DATA is a dataset's folder, of which `--images` labelled images are taken, spread over its sessions. The
first is the simulated one: below the table stands in which figures it is off from each other dataset, and by
how many standard deviations of the two. With `--by-kind` each kind of a dataset's `kinds.json` is a row, and
compared with the same kind of the others where both have images of it. `--sheets` writes an image for each
kind: 5 x 5 simulated images on the left, as many of the other datasets' as there are on the right.

All figures are of grey levels 0 to 255 in 640 x 360. Noise is the standard deviation of what a median filter
over 3 x 3 pixels removes where the image is flat; gradient the mean slope per pixel; tails the kurtosis of
slopes (3 is a bell curve; scenes of few sharp edges on smooth surfaces have more); sharpness how much of its
strongest slopes an image loses when it is blurred by 1.5 px, in %.
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
SIDE = 5  # images of a kind's sheet, across and down, of each sort


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
    sheets: Path | None = None
    """Write a sheet of each kind into this folder: images of the first dataset beside the other ones'."""
    by_kind: bool = False
    """A row for each kind of image."""


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
        "green cast": float(image[..., 1].mean() - image[..., ::2].mean()),
        **slopes(grey.astype(np.float32)),
    }


def slopes(grey: np.ndarray) -> dict[str, float]:
    """Statistics of the slopes of grey levels (H, W) float32."""
    across = np.diff(grey, axis=1)
    steep = np.abs(across)
    blurred = np.abs(np.diff(cv2.GaussianBlur(grey, (0, 0), 1.5), axis=1))
    edges = steep >= max(float(np.quantile(steep, 0.98)), 1.0)
    centred = across - across.mean()
    variance = float(np.square(centred).mean())
    return {
        "gradient": float(steep.mean()),
        "tails": float((centred**4).mean()) / variance**2 if variance > 0 else np.nan,
        "sharpness, %": 100 * (1 - float(blurred[edges].mean() / steep[edges].mean()))
        if edges.any()
        else np.nan,
    }


Rows = list[dict[str, float]]
OFF = 0.8  # standard deviations; more is a large difference (Cohen, Statistical power analysis, 1988)


def table(measured: dict[str, Rows]) -> Iterator[str]:
    """Markdown: means and, in brackets, the 10th to the 90th percentile over the images."""
    names = list(next(iter(measured.values()))[0])
    yield f"| images | number | {' | '.join(names)} |"
    yield "|---" * (len(names) + 2) + "|"
    for name, rows in measured.items():
        cells = []
        for values in (column(rows, key) for key in names):
            low, high = np.nanpercentile(values, (10, 90))
            cells.append(f"{np.nanmean(values):.1f} ({low:.1f} to {high:.1f})")
        yield f"| {name} | {len(rows)} | {' | '.join(cells)} |"


def column(rows: Rows, key: str) -> np.ndarray:
    """One figure of all images, (N,)."""
    return np.array([row[key] for row in rows])


def differences(simulated: Rows, real: Rows) -> dict[str, float]:
    """By how many standard deviations, pooled, each figure of simulated images is above that of real ones."""
    above = {}
    for key in simulated[0]:
        ours, theirs = column(simulated, key), column(real, key)
        spread_of_both = np.sqrt((np.nanvar(ours) + np.nanvar(theirs)) / 2)
        above[key] = float((np.nanmean(ours) - np.nanmean(theirs)) / max(spread_of_both, 1e-6))
    return above


def verdict(name: str, simulated: Rows, real: Rows) -> str:
    """A line that says in what the simulated images are off from the real ones, the worst first."""
    above = sorted(differences(simulated, real).items(), key=lambda pair: -abs(pair[1]))
    off = [f"{key} {value:+.1f}" for key, value in above if abs(value) > OFF]
    return f"- {name}: {', '.join(off) if off else 'nothing is off'}"


def grouped(folder: Path, items: list[Item], by_kind: bool) -> dict[str, list[Item]]:
    """The images of a dataset, all of them or by kind, under the names of their rows."""
    if not by_kind:
        return {folder.name: items}
    groups: dict[str, list[Item]] = {}
    for item in items:
        for kind in item.kinds:
            groups.setdefault(kind, []).append(item)
    return {f"{folder.name}, {kind}": groups[kind] for kind in sorted(groups)}


def compare(folders: dict[Path, list[Item]], images: int, by_kind: bool) -> Iterator[str]:
    """The table, and below it what is off."""
    measured = {
        name: [figures(item.image()) for item in spread(some, images)]
        for folder, items in folders.items()
        for name, some in grouped(folder, items, by_kind).items()
    }
    yield from table(measured)
    yield ""
    first = next(iter(folders)).name
    for name, rows in measured.items():
        ours = first + name[name.index(",") :] if by_kind else first
        if ours in measured and ours != name:
            yield verdict(f"{ours} against {name}", measured[ours], rows)


def one_per_session(items: list[Item]) -> list[Item]:
    """One image of each session, with a Vector where the session shows one."""
    sessions: dict[str, Item] = {}
    for item in sorted(items, key=lambda item: len(item.boxes_norm) == 0):
        sessions.setdefault(item.session, item)
    return [sessions[name] for name in sorted(sessions)]


def varied(items: list[Item], count: int) -> list[Item]:
    """`count` items, each of another session where there are as many: images of one room are alike."""
    of_sessions = one_per_session(items)
    return spread(of_sessions if len(of_sessions) >= count else items, count)


def sheet(items: list[Item], columns: int = COLUMNS) -> np.ndarray:
    """The images with their boxes, in rows."""
    tiles = []
    for item in items:
        tile = cv2.resize(item.image(), TILE_WH, interpolation=cv2.INTER_AREA)
        for x1, y1, x2, y2 in item.boxes_xyxy(TILE_WH).round().astype(int).tolist():
            cv2.rectangle(tile, (x1, y1), (x2, y2), (94, 224, 127), 1)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def sheets_of_kinds(simulated: list[Item], real: list[Item]) -> Iterator[tuple[str, np.ndarray]]:
    """Each kind of the simulated images with its sheet; of a kind without a real image these alone."""
    of_real = grouped(Path("real"), real, by_kind=True)
    for name, items in grouped(Path("simulated"), simulated, by_kind=True).items():
        kind = name.partition(", ")[2]
        sides = [
            sheet(varied(some, SIDE**2), SIDE) for some in (items, of_real.get(f"real, {kind}", [])) if some
        ]
        height = max(side.shape[0] for side in sides)
        gap = np.full((height, 12, 3), 255, np.uint8)
        whole = [np.pad(side, ((0, height - side.shape[0]), (0, 0), (0, 0))) for side in sides]
        yield kind, np.hstack([whole[0], *(part for side in whole[1:] for part in (gap, side))])


if __name__ == "__main__":
    asked = tyro.cli(Statistics)
    loaded = {folder: load_dataset(folder, "all").items for folder in asked.data}
    print("\n".join(compare(loaded, asked.images, asked.by_kind)))
    if asked.sheet is not None:
        first, *others = loaded.values()
        rows = [sheet(spread(one_per_session(first), asked.rooms))]
        for items in others:
            rows += [np.full((12, rows[0].shape[1], 3), 255, np.uint8), sheet(spread(items, 2 * COLUMNS))]
        image = np.vstack(rows)
        write_atomic(asked.sheet, encode_png(image))
    if asked.sheets is not None:
        of_first, *of_others = loaded.values()
        for kind, image in sheets_of_kinds(of_first, [item for items in of_others for item in items]):
            write_atomic(asked.sheets / f"{kind}.png", encode_png(image))
