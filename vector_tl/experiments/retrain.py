"""`vector-tl retrain`: what new images bring to a model that was trained before, and what they cost it.

Two trainings on everything, old and new sessions together: one fine-tunes the model, one starts from COCO,
both for the same number of steps. Both and the model as it was are then measured on test sessions, old and
new ones apart: what is lost on the old ones was forgotten.
"""

import hashlib
import logging
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vector_tl.data.dataset import Item, digest, load_dataset
from vector_tl.detect.detector import pick_device
from vector_tl.errors import UsageError, UserError
from vector_tl.experiments.retrain_page import NAMES, write_page
from vector_tl.experiments.retrain_results import PARTS, answer, change, measure_model
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.files import read_json, refuse_foreign, write_json
from vector_tl.nets import checkpoint, mobilenet_v1
from vector_tl.nets.tflite import find_weights
from vector_tl.train.batches import own_images
from vector_tl.train.checks import check_settings
from vector_tl.train.curve import finished
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

log = logging.getLogger(__name__)


def retrain(settings: RetrainSettings) -> dict[str, Any]:
    """Train what is missing, then write results.json and index.html.

    Returns:
        {"page", "answer": [sentences], "new_sessions", "before", "after", "coco", "changes", "steps"}; each
        model's figures are {"old", "new"} on those test sessions, None where there are none.

    Raises:
        UsageError: settings that nothing can be trained with.
        UserError: model, data or weights are missing, or no session is new.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("retrain does not divide its work among processes: start it without torchrun.")
    network, about = checkpoint.load(settings.model)
    wanted = trainings(settings, network.arch)
    for name, asked in wanted.items():
        check_settings(asked, "--coco-lr" if name == "coco" else "--lr")
    splits = {split: load_dataset(settings.data, split).items for split in ("train", "val", "test")}
    new = new_sessions(settings, about, splits)
    if network.arch == mobilenet_v1.ARCH and not finished(wanted["coco"].out):
        find_weights(settings.coco)  # what is missing must show now, not after the first training
    _claim(settings, new)
    share = wanted["after"].background_share if settings.backgrounds else 0.0
    steps = max(1, round(settings.epochs * len(splits["train"]) / own_images(settings.batch_size, share)))
    for name, asked in wanted.items():
        if not finished(asked.out):
            log.info("%s: %d steps", NAMES[name], steps)
            train(replace(asked, epochs=None, steps=steps))
    test = never_seen(splits["test"], about)
    paths = {
        "before": checkpoint.resolve(settings.model),
        **{name: asked.out for name, asked in wanted.items()},
    }
    device = pick_device(settings.device)
    models = {name: measure_model(path, test, new, device) for name, path in paths.items()}
    changes = {part: change(models["before"], models["after"], part) for part in PARTS}
    result = {
        "page": str(settings.out / "index.html"),
        "answer": answer(models, changes),
        "new_sessions": sorted(new),
        **{name: model.figures for name, model in models.items()},
        "changes": changes,
        "steps": steps,
    }
    write_page(settings, result, models)
    write_json(settings.out / "results.json", result)
    return result


def trainings(settings: RetrainSettings, arch: str) -> dict[str, TrainSettings]:
    """The trainings "after" and "coco", alike except for initial weights and learning rate."""
    starts = {
        "after": (str(checkpoint.resolve(settings.model)), settings.lr),
        "coco": ("coco", settings.coco_lr),
    }
    backgrounds = (settings.backgrounds,) if settings.backgrounds else ()
    return {
        name: TrainSettings(
            data=settings.data, out=settings.out / f"{name}{checkpoint.SUFFIX}", init=init, arch=arch,
            epochs=settings.epochs, seed=settings.seed, device=settings.device, resume=True, overwrite=True,
            coco=settings.coco, backgrounds=backgrounds, negatives=settings.negatives,
            batch_size=settings.batch_size, lr=lr, threads=settings.threads,
        )
        for name, (init, lr) in starts.items()
    }  # fmt: skip


def new_sessions(settings: RetrainSettings, about: dict[str, Any], splits: dict[str, list[Item]]) -> set[str]:
    """The sessions that were added after the model was trained.

    Raises:
        UserError: the model does not say and nobody names them, or none of them is in the train split.
    """
    there = {split: {item.session for item in items} for split, items in splits.items()}
    every = set().union(*there.values())
    if settings.new:
        new = set(settings.new)
        if unknown := new - every:
            raise UserError(f"{settings.data} has no labelled session {', '.join(sorted(unknown))}.")
    elif "sessions" in about:
        new = every - set(about["sessions"])
    else:
        raise UserError(
            f"{settings.model} does not say which sessions there were when it was trained; name the new ones "
            "with --new."
        )
    if not new & there["train"]:
        if settings.new:
            raise UserError(
                f"None of the sessions of --new ({', '.join(sorted(new))}) is in the train split of "
                f"{settings.data}; name more after one --new."
            )
        raise UserError(
            f"No session in the train split of {settings.data} is new to {settings.model}; capture some, or "
            "name them with --new."
        )
    if not new & there["test"]:
        log.warning(
            "No new session is in the test split, so what the new ones bring cannot be measured; see "
            "vector-tl label split."
        )
    return new


def never_seen(test: list[Item], about: dict[str, Any]) -> list[Item]:
    """The test images without those of sessions that the model was trained on before they were moved."""
    known = {item.session for item in test} & set(about.get("learned_from", ()))
    if known:
        log.warning(
            "%d test sessions are left out, %s among them: this model was trained on them before they were "
            "moved to the test split.",
            len(known),
            min(known),
        )
    return [item for item in test if item.session not in known]


def _claim(settings: RetrainSettings, new: set[str]) -> None:
    """Write down what the folder is made of, so that models of different trainings are never compared.

    While it holds no model, it can be made of anything.

    Raises:
        UserError: it holds models that were made otherwise, or files of something else.
    """
    model = checkpoint.resolve(settings.model)
    noted = replace(settings, model=str(model.resolve()), threads=None, device="", new=tuple(sorted(new)))
    own = {
        key: str(value.resolve() if isinstance(value, Path) else value)
        for key, value in asdict(noted).items()
        if key != "out"
    }
    own["contents of its model"] = hashlib.sha256(model.read_bytes()).hexdigest()
    own["digest"] = digest(settings.data)
    path = settings.out / "retrain.json"
    refuse_foreign(settings.out, path.name, ("after.*", "coco.*", "index.html", "results.json"))
    models = (
        settings.out / f"{name}{suffix}"
        for name in ("after", "coco")
        for suffix in (checkpoint.SUFFIX, ".resume")
    )
    if path.exists() and any(model.exists() for model in models):
        before = read_json(path)
        changed = [key for key in own if before.get(key) != own[key]]
        if changed:
            raise UserError(
                f"{settings.out} holds a retraining with another {', '.join(changed)}; name another --out."
            )
    else:
        write_json(path, own)
