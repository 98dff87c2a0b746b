"""Measures the figures of a model's card, and prints them as a Markdown table.

    .venv/bin/python scripts/trials/model_figures.py MODEL [MODEL ...] --data data [--stills STILLS]
        [--rooms ROOMS --from-room 54]

DATA is a dataset whose test sessions are measured, STILLS one of real images with Vectors, ROOMS one of real
images without, from number 54 on by default: rooms that chose a threshold must not measure it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from vector_tl.data.dataset import load_dataset
from vector_tl.detect.detector import load
from vector_tl.evaluate.metrics import count_false_positives, measure
from vector_tl.evaluate.outcomes import run_detector


@dataclass(frozen=True)
class Figures:
    """Measure models for their cards."""

    models: tyro.conf.Positional[tuple[str, ...]]
    """Model files, or names in models/."""
    data: Path = Path("data")
    """Dataset; its test sessions are measured."""
    stills: Path | None = None
    """Dataset of real images with Vectors."""
    rooms: Path | None = None
    """Dataset of real images without a Vector."""
    from_room: int = 54
    """Number of the first room that is measured."""


def columns(settings: Figures, model: str) -> dict[str, str]:
    """The figures of one model, by their names on its card."""
    detector = load(model, "cpu")
    test = measure(run_detector(detector, load_dataset(settings.data, "test")), detector.threshold)
    figures = {
        "threshold": f"{detector.threshold:.2f}",
        "simulated test sessions: AP50, AP50-95": f"{test['ap50']:.3f}, {test['ap50_95']:.3f}",
        "the same: precision, recall at the threshold": f"{test['precision'] or 0:.2f}, {test['recall']:.2f}",
    }
    for row in test["recall_by_height_px"]:
        if row["boxes"]:
            until = "and more" if row["max"] is None else f"to {row['max']:g}"
            figures[f"recall, {row['min']:g} {until} px high ({row['boxes']})"] = f"{row['recall']:.2f}"
    if settings.stills:
        real = measure(run_detector(detector, load_dataset(settings.stills, "all")), detector.threshold)
        figures["10 real photographs: AP50, AP50-95"] = f"{real['ap50']:.2f}, {real['ap50_95']:.3f}"
        figures["the same: found, false positives at the threshold"] = (
            f"{round(real['recall'] * real['boxes'])} of {real['boxes']}, "
            f"{round(real['false_positives_per_image'] * real['images'])}"
        )
    if settings.rooms:
        rooms = load_dataset(settings.rooms, "all")
        rooms = replace(rooms, items=rooms.items[settings.from_room :])
        figures[f"{len(rooms)} real rooms without a Vector: false positives"] = str(
            count_false_positives(run_detector(detector, rooms), detector.threshold)
        )
    return figures


if __name__ == "__main__":
    asked = tyro.cli(Figures)
    # Keyed by what was asked for: two models may have the same name in different folders.
    table = {model: columns(asked, model) for model in asked.models}
    print(f"| | {' | '.join(f'`{name}`' for name in table)} |")
    print("|---" * (len(table) + 1) + "|")
    for name in next(iter(table.values())):
        print(f"| {name} | {' | '.join(figures[name] for figures in table.values())} |")
