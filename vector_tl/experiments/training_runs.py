"""One training of a comparison: it is trained, or resumed, and measured; and what all of them need."""

import logging
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vector_tl.data.dataset import Item
from vector_tl.errors import Diverged, UserError
from vector_tl.evaluate.metrics import calibrate, count_false_positives, measure
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.comparison_data import ComparisonData
from vector_tl.experiments.run_forms import Finished
from vector_tl.experiments.runs import (
    Result,
    Training,
    keep_outcomes,
    read_json,
    read_result,
    write_outcomes,
)
from vector_tl.files import write_json
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.devices import pick_device
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.batches import keep_images
from vector_tl.train.curve import read_curve
from vector_tl.train.inference import run_model
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

log = logging.getLogger(__name__)


def result_path(settings: CompareSettings, training: Training) -> Path:
    """Where a training's result lies."""
    return settings.out / "runs" / training.name / "result.json"


def finish(training: Training, settings: CompareSettings, material: ComparisonData) -> Result:
    """The result of a training, which is started or resumed where there is none yet."""
    path = result_path(settings, training)
    if path.exists():
        return read_result(path)
    splits = shuffled(material.splits) if training.kind == "random" else material.splits
    result = asdict(training) | _train(training, settings, path.parent, splits)
    if training.kind != "lr":
        network, about = checkpoint.load(path.with_name("model.safetensors"))
        network = network.to(torch.device(pick_device(settings.device)), memory_format=torch.channels_last)
        result |= _measure(network, about, path.parent, splits["test"], material)
    write_json(path, result, indent=None)
    return result


def _train(
    training: Training, settings: CompareSettings, folder: Path, splits: dict[str, list[Item]]
) -> Result:
    """Train, unless only the measuring is missing, and return what is known of the training.

    A training that diverges is an error, except at a learning rate that is only tried: that rate has then
    found nothing.
    """
    size = None if training.size == "all" else min(int(training.size), len(splits["train"]))
    steps = max(1, training.images_seen // settings.batch_size)
    result = {"images": size or len(splits["train"]), "steps": steps}
    asked = TrainSettings(
        data=settings.data, out=folder / "model.safetensors", init=training.arm, arch=settings.arch,
        steps=steps, images=size, seed=training.seed, resume=True, overwrite=True, lr=training.lr,
        evaluations=settings.evaluations, **settings.for_training(),
    )  # fmt: skip
    # only of models that somebody may use; nothing here is measured in other precisions
    asked = replace(asked, check_precisions=asked.check_precisions and training.is_final)
    mark, old_mark = folder / "trained.json", folder / "told.json"  # of this version, and of 0.1
    trained = (read_json(mark, Finished) or read_json(old_mark, Finished)) if asked.out.exists() else {}
    if trained.get("lr") != training.lr:
        try:
            keep = None if training.kind == "lr" else partial(keep_outcomes, folder)
            trained = train(asked, (splits["train"], splits["val"]), keep) or {}
            trained |= {"lr": training.lr}
        except Diverged as error:
            if training.kind != "lr":
                raise UserError(
                    f"{training.name} diverges at the learning rate {training.lr:g}; name lower --lrs and "
                    "another --out."
                ) from error
            log.warning("%s: training diverges at this learning rate.", training.name)
            asked.out.with_suffix(".resume").unlink(missing_ok=True)
            return result | {
                "seconds": 0.0,
                "val_ap50": 0.0,
                "val_ap50_95": 0.0,
                "curve": [],
                "diverged": True,
            }
        write_json(mark, trained, indent=None)
    return result | {
        "seconds": trained["seconds"], "val_ap50": trained["ap50"], "val_ap50_95": trained["ap50_95"],
        "curve": read_curve(asked.out.with_suffix(".csv")),
    }  # fmt: skip


def _measure(
    network: VectorSSD, about: dict[str, Any], folder: Path, test: list[Item], material: ComparisonData
) -> Result:
    """Figures on the test sessions, real images and rooms; the boxes found there are kept in the folder."""
    threshold = model_file.threshold_of(about)
    result: Result = {"threshold": threshold, "sessions": [item.session for item in test]}
    for name, images in (("test", keep_images(test)), ("real", material.real), ("rooms", material.rooms)):
        if images:
            outcomes = calibrate(run_model(network, images), calibration_of(about))
            write_outcomes(folder / f"{name}.npz", outcomes)
            if name == "rooms":
                result["false_positives"] = {
                    "images": len(outcomes),
                    "boxes": count_false_positives(outcomes, threshold),
                }
            else:
                result[name] = measure(outcomes, threshold)
    return result


def shuffled(splits: dict[str, list[Item]]) -> dict[str, list[Item]]:
    """The same numbers of images divided by image, not by session, as in most reports of the field."""
    everything = [item for items in splits.values() for item in items]
    order = np.random.default_rng(685).permutation(len(everything))
    ends = np.cumsum([len(items) for items in splits.values()])[:-1]
    return {
        split: [everything[i] for i in part]
        for split, part in zip(splits, np.split(order, ends), strict=True)
    }
