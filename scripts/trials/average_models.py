"""Makes one model from several: the mean of their weights, with a confidence threshold of its own.

    .venv/bin/python scripts/trials/average_models.py OUT MODEL MODEL [...] --data data [--weights 3 1]
        [--candidates 1:0 1:1 2:1] [--backgrounds PHOTOGRAPHS ...] [--negatives ROOMS]

Networks that were fine-tuned from the same weights lie in one valley of the loss: their mean is as good on
images like those that they were trained on, and less sure of itself on strange ones ("model soups", Wortsman
et al., 2022, arXiv:2203.05482). Of several candidates for the weights, that with the highest AP50-95 on the
validation sessions is written. The threshold is chosen as `vector-tl train` does it: on the validation
sessions of DATA, every tenth of the PHOTOGRAPHS without a Vector, which a training with that folder leaves
out, and all of ROOMS.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from vector_tl.data.dataset import digest, load_dataset
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import average_precision
from vector_tl.files import refuse_existing
from vector_tl.nets import checkpoint, model_file
from vector_tl.train.average import mean_of
from vector_tl.train.batches import keep_folder, keep_images
from vector_tl.train.inference import run_model, run_views
from vector_tl.train.threshold import VIEWS, judge_scores
from vector_tl.train.training_data import hold_out

NAMES_OF_SESSIONS = ("sessions", "learned_from")  # of a model's metadata


@dataclass(frozen=True)
class AverageModels:
    """Write the mean of several models."""

    out: tyro.conf.Positional[Path]
    """Model to write; it must not exist."""
    models: tyro.conf.Positional[tuple[str, ...]]
    """Model files, or names in models/, all of one network."""
    data: Path = Path("data")
    """Dataset; its validation sessions help to choose the threshold."""
    weights: tuple[float, ...] = ()
    """How much each model counts; equal by default."""
    candidates: tuple[str, ...] = ()
    """Weights to choose from, instead of --weights: 1:0 1:1 2:1, a number for each model."""
    backgrounds: tuple[Path, ...] = ()
    """Folders of images without a Vector that the models were trained with, as they were named then."""
    negatives: Path | None = None
    """Folder of images without a Vector that no model was trained with."""


def main(asked: AverageModels) -> dict:
    """Average, choose the threshold, write.

    Raises:
        UserError: `out` exists, a model cannot be read, or they are not all of one network.
    """
    refuse_existing(asked.out, overwrite=False)
    networks, abouts = zip(*(checkpoint.load(model) for model in asked.models), strict=True)
    validation = keep_images(load_dataset(asked.data, "val").items)
    tried = {}
    for weights in weightings(asked):
        try:
            mean = mean_of(networks, weights)
        except ValueError as error:
            raise UsageError(
                f"{error}; name models of one network, and as many --weights as models."
            ) from error
        outcomes = run_model(mean, validation)
        tried[weights] = *average_precision(outcomes), mean, outcomes
    best = max(tried, key=lambda weights: tried[weights][1] or 0.0)
    ap50, ap50_95, mean, outcomes = tried[best]
    negatives = hold_out(keep_folder(*asked.backgrounds))[1] if asked.backgrounds else []
    negatives += [keep_folder(asked.negatives)] if asked.negatives else []
    scores = judge_scores(outcomes, [run_views(mean, some) for some in negatives], len(VIEWS))
    about = scores | {
        "data_digest": digest(asked.data),
        "metrics": {"val_ap50": ap50, "val_ap50_95": ap50_95},
        "mean_of": [model_file.resolve(model).stem for model in asked.models],
        "weights": list(best),
        "seed": abouts[0].get("seed"),
        **{key: sorted(set().union(*(one.get(key, []) for one in abouts))) for key in NAMES_OF_SESSIONS},
    }
    checkpoint.save(asked.out, mean, about)
    return {
        "model": str(asked.out),
        "weights": list(best),
        "thresholds": scores["thresholds"],
        "ap50": ap50,
        "ap50_95": ap50_95,
        "candidates": [
            {"weights": list(weights), "ap50": some[0], "ap50_95": some[1]} for weights, some in tried.items()
        ],
    }


def weightings(asked: AverageModels) -> list[tuple[float, ...]]:
    """The candidates for the weights, a number for each model.

    Raises:
        UsageError: one of them is none.
    """
    try:
        several = [tuple(map(float, one.split(":"))) for one in asked.candidates]
    except ValueError as error:
        raise UsageError("--candidates are numbers with colons between them, such as 1:1 2:1.") from error
    return several or [asked.weights or (1.0,) * len(asked.models)]


if __name__ == "__main__":
    try:
        print(json.dumps(main(tyro.cli(AverageModels))))
    except UserError as error:
        sys.exit(str(error))
