"""How well a model's figures on the simulated yardstick predict those on photographs: rank correlations.

    .venv/bin/python scripts/trials/kind_correlation.py MODEL MODEL MODEL MODEL ... --yardstick FOLDER
        --real STILLS HARD ROOMS [--rows runs/kind_correlation.jsonl]

FOLDER is what `kind_sessions.py` has drawn, the real folders are datasets of photographs with a `kinds.json`.
Every model is measured on both. Spearman's coefficient then says whether models that are better on the one
are better on the other: 1 the same order, 0 no relation, -1 the opposite order. The real folders are pooled,
since each is small; a single kind counts only where they have ten boxes of it. Take eight models or more, and
good ones beside bad ones; with few, chance alone gives high coefficients (so the probability is beside it).

Each row of `--rows` is a model; a model that has a row is not measured again on the same folders.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy.stats import spearmanr

from vector_tl.data.dataset import Dataset, Item, load_dataset
from vector_tl.detect.detector import load
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.web.report import decimals

MIN_MODELS = 4  # of fewer, even the best order comes about by chance too often: 1 in 6 of three
MIN_BOXES = 10
POOLED = "all kinds"
Figures = dict[str, dict[str, Any]]  # kind -> images, boxes, ap50, false_positives_per_image


@dataclass(frozen=True)
class Correlation:
    """Correlate models' figures on simulated and on real images."""

    models: tyro.conf.Positional[tuple[str, ...]]
    """Model files, or names in models/."""
    yardstick: Path
    """Dataset of simulated test sessions of every kind."""
    real: tuple[Path, ...]
    """Datasets of photographs."""
    rows: Path = Path("runs/kind_correlation.jsonl")
    """File with a row for each model."""
    max_images: int | None = None
    """Only so many images of the yardstick, evenly chosen."""


def figures_of(outcomes: Sequence[Outcome], items: Sequence[Item], threshold: float) -> Figures:
    """The figures of each kind and of all images, without intervals."""
    figures = {}
    for kind in [POOLED, *sorted({kind for item in items for kind in item.kinds})]:
        some = [
            outcome
            for outcome, item in zip(outcomes, items, strict=True)
            if kind == POOLED or kind in item.kinds
        ]
        measured = measure(some, threshold)
        names = ("images", "boxes", "ap50", "false_positives_per_image")
        figures[kind] = {name: measured[name] for name in names}
    return figures


def judge(model: str, yardstick: Sequence[Item], real: Sequence[Item]) -> dict[str, Figures]:
    """One model's figures on both."""
    detector = load(model, "cpu")
    return {
        name: figures_of(
            run_detector(detector, Dataset(Path(name), "all", list(items), 0)), items, detector.threshold
        )
        for name, items in (("simulated", yardstick), ("real", real))
    }


def coefficient(
    ours: Sequence[float | None], theirs: Sequence[float | None]
) -> tuple[float | None, float | None]:
    """Spearman's coefficient and the probability of one as far from 0 by chance; None where all are equal."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    if len(pairs) < MIN_MODELS or any(len(set(column)) == 1 for column in zip(*pairs, strict=True)):
        return None, None
    result = spearmanr(*np.array(pairs).T)
    return float(result.statistic), float(result.pvalue)


def mean_of_kinds(figures: Figures) -> float | None:
    """The mean AP50 of all kinds with boxes, each counted the same."""
    values = [row["ap50"] for kind, row in figures.items() if kind != POOLED and row["ap50"] is not None]
    return float(np.mean(values)) if values else None


def ap50(kind: str) -> Callable[[Figures], float | None]:
    """What gives the AP50 of a kind."""
    return lambda figures: figures.get(kind, {}).get("ap50")


def false_positives(figures: Figures) -> float | None:
    """Per image without a Vector."""
    return figures.get("none", {}).get("false_positives_per_image")


def comparisons(
    real: Figures,
) -> Iterator[tuple[str, Callable[..., float | None], Callable[..., float | None]]]:
    """What is compared: its name, and what gives it of simulated and of real figures."""
    yield "AP50, the mean of all kinds against all photographs", mean_of_kinds, ap50(POOLED)
    yield "AP50, all images", ap50(POOLED), ap50(POOLED)
    yield "false positives per image without a Vector", false_positives, false_positives
    for kind, row in real.items():
        if kind != POOLED and row["boxes"] >= MIN_BOXES:
            yield f"AP50, {kind}", ap50(kind), ap50(kind)


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Markdown: the coefficients, and below them each model's figures."""
    yield "| compared | models | Spearman's coefficient | by chance |"
    yield "|---|---|---|---|"
    first: Figures = rows[0]["real"]
    for name, of_simulated, of_real in comparisons(first):
        ours, theirs = (
            [of_simulated(row["simulated"]) for row in rows],
            [of_real(row["real"]) for row in rows],
        )
        rho, chance = coefficient(ours, theirs)
        both = sum(a is not None and b is not None for a, b in zip(ours, theirs, strict=True))
        yield f"| {name} | {both} | {decimals(rho, 2)} | {decimals(chance, 3)} |"
    yield ""
    yield "| model | simulated: mean AP50 of kinds, false positives | real: AP50, false positives |"
    yield "|---|---|---|"
    for row in sorted(rows, key=lambda row: -(mean_of_kinds(row["simulated"]) or 0)):
        cells = [
            f"{decimals(value, 3)}, {decimals(false_positives(figures), 3)}"
            for value, figures in (
                (mean_of_kinds(row["simulated"]), row["simulated"]),
                (row["real"][POOLED]["ap50"], row["real"]),
            )
        ]
        yield f"| {row['model']} | {' | '.join(cells)} |"


def chosen(items: list[Item], count: int | None) -> list[Item]:
    """All items, or `count` of them, evenly spaced."""
    if count is None or count >= len(items):
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def run(asked: Correlation) -> list[dict[str, Any]]:
    """Measure the models that have no row yet.

    Returns:
        the rows of the models asked for.

    Raises:
        UsageError: fewer than `MIN_MODELS` different models.
        UserError: a model or a dataset is missing or broken.
    """
    models = list(dict.fromkeys(asked.models))
    if len(models) < MIN_MODELS:
        raise UsageError(
            f"{len(models)} models say nothing about an order; name at least {MIN_MODELS}, better 8, "
            "good ones beside bad ones."
        )
    yardstick = chosen(load_dataset(asked.yardstick, "test").items, asked.max_images)
    real = [item for folder in asked.real for item in load_dataset(folder, "all").items]
    on = f"{asked.yardstick}: {len(yardstick)}; {', '.join(map(str, asked.real))}: {len(real)}"
    rows = read_rows(asked.rows)
    asked.rows.parent.mkdir(parents=True, exist_ok=True)
    for model in models:
        if (model, on) in {(row["model"], row["on"]) for row in rows}:
            continue
        row = {"model": model, "on": on} | judge(model, yardstick, real)
        rows.append(row)
        with asked.rows.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{model} is measured", file=sys.stderr, flush=True)
    return [row for row in rows if row["model"] in models and row["on"] == on]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    try:
        print("\n".join(table(run(tyro.cli(Correlation)))))
    except UserError as error:
        sys.exit(str(error))
