"""What is new in a dataset to a model that is retrained, and what a folder of retrainings is made of."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from vector_tl.data.dataset import MINED, Item, digest, read_session, read_splits, split_command
from vector_tl.errors import UserError
from vector_tl.experiments.experiment import noted
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.files import read_json, refuse_foreign, write_json
from vector_tl.nets import model_file
from vector_tl.plain import counted, few
from vector_tl.train.batches import own_images

# Of data and model their contents count, not their place; COCO's weights are always the same file.
PLACES = ("data", "model", "coco")
log = logging.getLogger(__name__)


def new_sessions(settings: RetrainSettings, about: dict[str, Any], splits: dict[str, list[Item]]) -> set[str]:
    """The sessions that were added after the model was trained.

    Raises:
        UserError: the model does not say and nobody names them, or none of them is in the train split; where
            they have no split yet, what divides them is offered.
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
    undivided = new - read_splits(settings.data).keys()
    if not new & there["train"] and undivided:
        some = (
            f"session {min(undivided)} has"
            if len(undivided) == 1
            else f"{counted(len(undivided), 'session')} have"
        )
        raise UserError(
            f"The new {some} no split yet, so there is nothing new to train on; divide with: "
            f"{split_command(settings.data, undivided)}."
        )
    if not new & there["train"]:
        if settings.new:
            raise UserError(
                f"None of the sessions of --new ({few(sorted(new))}) is in the train split of "
                f"{settings.data}; name others after one --new, or give some of them to train in "
                f"{settings.data / 'splits.json'}."
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
            "Left out of the test, as this model was trained on what was moved to it since: %s (%s).",
            counted(len(known), "session"),
            few(sorted(known)),
        )
    return [item for item in test if item.session not in known]


def count_steps(settings: RetrainSettings, images: int) -> int:
    """Batches for `--epochs` passes over so many images; background images stand beside them."""
    share = settings.background_share if settings.backgrounds else 0.0
    return max(1, round(settings.epochs * images / own_images(settings.batch_size, share)))


def count_mined(data: Path, items: list[Item]) -> int:
    """How many of the images were added by `label mine`: without a Vector, but a model saw one."""
    abouts = {session: read_session(data, session) for session in {item.session for item in items}}
    mined = {name for name, about in abouts.items() if isinstance(about, dict) and about.get("form") == MINED}
    return sum(item.session in mined for item in items)


def claim(
    settings: RetrainSettings,
    new: set[str],
    mark: str,
    names: tuple[str, ...],
    without: tuple[str, ...] = ("out", "sizes"),
) -> None:
    """Write down what the folder is made of, so that models of different trainings are never compared.

    While it holds no model, it can be made of anything. Data and model may have been moved since.

    Args:
        settings: of the retraining.
        new: the new sessions.
        mark: name of the file in which it is written down.
        names: of the models that the folder will hold, or patterns of them.
        without: settings that are of no matter.

    Raises:
        UserError: it holds models that were made otherwise, or files of something else.
    """
    model = model_file.resolve(settings.model)
    asked = replace(settings, model=str(model.resolve()), threads=None, device="", new=tuple(sorted(new)))
    own = noted(asked, without)
    own["contents of its model"] = hashlib.sha256(model.read_bytes()).hexdigest()
    own["digest"] = digest(settings.data)
    path = settings.out / mark
    patterns = tuple(f"{name}.*" for name in names)
    refuse_foreign(settings.out, mark, (*patterns, "index.html", "results.json"))
    models = [
        file
        for name in names
        for suffix in (model_file.SUFFIX, ".resume")
        for file in settings.out.glob(name + suffix)
    ]
    if path.exists() and models:
        before = read_json(path, remedy="name another --out", form=dict[str, str])
        keys = [key for key in {**own, **before} if key not in PLACES]
        changed = [key for key in keys if before.get(key) != own.get(key)]
        if changed:
            raise UserError(
                f"{settings.out} holds a retraining with another {', '.join(changed)}; name another --out."
            )
    else:
        write_json(path, own)
