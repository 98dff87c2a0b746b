"""`vector-tl retrain`: what new images bring to a model that was trained before, and what they cost it.

Two trainings on everything, old and new sessions together: one fine-tunes the model, one starts from COCO,
both for the same number of steps. Both and the model as it was are then measured on test sessions, old and
new ones apart: what is lost on the old ones was forgotten. With `--sizes` see `at_home.py`.
"""

import logging
import os
from dataclasses import replace
from typing import Any

import torch

from vector_tl.data.dataset import load_dataset
from vector_tl.errors import UsageError
from vector_tl.experiments.at_home import retrain_at_home
from vector_tl.experiments.retrain_data import (
    claim,
    count_mined,
    count_steps,
    never_seen,
    new_sessions,
)
from vector_tl.experiments.retrain_page import NAMES, write_page
from vector_tl.experiments.retrain_results import PARTS, answer, change, measure_model
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.files import write_json
from vector_tl.nets import checkpoint, mobilenet_v1, model_file
from vector_tl.nets.coco_file import find_weights
from vector_tl.nets.devices import pick_device
from vector_tl.plain import counted
from vector_tl.train.checks import check_settings
from vector_tl.train.curve import finished
from vector_tl.train.loop import train
from vector_tl.train.paste import refuse_without_masks
from vector_tl.train.settings import TrainSettings

MARK = "retrain.json"  # what the folder is made of
log = logging.getLogger(__name__)


def retrain(settings: RetrainSettings) -> dict[str, Any]:
    """Train what is missing, then write results.json and index.html.

    Returns:
        {"page", "answer": [sentences], "new_sessions", "before", "after", "coco", "changes", "steps",
        "mined": images to train on that `label mine` added}; each model's figures are {"old", "new"} on those
        test sessions, None where there are none. With `--sizes` see `retrain_at_home`.

    Raises:
        UsageError: settings that nothing can be trained with.
        UserError: model, data or weights are missing, or no session is new.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("retrain does not divide its work among processes: start it without torchrun.")
    settings.check()
    network, about = checkpoint.load(settings.model)
    wanted = trainings(settings, network.arch)
    for name, asked in wanted.items():
        check_settings(asked, "--coco-lr" if name == "coco" else "--lr")
    splits = {split: load_dataset(settings.data, split).items for split in ("train", "val", "test")}
    new = new_sessions(settings, about, splits)
    if settings.paste:
        refuse_without_masks(settings.data, splits["train"])
    if settings.sizes:
        return retrain_at_home(settings, wanted["after"], about, splits, new)
    if network.arch == mobilenet_v1.ARCH and not finished(wanted["coco"].out):
        find_weights(settings.coco)  # what is missing must show now, not after the first training
    claim(settings, new, MARK, tuple(wanted))
    steps = count_steps(settings, len(splits["train"]))
    for name, asked in wanted.items():
        if not finished(asked.out):
            log.info("%s: %s", NAMES[name], counted(steps, "step"))
            train(replace(asked, epochs=None, steps=steps))
    test = never_seen(splits["test"], about)
    paths = {
        "before": model_file.resolve(settings.model),
        **{name: asked.out for name, asked in wanted.items()},
    }
    device = torch.device(pick_device(settings.device))
    models = {name: measure_model(path, test, new, device) for name, path in paths.items()}
    changes = {part: change(models["before"], models["after"], part) for part in PARTS}
    result = {
        "page": str(settings.out / "index.html"),
        "answer": answer(models, changes),
        "new_sessions": sorted(new),
        **{name: model.figures for name, model in models.items()},
        "changes": changes,
        "steps": steps,
        "mined": count_mined(settings.data, splits["train"]),
    }
    write_page(settings, result, models)
    write_json(settings.out / "results.json", result)
    return result


def trainings(settings: RetrainSettings, arch: str) -> dict[str, TrainSettings]:
    """The trainings "after" and "coco", alike except for initial weights and learning rate."""
    starts = {
        "after": (str(model_file.resolve(settings.model)), settings.lr),
        "coco": ("coco", settings.coco_lr),
    }
    return {
        name: TrainSettings(
            data=settings.data, out=settings.out / f"{name}{model_file.SUFFIX}", init=init, arch=arch,
            epochs=settings.epochs, seed=settings.seed, resume=True, overwrite=True, lr=lr,
            **settings.for_training(),
        )
        for name, (init, lr) in starts.items()
    }  # fmt: skip
