"""`vector-tl retrain`: what new captures bring to a model that is there already, and what they cost it.

Trained twice on everything, old sessions replayed beside the new ones: once from the model, once from COCO, both for the same number of steps. Both and
the model as it was are then measured on test sessions, old ones and new ones apart: what is lost on the old ones is forgotten.
"""

import hashlib
import logging
import os
import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from vector_tl.data.dataset import Item, digest, load_dataset
from vector_tl.detect.engine import pick_device
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.bootstrap import (
    FEWEST_SESSIONS,
    draws,
    interval,
    match_all,
    showing_vectors,
    weighted_ap,
)
from vector_tl.evaluate.metrics import Outcome, count_false_positives, match, measure
from vector_tl.experiments.compare_figures import HARDLY, signed
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.files import read_json, refuse_foreign, write_json
from vector_tl.nets import checkpoint, mobilenet_v1
from vector_tl.nets.tflite import find_weights
from vector_tl.train.batches import KEPT_WH, keep_images, own_images
from vector_tl.train.checks import check_settings
from vector_tl.train.curve import finished
from vector_tl.train.inference import run_model
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings
from vector_tl.web import report as pages

log = logging.getLogger(__name__)
NAMES = {"before": "as it was", "after": "gone on with", "coco": "from COCO, on everything"}
COLORS = {"before": "#5d6872", "after": "#0b8a7a", "coco": "#2f6fb2"}
DRAWS = 1000
SHOWN, MIN_CHANGE = 12, 0.1  # images


