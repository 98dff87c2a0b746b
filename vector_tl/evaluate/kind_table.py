"""The table of a page that shows figures by kind of image, for one model or several beside each other."""

from typing import Any

from vector_tl.web.report import decimals


def kind_rows(by_model: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """A table of kinds, its head first, in the order of the first model; empty without any kind.

    Args:
        by_model: name -> its rows of `figures_by_kind` on the same images.
    """
    models = list(by_model)
    if not models or not by_model[models[0]]:
        return []
    whose = [f"{model}: " if len(models) > 1 else "" for model in models]
    columns = ("AP50", "recall", "false positives per image")
    rows: list[tuple[Any, ...]] = [
        ("kind", "images", "Vectors", *(of + column for of in whose for column in columns))
    ]
    found = {model: {row["kind"]: row for row in some} for model, some in by_model.items()}
    for first in by_model[models[0]]:
        cells = [cell for model in models for cell in _cells(found[model][first["kind"]])]
        rows.append((first["kind"], first["images"], first["boxes"], *cells))
    return rows


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    def with_interval(key: str) -> str:
        low_high = row[f"{key}_ci"]
        return decimals(row[key], 2) + (f" ({low_high[0]:.2f} to {low_high[1]:.2f})" if low_high else "")

    return with_interval("ap50"), with_interval("recall"), decimals(row["false_positives_per_image"], 2)
