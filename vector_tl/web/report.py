"""Pages for people, each one file that loads nothing from elsewhere: style, tables, plots, images with boxes."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from vector_tl.files import write_atomic

matplotlib.use("Agg")
from matplotlib import pyplot as plt

WHITE = "#ffffff"
STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--paper:#fff;--soft:#5d6872;--line:#d9dee3;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecef;--paper:#14181b;--soft:#9aa5ae;--line:#333b42;--bad:#ff8a80}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.9rem;margin-bottom:.3rem}h2{margin-top:2.2rem}.answer{font-size:1.25rem;border-left:.4rem solid #0b8a7a;padding:.2rem 1rem}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}td,th{padding:.3rem .8rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child{text-align:left}.left td{text-align:left}.good{color:#0b8a7a}.bad{color:var(--bad)}
.plots{display:flex;flex-wrap:wrap;gap:1rem}.plots figure{flex:1 1 24rem;max-width:33rem}.plots.small figure{flex-basis:16rem;max-width:22.5rem}
.plots img{background:#fff;border-radius:6px;width:100%}
.tables{display:flex;flex-wrap:wrap;gap:0 3rem;align-items:flex-start}.scroll{overflow-x:auto}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.6rem}.sheet img{width:100%;border-radius:4px;display:block}figure{margin:0}
figcaption,.soft{color:var(--soft);font-size:.85rem}figcaption,code{overflow-wrap:anywhere}
"""


def write_page(path: Path, title: str, body: Iterable[str], heading: str | None = None) -> None:
    """Write a page of HTML parts; the heading is the title unless it is given."""
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{html.escape(title)}</title><style>{STYLE}</style>"
    parts = "\n".join(part for part in body if part)
    write_atomic(
        path,
        f"<!doctype html><html lang=en>{head}<body><h1>{html.escape(heading or title)}</h1>{parts}</body></html>",
    )


def section(title: str, content: str, note: str = "") -> str:
    """A heading, what is below it, and a word on how to read it."""
    return f"<h2>{html.escape(title)}</h2>{content}" + (
        f"<p class=soft>{html.escape(note)}</p>" if note else ""
    )


def table(rows: Sequence[Sequence]) -> str:
    """The first row is the head."""
    head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"


def plot(figure, axes, caption: str = "") -> str:
    """A figure of matplotlib, which is then closed."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    says, below = (
        html.escape(caption or axes.get_title()),
        f"<figcaption>{html.escape(caption)}</figcaption>" if caption else "",
    )
    return f"<figure><img alt='{says}' src='data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}'>{below}</figure>"


def image(
    image_rgb: np.ndarray, boxes: Iterable[tuple[np.ndarray, str]], caption: str, width_px: int = 384
) -> str:
    """An image uint8 (H, W, 3) with boxes (N, 4) xyxy in its pixels, each kind in a colour such as #0b8a7a, and a caption."""
    height, width = image_rgb.shape[:2]
    scale = width_px / width
    small = cv2.resize(
        image_rgb,
        (width_px, max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    for some, color in boxes:
        paint = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
        for x1, y1, x2, y2 in (np.asarray(some).reshape(-1, 4) * scale).round().astype(int).tolist():
            cv2.rectangle(small, (x1, y1), (x2, y2), paint, 2)
    jpeg = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    name = html.escape(caption)
    return f"<figure><img alt='{name}' src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}'><figcaption>{name}</figcaption></figure>"


def sheet(figures: Iterable[str]) -> str:
    """Images side by side."""
    return f"<div class=sheet>{''.join(figures)}</div>"
