"""The page of a retraining at home: the answer, a curve for each figure, a table, and what changed most."""

from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.experiments.retrain_page import most_changed
from vector_tl.experiments.retrain_results import ModelResult
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.plain import few
from vector_tl.web import pages
from vector_tl.web.report import Illustration, decimals, finish_plot, new_plot

PARTS = {"new": ("this home", "#0b8a7a", "o-"), "old": ("old test sessions", "#5d6872", "s--")}
MAX_NAMED = 4  # sessions
FIGURES = {
    "recall": ("Vectors found", "recall at the model's threshold"),
    "false_positives_per_image": ("False alarms", "false alarms an image"),
    "ap50": ("Whatever the threshold", "AP50"),
}


def write_page(settings: RetrainSettings, result: dict[str, Any], models: dict[int, ModelResult]) -> None:
    """Write index.html; `result` as `vector-tl retrain --sizes` prints it, `models` by size."""
    pair = {"before": models[0], "after": models[max(models)]}
    sheets = [most_changed(pair, part) for part in ("new", "old")]
    pages.write_page(
        settings.out / "index.html",
        "experiments/templates/at_home.html",
        title=f"At home: {Path(settings.model).stem}",
        result=result,
        plots=[_curve(result["sizes"], key) for key in FIGURES],
        tables={PARTS[part][0]: rows for part in PARTS if (rows := _rows(result["sizes"], part))},
        home=few(result["new_sessions"], MAX_NAMED),
        judged_by_val_alone=not (settings.backgrounds or settings.negatives),
        sheets=[sheet for sheet in sheets if sheet.images],
        largest=max(models),
        batch_size=settings.batch_size,
        command=pages.command_line("retrain", settings, positional="model"),
    )


def _curve(rows: list[dict[str, Any]], key: str) -> Illustration:
    """One figure over the number of images, for the home and for the old test sessions."""
    title, label = FIGURES[key]
    figure, axes = new_plot(4.6, 3.4)
    sizes, highest = [row["images"] for row in rows], 0.0
    for part, (name, color, line) in PARTS.items():
        heights = [row[part][key] if row[part] else None for row in rows]
        known = [height for height in heights if height is not None]
        if known:
            axes.plot(sizes, np.array(heights, float), line, color=color, label=name, clip_on=False)
            highest = max(highest, *known)
    axes.set_xscale("function", functions=(np.sqrt, np.square))  # so that 0, 25 and 100 stand evenly
    axes.set_xticks(sizes, [str(size) for size in sizes])
    above = max(0.05, 1.1 * highest) if key == "false_positives_per_image" else 1.02
    axes.set(title=title, xlabel="images of this home", ylabel=label, ylim=(0, above))
    return finish_plot(
        figure, f"{label[0].upper()}{label[1:]}, by images of this home that were trained with"
    )


def _rows(rows: list[dict[str, Any]], part: str) -> list[tuple[str, ...]]:
    """The table of a part: a row for each size; empty where there are no images."""
    if rows[0][part] is None:
        return []
    head = ("images", "threshold", "found", "false alarms an image", "AP50", "AP50-95")
    table: list[tuple[str, ...]] = [head]
    for row in rows:
        figures, found = row[part], "-"
        if figures["recall"] is not None:
            found = f"{round(figures['recall'] * figures['boxes'])} of {figures['boxes']}"
        aps = decimals(figures["ap50"]), decimals(figures["ap50_95"])
        alarms = decimals(figures["false_positives_per_image"])
        table.append((str(row["images"]), decimals(figures["threshold"], 2), found, alarms, *aps))
    return table
