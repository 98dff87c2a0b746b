"""The page of `vector-tl label check`: problems, figures, plots and sheets of images."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.data.boxes import to_cxcywh
from vector_tl.data.dataset import SPLITS
from vector_tl.data.images import read_image
from vector_tl.evaluate.metrics import HEIGHT_LINES
from vector_tl.web import pages, report

COLORS = {"train": "#2f6fb2", "val": "#d9730d", "test": "#0b8a7a"}
BOX_COLOR = "#14c8aa"
MAX_IMAGES = 24  # of a split
MAX_PROBLEMS = 500
ROWS = {
    "sessions": "sessions",
    "images": "images",
    "labelled": "labelled",
    "boxes": "Vectors",
    "negatives": "images without a Vector",
    "median_height_px": f"median height of a Vector, px in {HEIGHT_LINES} lines",
    "mean_brightness": "mean brightness, 0 to 255",
}


def write_page(
    path: Path, folder: Path, images: Sequence[Any], problems: Sequence[Any], figures: dict[str, Any]
) -> None:
    """Write the page.

    Args:
        path: its file.
        folder: the dataset's.
        images: each a `checked_image.CheckedImage`.
        problems: each a `checked_image.Problem`.
        figures: those of `check.figures`.
    """
    by_split = {
        split: some for split in SPLITS if (some := [image for image in images if image.split == split])
    }
    columns = {"all": figures, **figures["splits"]}
    rows = [(name, *(_show(column[key]) for column in columns.values())) for key, name in ROWS.items()]
    pages.write_page(
        path,
        "labels/templates/check.html",
        title=f"The dataset {Path(folder).resolve().name}",
        problems=problems[:MAX_PROBLEMS],
        problem_count=len(problems),
        rows=[("", *columns), *rows],
        plots=_plots(by_split),
        sheets={
            split: (len(some), [_sheet_image(image) for image in _spread(some)])
            for split, some in by_split.items()
        },
    )


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _plots(by_split: dict[str, list[Any]]) -> list[report.Illustration]:
    """Heights of the Vectors, where their middles are, and how bright the images are."""

    @report.plotted
    def histogram(
        values: Callable[[Any], Sequence[float]], edges: np.ndarray, caption: str, **labels: str
    ) -> report.Illustration:
        figure, axes = report.new_plot(4.5, 3.4)
        for split, some in by_split.items():
            every = [value for image in some for value in values(image)]
            axes.hist(
                every, bins=edges.tolist(), histtype="step", linewidth=1.8, color=COLORS[split], label=split
            )
        axes.set(**labels)
        return report.finish_plot(figure, caption)

    return [
        histogram(
            lambda image: (_cxcywh(image)[:, 3] * HEIGHT_LINES).tolist(),
            np.linspace(0, HEIGHT_LINES, 25),
            "Heights of the Vectors",
            xlabel=f"height of a Vector, px in an image of {HEIGHT_LINES} lines",
            ylabel="Vectors",
        ),
        _middles(by_split),
        histogram(
            lambda image: [image.brightness],
            np.linspace(0, 255, 26),
            "Brightness of the images",
            xlabel="mean grey level of an image",
            ylabel="images",
        ),
    ]


@report.plotted
def _middles(by_split: dict[str, list[Any]]) -> report.Illustration:
    figure, axes = report.new_plot(4.5, 3.4)
    middles = {split: np.concatenate([_cxcywh(i)[:, :2] for i in some]) for split, some in by_split.items()}
    area = dot_area(sum(map(len, middles.values())))
    for split, some in middles.items():
        x, y = some.T
        axes.scatter(x, y, s=area, alpha=0.6, linewidths=0, color=COLORS[split], label=split)
    axes.set(xlim=(0, 1), ylim=(1, 0), xlabel="across the image", ylabel="down the image")
    return report.finish_plot(figure, "Where the middles of the Vectors are")


def dot_area(dots: int) -> float:
    """The area of each of so many dots of a plot, in square points: few ones can be seen, many kept apart."""
    return min(30.0, max(7.0, 3000 / max(dots, 1)))


def _cxcywh(image: Any) -> np.ndarray:
    """The boxes (N, 4) of an image in 0..1; none where it is not labelled."""
    return to_cxcywh(np.zeros((0, 4)) if image.boxes_norm is None else image.boxes_norm)


def _spread(images: list[Any]) -> list[Any]:
    """Images from as many sessions as possible, the first of each session before the second of any."""
    turn: dict[str, int] = defaultdict(int)
    ranked = []
    for image in images:
        turn[image.session] += 1
        ranked.append((turn[image.session], image.session, image.name, image))
    return [row[3] for row in sorted(ranked, key=lambda row: row[:3])[:MAX_IMAGES]]


def _sheet_image(image: Any) -> report.Illustration:
    pixels, boxes, what = read_image(image.path), np.zeros((0, 4)), ": not labelled"
    if image.boxes_norm is not None:
        boxes, what = (
            image.boxes_norm * (pixels.shape[1::-1] * 2),
            "" if len(image.boxes_norm) else ": no Vector",
        )
    return report.draw_boxes(pixels, [(boxes, BOX_COLOR)], f"{image.session}/{image.name}{what}", 320)
