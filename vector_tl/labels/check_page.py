"""The page of `vector-tl label check`: problems, figures, plots and contact sheets in one file."""

import html
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from vector_tl.data.boxes import to_cxcywh
from vector_tl.data.dataset import SPLITS
from vector_tl.data.images import read_image
from vector_tl.web import report as pages

COLORS = {"train": "#2f6fb2", "val": "#d9730d", "test": "#0b8a7a"}
BOX_COLOR = "#14c8aa"
SHEET = 24  # images of a split that are shown


def write_page(path: Path, folder: Path, looked: list, problems: list, told: dict) -> None:
    """Write the page.

    Args:
        looked: the images, as `check.look` gives them.
        problems: what is wrong.
        told: the figures of `check.figures`.
    """
    verdict = (
        f"<p class=bad><b>{len(problems)} problems.</b></p>"
        if problems
        else "<p class=good><b>Nothing wrong was found.</b></p>"
    )
    sections = [
        verdict,
        _table(told),
        _problems(problems),
        _plots(looked),
        *(_sheet(split, looked) for split in SPLITS),
    ]
    pages.write_page(path, f"The dataset {Path(folder).resolve().name}", sections)


def _table(told: dict) -> str:
    names = {
        "sessions": "sessions", "images": "images", "labelled": "labelled", "boxes": "Vectors", "negatives": "images without a Vector",
        "median_height_px": "median height, px of 360", "mean_brightness": "mean brightness, 0 to 255",
    }  # fmt: skip
    columns = {"all": told, **told["splits"]}
    rows = "".join(
        f"<tr><td>{name}</td>{''.join(f'<td>{_show(column[key])}</td>' for column in columns.values())}</tr>"
        for key, name in names.items()
    )
    return f"<table><tr><th></th>{''.join(f'<th>{name}</th>' for name in columns)}</tr>{rows}</table>"


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _problems(problems: list) -> str:
    if not problems:
        return ""
    rows = "".join(
        f"<tr><td>{html.escape(p.kind)}</td><td>{html.escape(p.where)}</td><td>{html.escape(p.what)}</td></tr>"
        for p in problems[:500]
    )
    more = f"<p class=soft>and {len(problems) - 500} more</p>" if len(problems) > 500 else ""
    return f"<h2>What is wrong</h2><table class=left>{rows}</table>{more}"


def _plots(looked: list) -> str:
    by_split = defaultdict(list)
    for one in looked:
        by_split[one.split].append(one)
    shown = []
    figure, axes = plt.subplots(figsize=(4.5, 3.4))
    for split, some in by_split.items():
        heights = [
            v
            for one in some
            if one.boxes_norm is not None
            for v in ((one.boxes_norm[:, 3] - one.boxes_norm[:, 1]) * 360).tolist()
        ]
        axes.hist(
            heights,
            bins=np.linspace(0, 360, 25),
            histtype="step",
            linewidth=1.8,
            color=COLORS[split],
            label=split,
        )
    axes.set(xlabel="height of a Vector, px of 360", ylabel="Vectors", title="Sizes")
    shown.append(pages.plot(figure, axes))
    figure, axes = plt.subplots(figsize=(4.5, 3.4))
    for split, some in by_split.items():
        middles = np.concatenate(
            [to_cxcywh(one.boxes_norm)[:, :2] for one in some if one.boxes_norm is not None]
            or [np.zeros((0, 2))]
        )
        axes.scatter(
            middles[:, 0], middles[:, 1], s=7, alpha=0.6, linewidths=0, color=COLORS[split], label=split
        )
    axes.set(
        xlim=(0, 1),
        ylim=(1, 0),
        xlabel="across the image",
        ylabel="down the image",
        title="Places of their middles",
    )
    shown.append(pages.plot(figure, axes))
    figure, axes = plt.subplots(figsize=(4.5, 3.4))
    for split, some in by_split.items():
        axes.hist(
            [one.brightness for one in some],
            bins=np.linspace(0, 255, 26),
            histtype="step",
            linewidth=1.8,
            color=COLORS[split],
            label=split,
        )
    axes.set(xlabel="mean grey level of an image", ylabel="images", title="Brightness")
    shown.append(pages.plot(figure, axes))
    return f"<h2>What is in it</h2><div class='plots small'>{''.join(shown)}</div>"


def _sheet(split: str, looked: list) -> str:
    """Images from as many sessions as possible."""
    some = [one for one in looked if one.split == split]
    if not some:
        return ""
    turn: dict[str, int] = defaultdict(int)
    ranked = []
    for one in some:
        turn[one.session] += 1
        ranked.append((turn[one.session], one.session, one.name, one))
    chosen = [row[3] for row in sorted(ranked, key=lambda row: row[:3])[:SHEET]]
    return f"<h2>{split}</h2><p class=soft>{len(chosen)} of {len(some)} images</p>{pages.sheet(map(_figure, chosen))}"


def _figure(one) -> str:
    image = read_image(one.path)
    size = image.shape[1::-1] * 2
    boxes = () if one.boxes_norm is None else ((one.boxes_norm * size, BOX_COLOR),)
    what = "not labelled" if one.boxes_norm is None else "" if len(one.boxes_norm) else "no Vector"
    return pages.image(image, boxes, f"{one.session}/{one.name} {what}".strip(), 320)
