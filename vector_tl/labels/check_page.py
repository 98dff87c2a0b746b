"""The page of `vector-tl label check`: problems, figures, plots and contact sheets in one file."""

import base64
import html
import io
from collections import defaultdict
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from vector_tl.files import write_atomic
from vector_tl.labels.dataset import SPLITS, read_picture

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (after the back end is chosen)

COLORS = {"train": "#2f6fb2", "val": "#d9730d", "test": "#0b8a7a"}
SHEET = 24  # pictures of a split that are shown
STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--paper:#fff;--soft:#5d6872;--line:#d9dee3;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecef;--paper:#14181b;--soft:#9aa5ae;--line:#333b42;--bad:#ff8a80}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.3rem .8rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child{text-align:left}
.left td{text-align:left}.good{color:#0b8a7a}.bad{color:var(--bad)}.soft,figcaption{color:var(--soft);font-size:.85rem}
.plots{display:flex;flex-wrap:wrap;gap:1rem}.plots img{background:#fff;border-radius:6px;width:100%;max-width:22.5rem}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.6rem}.sheet img{width:100%;border-radius:4px;display:block}figure{margin:0}
figcaption{overflow-wrap:anywhere}
"""


def write_page(path: Path, folder: Path, looked: list, problems: list, told: dict) -> None:
    """Write the page.

    Args:
        looked: the pictures, as `check.look` gives them.
        problems: what is wrong.
        told: the figures of `check.figures`.
    """
    verdict = f"<p class=bad><b>{len(problems)} problems.</b></p>" if problems else "<p class=good><b>Nothing wrong was found.</b></p>"
    sections = [verdict, _table(told), _problems(problems), _plots(looked), *(_sheet(split, looked) for split in SPLITS)]
    title = html.escape(f"The data set {Path(folder).resolve().name}")
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{title}</title><style>{STYLE}</style>"
    write_atomic(path, f"<!doctype html><html lang=en>{head}<body><h1>{title}</h1>{''.join(sections)}</body></html>")


def _table(told: dict) -> str:
    names = {
        "sessions": "sessions", "pictures": "pictures", "labelled": "labelled", "boxes": "Vectors", "negatives": "pictures without a Vector",
        "median_height_px": "median height, px of 360", "mean_brightness": "mean brightness, 0 to 255",
    }  # fmt: skip
    columns = {"all": told, **told["splits"]}
    rows = "".join(f"<tr><td>{name}</td>{''.join(f'<td>{_show(column[key])}</td>' for column in columns.values())}</tr>" for key, name in names.items())
    return f"<table><tr><th></th>{''.join(f'<th>{name}</th>' for name in columns)}</tr>{rows}</table>"


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _problems(problems: list) -> str:
    if not problems:
        return ""
    rows = "".join(f"<tr><td>{html.escape(p.kind)}</td><td>{html.escape(p.where)}</td><td>{html.escape(p.what)}</td></tr>" for p in problems[:500])
    more = f"<p class=soft>and {len(problems) - 500} more</p>" if len(problems) > 500 else ""
    return f"<h2>What is wrong</h2><table class=left>{rows}</table>{more}"


def _plots(looked: list) -> str:
    by_split = defaultdict(list)
    for one in looked:
        by_split[one.split].append(one)
    shown = []
    figure, axes = plt.subplots(figsize=(4.5, 3.4))
    for split, some in by_split.items():
        heights = [v for one in some if one.boxes_norm is not None for v in ((one.boxes_norm[:, 3] - one.boxes_norm[:, 1]) * 360).tolist()]
        axes.hist(heights, bins=np.linspace(0, 360, 25), histtype="step", linewidth=1.8, color=COLORS[split], label=split)
    axes.set(xlabel="height of a Vector, px of 360", ylabel="Vectors", title="Sizes")
    shown.append(_svg(figure, axes))
    figure, axes = plt.subplots(figsize=(4.5, 3.4))
    for split, some in by_split.items():
        middles = np.concatenate([(one.boxes_norm[:, :2] + one.boxes_norm[:, 2:]) / 2 for one in some if one.boxes_norm is not None] or [np.zeros((0, 2))])
        axes.scatter(middles[:, 0], middles[:, 1], s=7, alpha=0.6, linewidths=0, color=COLORS[split], label=split)
    axes.set(xlim=(0, 1), ylim=(1, 0), xlabel="across the picture", ylabel="down the picture", title="Places of their middles")
    shown.append(_svg(figure, axes))
    figure, axes = plt.subplots(figsize=(4.5, 3.4))
    for split, some in by_split.items():
        axes.hist([one.brightness for one in some], bins=np.linspace(0, 255, 26), histtype="step", linewidth=1.8, color=COLORS[split], label=split)
    axes.set(xlabel="mean grey level of a picture", ylabel="pictures", title="Brightness")
    shown.append(_svg(figure, axes))
    return f"<h2>What is in it</h2><div class=plots>{''.join(shown)}</div>"


def _svg(figure, axes) -> str:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    title = axes.get_title()
    plt.close(figure)
    return f"<img alt='{title}' src='data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"


def _sheet(split: str, looked: list) -> str:
    """Pictures from as many sessions as possible."""
    some = [one for one in looked if one.split == split]
    if not some:
        return ""
    turn: dict[str, int] = defaultdict(int)
    ranked = []
    for one in some:
        turn[one.session] += 1
        ranked.append((turn[one.session], one.session, one.name, one))
    chosen = [row[3] for row in sorted(ranked, key=lambda row: row[:3])[:SHEET]]
    return f"<h2>{split}</h2><p class=soft>{len(chosen)} of {len(some)} pictures</p><div class=sheet>{''.join(map(_figure, chosen))}</div>"


def _figure(one) -> str:
    picture = cv2.resize(read_picture(one.path), (320, max(1, round(320 * one.size_wh[1] / one.size_wh[0]))), interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    for x1, y1, x2, y2 in np.zeros((0, 4)) if one.boxes_norm is None else one.boxes_norm:
        cv2.rectangle(picture, (round(x1 * width), round(y1 * height)), (round(x2 * width), round(y2 * height)), (20, 200, 170), 2)
    jpeg = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    what = "not labelled" if one.boxes_norm is None else "" if len(one.boxes_norm) else "no Vector"
    caption = html.escape(f"{one.session}/{one.name} {what}".strip())
    return f"<figure><img alt='{caption}' src='data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}'><figcaption>{caption}</figcaption></figure>"
