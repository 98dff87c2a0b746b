"""What a retraining brought: models on old and new test sessions, and an answer that follows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vector_tl.data.dataset import Item
from vector_tl.evaluate.bootstrap import (
    MIN_SESSIONS,
    draws,
    interval,
    match_all,
    showing_vectors,
    weighted_ap,
)
from vector_tl.evaluate.metrics import Outcome, calibrate, count_false_positives, match, measure
from vector_tl.experiments.compare_answer import hardly, signed
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.calibration import calibration_of
from vector_tl.plain import counted
from vector_tl.train.batches import keep_images
from vector_tl.train.inference import run_model

PARTS = (
    "old",
    "new",
)  # of the test sessions: those that the model was trained beside, and those that came later
DRAWS = 1000
CLOSE = 0.02  # AP50-95; models that differ by less are no reason to choose one of them


@dataclass(frozen=True)
class ModelResult:
    """A model on the test images; of each part its images, outcomes and figures (None without images)."""

    items: dict[str, list[Item]]
    outcomes: dict[str, list[Outcome]]
    figures: dict[str, dict[str, Any] | None]
    threshold: float


def measure_model(path: Path, test: list[Item], new: set[str], device: torch.device) -> ModelResult:
    """Run a model on all test images, and measure it on those of old and of new sessions."""
    network, about = checkpoint.load(path)
    threshold = model_file.threshold_of(about)
    network = network.to(device, memory_format=torch.channels_last)
    outcomes = run_model(network, keep_images(test)) if test else []
    every = list(zip(test, calibrate(outcomes, calibration_of(about)), strict=True))
    result = ModelResult({}, {}, {}, threshold)
    for part in PARTS:
        chosen = [pair for pair in every if (pair[0].session in new) == (part == "new")]
        result.items[part], outcomes = [item for item, _ in chosen], [outcome for _, outcome in chosen]
        false_positives = {"false_positives": count_false_positives(outcomes, threshold)}
        result.outcomes[part] = outcomes
        result.figures[part] = measure(outcomes, threshold) | false_positives if chosen else None
    return result


def change(before: ModelResult, after: ModelResult, part: str) -> dict[str, Any] | None:
    """AP50-95 after less before, with a 95 % interval over the sessions.

    Returns:
        {"ap50_95", "low", "high", "sessions": those that show a Vector}; low and high are None for too few
        sessions. None where the part has no Vector.
    """
    figures = before.figures[part]
    if figures is None or figures["ap50_95"] is None:
        return None
    sessions = [item.session for item in before.items[part]]
    matched = [match_all(result.outcomes[part]) for result in (before, after)]
    weights = [np.ones(len(sessions)), *draws(sessions, DRAWS)]
    # (1 + DRAWS, 2), NaN where no Vector was drawn
    aps = np.array([[weighted_ap(one, some)[1] for one in matched] for some in weights], float)
    gaps = aps[:, 1] - aps[:, 0]
    count = showing_vectors(sessions, matched[0])
    low, high = interval(gaps[1:].tolist(), count) or (None, None)
    return {"ap50_95": float(gaps[0]), "low": low, "high": high, "sessions": count}


def recall_change(before: ModelResult, after: ModelResult, part: str) -> dict[str, Any] | None:
    """Recall at each model's own threshold, after less before, with a 95 % interval over the sessions.

    Returns:
        {"recall", "low", "high"}; low and high are None for too few sessions. None where the part has no
        Vector.
    """
    outcomes = before.outcomes[part]
    boxes = np.array([len(outcome.boxes_xyxy) for outcome in outcomes])  # (images,)
    if not boxes.sum():
        return None
    found = [
        np.array([int((match(outcome)[0] > result.threshold).sum()) for outcome in result.outcomes[part]])
        for result in (before, after)
    ]
    gained = found[1] - found[0]  # (images,)
    sessions = [item.session for item in before.items[part]]
    weights = draws(sessions, DRAWS)  # (DRAWS, images)
    drawn = weights @ boxes
    gaps = (weights @ gained)[drawn > 0] / drawn[drawn > 0]
    showing = len({session for session, count in zip(sessions, boxes, strict=True) if count})
    low, high = interval(gaps.tolist(), showing) or (None, None)
    return {"recall": float(gained.sum() / boxes.sum()), "low": low, "high": high}


def answer(models: dict[str, ModelResult], changes: dict[str, dict[str, Any] | None]) -> list[str]:
    """What the new images brought, what was forgotten, and which of the two ways was better."""
    sentences = [
        _on_part(part, gap) if (gap := changes[part]) else _without_vectors(models, part)
        for part in ("new", "old")
    ]
    parts = [part for part in PARTS if changes[part]]
    if parts:
        after, coco = (
            float(np.mean([figures["ap50_95"] for part in parts if (figures := models[name].figures[part])]))
            for name in ("after", "coco")
        )
        remarks = ["mean of old and new sessions"] * (len(parts) > 1)
        remarks += ["too close to choose by"] * (abs(after - coco) < CLOSE)
        more = f" ({'; '.join(remarks)})" if remarks else ""
        sentences.append(
            f"After as many steps, AP50-95 is {after:.2f} from this model and {coco:.2f} from COCO{more}."
        )
    return sentences


def _on_part(part: str, gap: dict[str, Any]) -> str:
    """What changed on the test sessions of a part."""
    sessions = counted(gap["sessions"], f"{part} test session")
    little = hardly(gap["ap50_95"])
    gain = signed(gap["ap50_95"], 3 if little else 2)
    if gap["low"] is None:
        return (
            f"There are too few {part} test sessions to say: AP50-95 {signed(gap['ap50_95'])} on "
            f"{sessions}; {MIN_SESSIONS} are needed."
        )
    if gap["low"] <= 0 <= gap["high"]:
        verdict = "No difference was found"
    else:
        better = gap["low"] > 0
        verdict = f"It is {'better' if better else 'worse'} on {part} sessions" + ", but hardly" * little
        if part == "old":
            verdict += ": nothing was forgotten" if better else ": some was forgotten"
    low, high = (signed(gap[key], 3 if little else 2) for key in ("low", "high"))
    return f"{verdict}: AP50-95 {gain} on {sessions} (95 % interval {low} to {high})."


def _without_vectors(models: dict[str, ModelResult], part: str) -> str:
    """What is to be said of test sessions that have no AP."""
    before, after = (models[name].figures[part] for name in ("before", "after"))
    if before is None or after is None:
        return f"There is no {part} test session, so nothing is said about {part} ones."
    return (
        f"No Vector is in {counted(before['images'], 'image')} of {part} test sessions: "
        f"{counted(before['false_positives'], 'false positive')} before, {after['false_positives']} after."
    )