def retrain(settings: RetrainSettings) -> dict:
    """Train what is missing, then write results.json and index.html.

    Returns:
        {"page", "answer": [sentences], "new_sessions", "before", "after", "coco"}; each model's figures are {"old", "new"} on those test sessions, None
        where there are none.

    Raises:
        UsageError: settings that nothing can be trained with.
        UserError: model, data or weights are missing, or no session is new.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("retrain is no work for torchrun: start it by itself.")
    network, about = checkpoint.load(settings.model)
    wanted = trainings(settings, network.arch)
    for name, asked in wanted.items():
        check_settings(asked, "--coco-lr" if name == "coco" else "--lr")
    splits = {split: load_dataset(settings.data, split).items for split in ("train", "val", "test")}
    new = new_sessions(settings, about, splits)
    if network.arch == mobilenet_v1.ARCH and not finished(wanted["coco"].out):
        find_weights(settings.coco)  # rather now than after the first training
    _claim(settings, new)
    own = own_images(settings.batch_size, wanted["after"].background_share if settings.backgrounds else 0.0)
    steps = max(1, round(settings.epochs * len(splits["train"]) / own))
    for name, asked in wanted.items():
        if not finished(asked.out):
            log.info("%s: %d steps", NAMES[name], steps)
            train(replace(asked, epochs=None, steps=steps))
    test = never_seen(splits["test"], about)
    models = {
        "before": checkpoint.resolve(settings.model),
        **{name: asked.out for name, asked in wanted.items()},
    }
    told = {name: look(path, test, new, pick_device(settings.device)) for name, path in models.items()}
    changes = {part: change(told["before"], told["after"], part) for part in ("old", "new")}
    result = {
        "page": str(settings.out / "index.html"), "answer": answer(told, changes), "new_sessions": sorted(new),
        **{name: told[name].figures for name in NAMES}, "changes": changes, "steps": steps,
    }  # fmt: skip
    write(settings, result, told)
    return result


def trainings(settings: RetrainSettings, arch: str) -> dict[str, TrainSettings]:
    """The two that are trained, "after" and "coco", alike but for their start and learning rate; a broken-off one goes on."""
    starts = {
        "after": (str(checkpoint.resolve(settings.model)), settings.lr),
        "coco": ("coco", settings.coco_lr),
    }
    return {
        name: TrainSettings(
            settings.data, settings.out / f"{name}{checkpoint.SUFFIX}", init=init, arch=arch, epochs=settings.epochs, seed=settings.seed,
            device=settings.device, resume=True, overwrite=True, coco=settings.coco, backgrounds=settings.backgrounds, negatives=settings.negatives,
            batch_size=settings.batch_size, lr=lr, threads=settings.threads,
        )
        for name, (init, lr) in starts.items()
    }  # fmt: skip


def new_sessions(settings: RetrainSettings, about: dict, splits: dict[str, list[Item]]) -> set[str]:
    """Those that came after the model.

    Raises:
        UserError: it does not tell and nobody names them, or none is new to train on.
    """
    there = {split: {item.session for item in items} for split, items in splits.items()}
    if settings.new:
        new = set(settings.new)
        unknown = new - set().union(*there.values())
        if unknown:
            raise UserError(f"{settings.data} has no labelled session {', '.join(sorted(unknown))}.")
    elif "sessions" in about:
        new = set().union(*there.values()) - set(about["sessions"])
    else:
        raise UserError(
            f"{settings.model} does not tell which sessions there were when it was trained; name the new ones with --new."
        )
    if not new & there["train"]:
        if settings.new:
            raise UserError(
                f"None of the sessions of --new ({', '.join(sorted(new))}) is in the train split of {settings.data}; name more after one --new."
            )
        raise UserError(
            f"No session in the train split of {settings.data} is new to {settings.model}; capture some, or name them with --new."
        )
    if not new & there["test"]:
        log.warning(
            "no new session is in the test split: what the new ones bring cannot be measured; see vector-tl label split"
        )
    return new


def never_seen(test: list[Item], about: dict) -> list[Item]:
    """Those test images whose sessions the model had not learned from before they were moved to the test split: by those it would look too good."""
    known = {item.session for item in test} & set(about.get("learned_from", ()))
    if known:
        log.warning(
            "%d test sessions are left out, %s among them: this model had learned from them before they were moved to test.",
            len(known),
            min(known),
        )
    return [item for item in test if item.session not in known]


@dataclass(frozen=True)
class ModelResult:
    """A model on the test images: by part ("old", "new") its images, outcomes and figures (None where a part has no images)."""

    items: dict[str, list[Item]]
    outcomes: dict[str, list[Outcome]]
    figures: dict[str, dict | None]
    threshold: float


def look(path: Path, test: list[Item], new: set[str], device: torch.device) -> ModelResult:
    """Run a model on all test images."""
    network, about = checkpoint.load(path)
    threshold = about.get("threshold") or 0.5
    seen = run_model(network.to(device, memory_format=torch.channels_last), keep_images(test)) if test else []
    items, outcomes, figures = {}, {}, {}
    for part in ("old", "new"):
        chosen = [i for i, item in enumerate(test) if (item.session in new) == (part == "new")]
        items[part], outcomes[part] = [test[i] for i in chosen], [seen[i] for i in chosen]
        figures[part] = (
            measure(outcomes[part], threshold)
            | {"false_boxes": count_false_positives(outcomes[part], threshold)}
            if chosen
            else None
        )
    return ModelResult(items, outcomes, figures, threshold)


def change(before: ModelResult, after: ModelResult, part: str) -> dict | None:
    """AP50-95 after less before, {"ap50_95", "low", "high", "sessions"}, with a 95 % interval over sessions that show a Vector, None where too few do.

    None where the part has no Vector.
    """
    if before.figures[part] is None or before.figures[part]["ap50_95"] is None:
        return None
    sessions = [item.session for item in before.items[part]]
    matched = [match_all(looked.outcomes[part]) for looked in (before, after)]

    def gap(weights: np.ndarray) -> float | None:
        then, now = (weighted_ap(one, weights)[1] for one in matched)
        return None if then is None else now - then  # None: no Vector was drawn

    count = showing_vectors(sessions, matched[0])
    low, high = interval([gap(weights) for weights in draws(sessions, DRAWS)], count) or (None, None)
    return {"ap50_95": gap(np.ones(len(sessions))), "low": low, "high": high, "sessions": count}


def answer(told: dict[str, ModelResult], changes: dict[str, dict | None]) -> list[str]:
    """What the new images brought, what was forgotten, and which of the two ways was better: sentences that follow from the figures."""
    sentences = []
    words = {
        "new": ("It is better on new sessions", "It is worse on new sessions"),
        "old": ("Nothing was forgotten, on the contrary", "Some was forgotten"),
    }
    for part, (better, worse) in words.items():
        gap = changes[part]
        if gap is None:
            sentences.append(_without_vectors(told, part))
            continue
        sessions = f"{gap['sessions']} {part} test session{'s' * (gap['sessions'] > 1)}"
        if gap["low"] is None:
            sentences.append(
                f"So few {part} test sessions do not allow to tell: AP50-95 {signed(gap['ap50_95'])} on {sessions}; {FEWEST_SESSIONS} are needed."
            )
            continue
        hardly = abs(gap["ap50_95"]) < HARDLY
        word = (
            (better if gap["low"] > 0 else worse) + ", but hardly" * hardly
            if gap["low"] > 0 or gap["high"] < 0
            else "No difference can be told"
        )
        gain, low, high = (signed(gap[key], 3 if hardly else 2) for key in ("ap50_95", "low", "high"))
        sentences.append(f"{word}: AP50-95 {gain} on {sessions} (95 % interval {low} to {high}).")
    parts = [part for part in ("old", "new") if changes[part]]
    means = (
        {
            name: float(np.mean([told[name].figures[part]["ap50_95"] for part in parts]))
            for name in ("after", "coco")
        }
        if parts
        else {}
    )
    if means:
        close = ", too little to choose by" if abs(means["after"] - means["coco"]) < 0.02 else ""
        over = "" if len(parts) == 1 else ", mean of old and new sessions"
        sentences.append(
            f"After as many steps, AP50-95 is {means['after']:.2f} from this model and {means['coco']:.2f} from COCO{close}{over}."
        )
    return sentences


def _without_vectors(told: dict[str, ModelResult], part: str) -> str:
    """What is to be said of test sessions that have no AP."""
    before, after = told["before"].figures[part], told["after"].figures[part]
    if before is None:
        return f"There is no {part} test session, so nothing is said about {part} ones."
    images = f"{before['images']} image{'s' * (before['images'] != 1)}"
    return f"The {images} of {part} test sessions show no Vector: {before['false_boxes']} false positives before, {after['false_boxes']} after."


def write(settings: RetrainSettings, result: dict, told: dict[str, ModelResult]) -> None:
    """results.json and the page."""
    rows = [
        (
            "",
            *(
                f"{name}, {part} sessions"
                for part in ("old", "new")
                for name in ("AP50-95", "AP50", "found", "false positives")
            ),
        )
    ]
    for name, words in NAMES.items():
        cells = []
        for part in ("old", "new"):
            figures = told[name].figures[part]
            if figures is None:
                cells += ["-"] * 4
            else:
                found = (
                    "-"
                    if figures["recall"] is None
                    else f"{round(figures['recall'] * figures['boxes'])} of {figures['boxes']}"
                )
                cells += [_show(figures["ap50_95"]), _show(figures["ap50"]), found, figures["false_boxes"]]
        rows.append((words, *cells))
    asked = {
        key: value
        for key, value in asdict(settings).items()
        if value not in (None, (), "auto") and key not in ("model", "new")
    }
    words = [
        "vector-tl",
        "retrain",
        settings.model,
        *(word for key, value in asked.items() for word in (f"--{key.replace('_', '-')}", str(value))),
    ]
    how = (
        f"{result['steps']} batches of {settings.batch_size} each, on old and new sessions together. New: {', '.join(result['new_sessions'])}. "
        f"Again: {shlex.join(words + ['--new'] * bool(settings.new) + list(settings.new))}"
    )
    pages.write_page(settings.out / "index.html", f"Retrained: {Path(settings.model).stem}", [
        f"<p class=answer>{' '.join(result['answer'])}</p>",
        pages.section("Before, after, and from COCO", pages.table(rows), "Held-out sessions; found and false positives at each model's own threshold."),
        *(_changed(told, part) for part in ("new", "old")),
        pages.section("How it was made", "", how),
    ])  # fmt: skip
    write_json(settings.out / "results.json", result)


def _changed(told: dict[str, ModelResult], part: str) -> str:
    """The images on which before and after differ most."""
    before, after = told["before"], told["after"]
    ranked = []
    for item, one, other in zip(before.items[part], before.outcomes[part], after.outcomes[part], strict=True):
        gap = _fit(other) - _fit(one)
        ranked.append((abs(gap), gap, item, one, other))
    ranked.sort(key=lambda row: -row[0])
    shown = []
    for size, gap, item, one, other in ranked[:SHOWN]:
        if size < MIN_CHANGE:
            break
        boxes = [(one.boxes_xyxy, pages.WHITE)] + [
            (looked.predicted_xyxy[looked.scores > threshold], COLORS[name])
            for name, looked, threshold in (
                ("before", one, before.threshold),
                ("after", other, after.threshold),
            )
        ]
        image = cv2.resize(item.image(), KEPT_WH, interpolation=cv2.INTER_AREA)
        shown.append(
            pages.image(
                image,
                boxes,
                f"{item.session}/{item.name}: {'better' if gap > 0 else 'worse'} by {size:.2f}",
            )
        )
    if not shown:
        return ""
    note = "By the score of the box on each Vector, less the scores of boxes on none. White: the label; grey: before; green: after."
    return pages.section(f"What changed most on {part} sessions", pages.sheet(shown), note)


def _fit(outcome: Outcome) -> float:
    """How well an image is done: for each Vector the score of its box, less the scores of boxes on none."""
    found_at, hit = match(outcome)
    return float(np.clip(found_at, 0, None).sum() - outcome.scores[~hit].sum())


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _claim(settings: RetrainSettings, new: set[str]) -> None:
    """Note what the folder is made of, so that models of different trainings are never compared; while none of them is there it can be made of anything.

    Raises:
        UserError: it holds models that were made otherwise, or files that no retraining wrote.
    """
    model = checkpoint.resolve(settings.model)
    same = replace(
        settings, model=str(model.resolve()), out=Path(), threads=None, device="", new=tuple(sorted(new))
    )
    own = {
        key: str(value.resolve() if isinstance(value, Path) else value)
        for key, value in asdict(same).items()
        if key != "out"
    }
    own |= {
        "contents of its model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "digest": digest(settings.data),
    }
    path = settings.out / "retrain.json"
    refuse_foreign(settings.out, path.name, ("after.*", "coco.*", "index.html", "results.json"))
    begun = any(
        (settings.out / name).with_suffix(suffix).exists()
        for name in ("after", "coco")
        for suffix in (checkpoint.SUFFIX, ".resume")
    )
    if path.exists() and begun:
        before = read_json(path)
        changed = [key for key in own if before.get(key) != own[key]]
        if changed:
            raise UserError(
                f"{settings.out} holds a retraining with another {', '.join(changed)}; name another --out."
            )
    else:
        write_json(path, own)
