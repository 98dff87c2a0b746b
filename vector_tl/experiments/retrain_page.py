"""The page of a retraining: the answer, figures before and after, and the images that changed most."""

from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.data.images import resize_to_kept
from vector_tl.evaluate.metrics import Outcome, match
from vector_tl.experiments.retrain_results import PARTS, ModelResult
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.web import pages
from vector_tl.web.report import WHITE, Sheet, decimals, draw_boxes

NAMES = {"before": "as it was", "after": "fine-tuned", "coco": "from COCO, on everything"}
COLORS = {"before": "#5d6872", "after": "#0b8a7a"}
MAX_IMAGES, MIN_CHANGE = 12, 0.1  # images that changed less are not shown


def write_page(settings: RetrainSettings, result: dict[str, Any], models: dict[str, ModelResult]) -> None:
    """Write index.html; `result` as `vector-tl retrain` prints it."""
    sheets = [most_changed(models, part) for part in ("new", "old")]
    pages.write_page(
        settings.out / "index.html",
        "experiments/templates/retrain.html",
        title=f"Retrained: {Path(settings.model).stem}",
        result=result,
        tables={f"{part} sessions": rows for part in PARTS if (rows := _rows(models, part))},
        sheets=[sheet for sheet in sheets if sheet.images],
        batch_size=settings.batch_size,
        command=pages.command_line("retrain", settings, positional="model"),
    )


def _rows(models: dict[str, ModelResult], part: str) -> list[tuple[str, ...]]:
    """The table of a part: a row for each model; empty where there are no images."""
    rows: list[tuple[str, ...]] = [("", "found", "false alarms", "AP50", "AP50-95")]
    for name, words in NAMES.items():
        figures, found = models[name].figures[part], "-"
        if figures is None:
            return []
        if figures["recall"] is not None:
            found = f"{round(figures['recall'] * figures['boxes'])} of {figures['boxes']}"
        aps = decimals(figures["ap50"]), decimals(figures["ap50_95"])
        rows.append((words, found, str(figures["false_positives"]), *aps))
    return rows


def most_changed(models: dict[str, ModelResult], part: str) -> Sheet:
    """The images on which before and after differ most."""
    before, after = models["before"], models["after"]
    triples = zip(before.items[part], before.outcomes[part], after.outcomes[part], strict=True)
    changes = [(_fit(now) - _fit(then), item, then, now) for item, then, now in triples]
    changes.sort(key=lambda row: -abs(row[0]))
    images = []
    for gain, item, then, now in changes[:MAX_IMAGES]:
        if abs(gain) >= MIN_CHANGE:
            boxes = [
                (then.boxes_xyxy, WHITE),
                (then.predicted_xyxy[then.scores > before.threshold], COLORS["before"]),
                (now.predicted_xyxy[now.scores > after.threshold], COLORS["after"]),
            ]
            caption = f"{item.session}/{item.name}: {'better' if gain > 0 else 'worse'} by {abs(gain):.2f}"
            image = resize_to_kept(item.image())
            images.append(draw_boxes(image, boxes, caption))
    note = (
        "By the scores of the boxes on Vectors, less those of false alarms. White: the label; grey: "
        "before; green: after."
    )
    return Sheet(f"What changed most on {part} sessions", images, note)


def _fit(outcome: Outcome) -> float:
    """How well an image is done: for each Vector the score of its box, less the scores of false positives."""
    scores, matched = match(outcome)
    return float(np.clip(scores, 0, None).sum() - outcome.scores[~matched].sum())
