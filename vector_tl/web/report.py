"""What report pages show: plots, images with boxes and numbers."""

import base64
import functools
import io
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec

import cv2
import numpy as np

from vector_tl.plain import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHITE = "#ffffff"
NO_PLOT = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 60"><text x="180" y="35" \
text-anchor="middle" font-family="sans-serif" font-size="14" fill="#5a6270">not drawn</text></svg>"""
NO_MATPLOTLIB = "A plot belongs here; matplotlib draws it, and comes with scripts/setup or vector-tl[train]"
P = ParamSpec("P")


@dataclass(frozen=True)
class Illustration:
    """A plot or image within a page; `src` holds its data, `caption` is also read out in its place."""

    src: str
    caption: str


@dataclass(frozen=True)
class Sheet:
    """Images under a title, with a note on how to read them."""

    title: str
    images: list[Illustration]
    note: str = ""


def plotted(draw: Callable[P, Illustration]) -> Callable[P, Illustration]:
    """A function that draws a plot; where matplotlib is not installed, its place says so."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Illustration:
        try:
            return draw(*args, **kwargs)
        except ModuleNotFoundError as error:
            if error.name != "matplotlib":
                raise
            return Illustration(_data_url("image/svg+xml", NO_PLOT), NO_MATPLOTLIB)

    return drawn


def new_plot(width: float = 6, height: float = 4) -> tuple["Figure", Any]:
    """An empty plot of that size, in inches, and its `Axes`.

    Raises:
        ModuleNotFoundError: without matplotlib; see `plotted`.
    """
    import matplotlib  # here: a run-only installation does without, and most pages show no plot
    from matplotlib.figure import Figure

    matplotlib.rcParams["text.parse_math"] = False  # a name with dollars is a name, not a formula
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def finish_plot(figure: "Figure", caption: str) -> Illustration:
    """A drawn plot of `new_plot` as SVG."""
    from matplotlib.text import Text  # here: see `new_plot`

    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the font lacks
        figure.tight_layout()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return Illustration(_data_url("image/svg+xml", buffer.getvalue()), caption)


def draw_boxes(
    image_rgb: np.ndarray, boxes: Iterable[tuple[np.ndarray, str]], caption: str, width_px: int = 384
) -> Illustration:
    """An image with boxes, made smaller or larger.

    Args:
        image_rgb: uint8 `(H, W, 3)`.
        boxes: `(N, 4)` xyxy in pixels of the image, and their colour such as #0b8a7a.
        caption: what is written below.
        width_px: of the result.
    """
    height, width = image_rgb.shape[:2]
    scale = width_px / width
    small = cv2.resize(
        image_rgb,
        (width_px, max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    for some, color in boxes:
        paint = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        for x1, y1, x2, y2 in (np.asarray(some).reshape(-1, 4) * scale).round().astype(int).tolist():
            cv2.rectangle(small, (x1, y1), (x2, y2), paint, 2)
    jpeg = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return Illustration(_data_url("image/jpeg", jpeg), caption)


def decimals(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits after the point, or a dash for an undefined one."""
    return "-" if value is None else f"{value:.{digits}f}"


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
