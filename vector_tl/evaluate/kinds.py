"""Figures for each kind of image, so that one sees where a model fails: dark screens, touching robots, ..."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vector_tl.evaluate.bootstrap import (
    MIN_SESSIONS,
    draws,
    interval,
    match_all,
    showing_vectors,
    weighted_ap,
)
from vector_tl.evaluate.metrics import Outcome, match, measure

DRAWS = 1000  # of sessions, for an interval


def figures_by_kind(
    outcomes: Sequence[Outcome],
    kinds: Sequence[tuple[str, ...]],
    sessions: Sequence[str],
    threshold: float,
) -> list[dict[str, Any]]:
    """The figures of each kind's images, worst first.

    First the kinds with Vectors, by AP50 and recall; then those without, by their false positives.

    Args:
        outcomes: what a model found on each image.
        kinds: of each image.
        sessions: of each image.
        threshold: confidence threshold of recall and false positives.

    Returns:
        [{"kind", "images", "boxes", "ap50", "ap50_ci", "ap50_95", "recall", "recall_ci",
        "false_positives_per_image"}]; AP and recall are None for a kind without boxes. An interval is
        [low, high], 95 % over draws of sessions, None where fewer than five sessions show a Vector.
    """
    rows = []
    for kind in sorted({kind for some in kinds for kind in some}):
        chosen = [number for number, some in enumerate(kinds) if kind in some]
        of_kind, of_sessions = [outcomes[i] for i in chosen], [sessions[i] for i in chosen]
        figures = measure(of_kind, threshold)
        ap50_ci, recall_ci = _intervals(of_kind, of_sessions, threshold)
        rows.append(
            {
                "kind": kind,
                "images": figures["images"],
                "boxes": figures["boxes"],
                "ap50": figures["ap50"],
                "ap50_ci": ap50_ci,
                "ap50_95": figures["ap50_95"],
                "recall": figures["recall"],
                "recall_ci": recall_ci,
                "false_positives_per_image": figures["false_positives_per_image"],
            }
        )
    return sorted(rows, key=_badness)


def _intervals(
    outcomes: list[Outcome], sessions: list[str], threshold: float
) -> tuple[list[float] | None, list[float] | None]:
    """Intervals of AP50 and of recall at the threshold."""
    matched = match_all(outcomes)
    at_50 = replace(matched, right=matched.right[:1])
    found = np.array([int((match(outcome)[0] > threshold).sum()) for outcome in outcomes])
    ap50s: list[float | None] = []
    recalls: list[float | None] = []
    showing = showing_vectors(sessions, matched)
    for weights in draws(sessions, DRAWS) if showing >= MIN_SESSIONS else ():
        boxes = (matched.boxes * weights).sum()
        ap50s.append(weighted_ap(at_50, weights)[0])
        recalls.append(float((found * weights).sum() / boxes) if boxes else None)
    ap50, recall = interval(ap50s, showing), interval(recalls, showing)
    return ap50 and list(ap50), recall and list(recall)


def _badness(row: dict[str, Any]) -> tuple[Any, ...]:
    """Sorts the worst kind first."""
    if row["boxes"]:
        return 0, row["ap50"], row["recall"], -row["false_positives_per_image"], row["kind"]
    return 1, -row["false_positives_per_image"], 0.0, 0.0, row["kind"]
