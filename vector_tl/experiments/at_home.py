"""`vector-tl retrain --sizes 0 25 100`: what so many labelled images of one home bring, and what they cost.

For each number one training fine-tunes the model, for as many steps each, with so many images of the new
sessions beside all old ones. Of those images as large a share helps to choose weights and threshold as is in
the val split. Every model is then measured on the test sessions, new (the home) and old ones apart: recall
and false positives at its own threshold, and AP; what is lost on the old ones was forgotten.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vector_tl.data.dataset import Item, read_session, split_command
from vector_tl.errors import UserError
from vector_tl.experiments.at_home_page import write_page
from vector_tl.experiments.compare_answer import signed
from vector_tl.experiments.retrain_data import claim, count_mined, count_steps, never_seen
from vector_tl.experiments.retrain_results import (
    PARTS,
    ModelResult,
    change,
    measure_model,
    recall_change,
)
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.files import write_json
from vector_tl.nets import model_file
from vector_tl.nets.devices import pick_device
from vector_tl.plain import counted
from vector_tl.train.curve import finished
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings
from vector_tl.train.training_data import choose_items

MARK = "at-home.json"  # what the folder is made of
USED = ("train", "val")  # the splits that a training uses
Splits = dict[str, list[Item]]
log = logging.getLogger(__name__)


def retrain_at_home(
    settings: RetrainSettings, asked: TrainSettings, about: dict[str, Any], splits: Splits, new: set[str]
) -> dict[str, Any]:
    """Train what is missing for each size, then write results.json and index.html.

    Args:
        settings: of `vector-tl retrain`.
        asked: the fine-tuning, but for its images and steps and the file that it writes.
        about: metadata of the model as it was.
        splits: the dataset's images by split.
        new: sessions of the home.

    Returns:
        {"page", "answer": [sentences], "new_sessions", "steps", "mined", "by_image", "sizes": [{"images",
        "model", "new", "old", "changes": {"new", "old"}}]}, smallest first; "new" and "old" are a model's
        figures on those test sessions, None where there are none. `by_image`: one session's images were
        divided among the splits.

    Raises:
        UserError: no new session is in the test split.
    """
    if not any(item.session in new for item in splits["test"]):
        raise UserError(
            f"No new session of {settings.data} is in the test split, so nothing could be measured; divide "
            f"them with: {split_command(settings.data, new)}."
        )
    home = [item for split in USED for item in splits[split] if item.session in new]
    sizes = possible_sizes(settings.sizes, len(home))
    steps = count_steps(settings, len(splits["train"]))  # of no size, so that sizes can be added later
    claim(settings, new, MARK, ("home-*",), without=("out", "sizes", "coco_lr", "coco"))
    paths = {0: model_file.resolve(settings.model)}
    for size in sizes:
        paths[size] = settings.out / f"home-{size}{model_file.SUFFIX}"
        if not finished(paths[size]):
            log.info("with %s: %s", counted(size, "image"), counted(steps, "step"))
            items = items_of(size, splits, new, settings.seed)
            train(replace(asked, out=paths[size], epochs=None, steps=steps), items)
    test, device = never_seen(splits["test"], about), torch.device(pick_device(settings.device))
    models = {size: measure_model(path, test, new, device) for size, path in paths.items()}
    rows = [row_of(size, paths[size], models) for size in paths]
    result = {
        "page": str(settings.out / "index.html"),
        "answer": answer(rows),
        "new_sessions": sorted(new),
        "steps": steps,
        "mined": count_mined(settings.data, home),
        "by_image": any(_is_divided(settings.data, session) for session in new),
        "sizes": rows,
    }
    write_page(settings, result, models)
    write_json(settings.out / "results.json", result)
    return result


def possible_sizes(asked: tuple[str, ...], images: int) -> list[int]:
    """The numbers of images to train with, smallest first; those that there are not enough for are left out.

    Raises:
        UserError: none is left.
    """
    numbers = {images if size == "all" else int(size) for size in asked} - {0}
    kept = sorted(number for number in numbers if number <= images)
    if not kept:
        raise UserError(
            f"The new sessions have {counted(images, 'image')} in the train and val splits; name "
            "smaller --sizes."
        )
    if len(kept) < len(numbers):
        there = counted(images, "image")
        log.warning("The new sessions have %s to train with; larger --sizes are left out.", there)
    return kept


def items_of(size: int, splits: Splits, new: set[str], seed: int) -> tuple[list[Item], list[Item]]:
    """All old images and `size` of the home's, to train on and to evaluate on.

    Drawn by the seed; those of a smaller size are among those of a larger one.
    """
    home = {split: [item for item in splits[split] if item.session in new] for split in USED}
    old = {split: [item for item in splits[split] if item.session not in new] for split in USED}
    validating = round(size * len(home["val"]) / sum(map(len, home.values())))
    if home["val"] and not old["val"]:  # else nothing would choose weights and threshold
        validating = max(1, validating)
    train_items = old["train"] + choose_items(home["train"], size - validating, seed)
    return train_items, old["val"] + choose_items(home["val"], validating, seed)


def row_of(size: int, path: Path, models: dict[int, ModelResult]) -> dict[str, Any]:
    """A size with its model's figures, and how they differ from those of the model as it was."""
    before, model = models[0], models[size]
    changes = {
        part: (change(before, model, part) or {}) | {"recall": recall_change(before, model, part)}
        for part in PARTS
        if size
    }
    return {"images": size, "model": str(path), **model.figures, "changes": changes}


def answer(rows: list[dict[str, Any]]) -> list[str]:
    """What the largest size brought at home, and what it cost on the old test sessions."""
    before, after = rows[0], rows[-1]
    return [
        f"With {counted(after['images'], 'image')} of this home: {_at_home(before['new'], after)}.",
        _on_old_sessions(before["old"], after),
    ]


def _at_home(before: dict[str, Any], after: dict[str, Any]) -> str:
    now, alarms = after["new"], _alarms(before, after["new"])
    if not now["boxes"]:
        return f"{alarms}; its test images show no Vector, so nothing is said about recall"
    return (
        f"{_found(now)} of {counted(now['boxes'], 'Vector')} found there (before: {_found(before)}; recall "
        f"{_gap(after['changes']['new']['recall'])}), with {alarms}"
    )


def _on_old_sessions(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    now = after["old"]
    if before is None or now is None or not now["boxes"]:
        return "There is no old test session with a Vector, so nothing is said about what was forgotten."
    gap = after["changes"]["old"]["recall"]
    if gap["low"] is None:
        verdict = "There are too few old test sessions to say whether something was forgotten"
    elif gap["high"] < 0:
        verdict = "Some was forgotten"
    else:
        verdict = "Nothing that shows was forgotten"
    return (
        f"{verdict}: on the old test sessions {_found(now)} of {counted(now['boxes'], 'Vector')} "
        "found (before: "
        f"{_found(before)}; recall {_gap(gap)}), with {_alarms(before, now)}."
    )


def _alarms(before: dict[str, Any], now: dict[str, Any]) -> str:
    count, images = now["false_positives"], now["images"]
    return (
        f"{counted(count, 'false alarm')} in {counted(images, 'image')} (before: {before['false_positives']})"
    )


def _found(figures: dict[str, Any]) -> int:
    return round(figures["recall"] * figures["boxes"])


def _gap(gap: dict[str, Any]) -> str:
    if gap["low"] is None:
        return f"{signed(gap['recall'])}, too few sessions for an interval"
    return f"{signed(gap['recall'])}, 95 % interval {signed(gap['low'])} to {signed(gap['high'])}"


def _is_divided(data: Path, session: str) -> bool:
    """Whether `label split --by image` made the session of a part of another one."""
    about = read_session(data, session)
    return isinstance(about, dict) and "divided_from" in about
