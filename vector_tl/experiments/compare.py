"""`vector-tl compare`: what COCO's weights are worth, like for like.

Both arms are the same network with the same images, seeds, schedule and augmentation; only the first weights differ, and the learning rate, which each
arm gets by its own AP on the val sessions. Every training is a folder with its result; one that is finished is not run again, one that was broken off
goes on. Several processes with the same settings share the work: each takes what no other one is at.
"""

import json
import logging
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vector_tl.data.dataset import Item, digest, load_dataset
from vector_tl.data.images import is_image_file
from vector_tl.detect.engine import pick_device
from vector_tl.errors import Diverged, UsageError, UserError
from vector_tl.evaluate.metrics import Outcome, count_false_positives, measure
from vector_tl.experiments.compare_settings import CompareSettings, changed, noted, recalled
from vector_tl.files import claimed, refuse_foreign, write_atomic
from vector_tl.nets import checkpoint, mobilenet_v1
from vector_tl.nets.tflite import find_weights
from vector_tl.train.batches import Images, keep_folder, keep_images, own_images
from vector_tl.train.curve import read_curve
from vector_tl.train.inference import run_model as look_at
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

log = logging.getLogger(__name__)
ARMS = ("coco", "scratch")
HARDLY_BEGUN = 0.05  # AP50-95
WAIT_S = 5.0
FURTHER_RATES = 2  # tried beyond an edge of --lrs where the best lies there
STILL_RISING = 0.01  # a gain in AP50-95 on the val sessions, in the last quarter of a training


@dataclass(frozen=True)
class Run:
    """One training. `kind`: lr (to choose the rate), equal (the same for both), long (until it stops gaining), random (split by image)."""

    kind: str
    arm: str
    size: str
    seed: int
    seen: int
    lr: float

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"{self.kind}-{self.arm}-{self.size}-seed{self.seed}" + (
            f"-lr{self.lr:g}" if self.kind == "lr" else ""
        )


@dataclass(frozen=True)
class ComparisonData:
    """What is trained on and measured: the dataset's images by split, and what else is only looked at, where it was given."""

    splits: dict[str, list[Item]]
    real_items: tuple[Item, ...] = ()
    real: Images | None = None
    rooms: Images | None = None


def compare(settings: CompareSettings) -> dict:
    """Run what is missing, then write results.json and index.html.

    Returns:
        {"page", "runs", "answer": [two sentences], "transfer": {...}, "scratch": {...}} with the figures of both arms on all images.

    Raises:
        UsageError: settings that make no sense.
        UserError: data or weights are missing, training diverges at every learning rate, or the folder holds an experiment with other settings.
    """
    settings.check()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "compare does not share one training among processes: start it several times with the same --out instead of by torchrun."
        )
    before = _before(settings.out)
    settings = recalled(settings, before) if settings.page_only else settings
    material = gather(settings)
    _refuse_another(settings, before)
    if not settings.page_only:
        settings = replace(settings, sizes=possible_sizes(settings.sizes, len(material.splits["train"])))
        _check_trainings(settings)
        _claim(settings)
        rates = choose_rates(settings, material)
        share([run for run in plan(settings, rates) if run.kind != "lr"], settings, material)
    from vector_tl.experiments.compare_page import write_page

    return write_page(settings, finished(settings.out), material)


def gather(settings: CompareSettings) -> ComparisonData:
    """Everything that trainings need and are measured on, read before the first one: what is wrong with it must not show after hours.

    Raises:
        UserError: something is not there; with --page-only, what is only measured may be missing.
    """
    splits = {split: load_dataset(settings.data, split).items for split in ("train", "val", "test")}
    for split, items in splits.items():
        if not items:
            raise UserError(
                f"{settings.data} has no labelled {split} images; divide its sessions with vector-tl label split."
            )
        if not any(len(item.boxes_norm) for item in items):
            raise UserError(
                f"The {split} sessions of {settings.data} show no Vector, so nothing can be told; divide them anew with vector-tl label split."
            )
    real, rooms = (
        None if path and settings.page_only and not path.exists() else path
        for path in (settings.real, settings.test_negatives)
    )
    real_items = tuple(load_dataset(real, "all").items) if real else ()
    return ComparisonData(
        splits,
        real_items,
        keep_images(list(real_items)) if real else None,
        keep_folder(rooms) if rooms else None,
    )


def _check_trainings(settings: CompareSettings) -> None:
    """Raise `UserError` for what would stop a training: no such device, no images in a folder, no COCO weights."""
    pick_device(settings.device)
    for option, path in (("--backgrounds", settings.backgrounds), ("--negatives", settings.negatives)):
        if path is not None and not any(is_image_file(file) for file in path.rglob("*")):
            raise UserError(
                f"{option} {path} holds no images; name a folder of photographs without a Vector."
            )
    runs = plan(settings, dict.fromkeys(ARMS, settings.lrs[0]))
    if settings.arch == mobilenet_v1.ARCH and not all(
        (settings.out / "runs" / run.name / "result.json").exists() for run in runs
    ):
        find_weights(settings.coco)


def possible_sizes(sizes: Sequence[str], images: int) -> tuple[str, ...]:
    """Those amounts of images that there are, and none twice: more than there are would be the training on all of them again.

    Raises:
        UsageError: there is none.
    """
    kept = tuple(
        size for size in dict.fromkeys(sizes) if size == "all" or int(size) < images + ("all" not in sizes)
    )
    if not kept:
        raise UsageError(
            f"--sizes {' '.join(sizes)}: there are {images} images to train on; name fewer, or the word all."
        )
    if left_out := [size for size in dict.fromkeys(sizes) if size not in kept]:
        log.warning("--sizes %s left out: there are %d images to train on.", " ".join(left_out), images)
    return kept


def plan(settings: CompareSettings, rates: dict[str, float]) -> Iterator[Run]:
    """Every training, what says most first."""
    for arm in ARMS:
        for lr in tuple(dict.fromkeys(settings.lrs)) if len(set(settings.lrs)) > 1 else ():
            yield trial(settings, arm, lr)
    sizes = sorted(set(settings.sizes), key=lambda size: -math.inf if size == "all" else -int(size))
    for seed in range(settings.seeds):
        for size in sizes:
            for arm in ARMS:
                yield Run("equal", arm, size, seed, settings.seen, rates[arm])
    for arm in ARMS:
        yield Run("random", arm, "all", 0, settings.seen, rates[arm])
    for seed in range(settings.seeds if settings.most_seen > settings.seen else 0):
        for arm in ARMS:
            yield Run("long", arm, "all", seed, settings.most_seen, rates[arm])


def trial(settings: CompareSettings, arm: str, lr: float) -> Run:
    """The short training that tells what a learning rate is worth to an arm."""
    return Run("lr", arm, "all", 0, max(settings.batch_size, settings.seen // 4), lr)


def choose_rates(settings: CompareSettings, material: ComparisonData) -> dict[str, float]:
    """For each arm the best learning rate; where it is the highest or lowest one, the next beyond is tried, too.

    Raises:
        UserError: an arm's training diverges at every rate.
    """
    rates = {arm: list(dict.fromkeys(settings.lrs)) for arm in ARMS}
    if len(rates[ARMS[0]]) == 1:
        return {arm: rates[arm][0] for arm in ARMS}
    for further in range(FURTHER_RATES + 1):
        results = share([trial(settings, arm, lr) for arm in ARMS for lr in rates[arm]], settings, material)
        best = {arm: best_rate([result for result in results if result["arm"] == arm]) for arm in ARMS}
        beyond = {arm: lr for arm in ARMS if (lr := _beyond(best[arm], rates[arm])) is not None}
        if not beyond or further == FURTHER_RATES:
            break
        for arm, lr in beyond.items():
            rates[arm].append(lr)
    for arm in ARMS:
        if all(result.get("diverged") for result in results if result["arm"] == arm):
            tried = ", ".join(f"{lr:g}" for lr in sorted(rates[arm]))
            raise UserError(
                f"Training {arm} diverges at every learning rate ({tried}); name lower --lrs and another --out."
            )
    return best


def best_rate(trials: list[dict]) -> float:
    """The learning rate with the best AP50-95 on the val sessions; by the late training loss where that has hardly begun: then AP is chance."""
    if max(result["val_ap50_95"] or 0.0 for result in trials) >= HARDLY_BEGUN:
        return max(trials, key=lambda result: result["val_ap50_95"] or 0.0)["lr"]
    return min(
        trials,
        key=lambda result: (math.inf if (loss := late_loss(result["curve"])) is None else loss, result["lr"]),
    )["lr"]  # all diverge: lowest


def late_loss(curve: list[dict]) -> float | None:
    """Mean training loss over the last quarter of a curve: a single point may be that of one batch. None where the training diverged."""
    late = [
        point["loss"]
        for point in curve
        if point["images_seen"] > 0.75 * curve[-1]["images_seen"] and point["loss"] is not None
    ]
    return float(np.mean(late)) if late else None


def _beyond(best: float, rates: list[float]) -> float | None:
    """Twice the highest or half the lowest rate, where that is the best; None in between."""
    if best == min(rates):
        return best / 2
    return 2 * best if best == max(rates) and 2 * best < 1 else None


def share(runs: list[Run], settings: CompareSettings, material: ComparisonData) -> list[dict]:
    """The results of all of `runs`, in their order; another process may be at some of them, and is waited for."""
    results: dict[Run, dict] = {}
    while len(results) < len(runs):
        before = len(results)
        for run in runs:
            folder = settings.out / "runs" / run.name
            if run not in results and (folder / "result.json").exists():
                results[run] = json.loads((folder / "result.json").read_text())
            elif run not in results:
                with claimed(folder / "claim") as mine:
                    if mine:
                        log.info("%d of %d: %s", len(results) + 1, len(runs), run.name)
                        results[run] = finish(run, settings, material)
        if len(results) == before:
            time.sleep(WAIT_S)
    return [results[run] for run in runs]


def finish(run: Run, settings: CompareSettings, material: ComparisonData) -> dict:
    """The result of a training; trained first, or gone on with, where it is not there yet."""
    folder = settings.out / "runs" / run.name
    if (folder / "result.json").exists():
        return json.loads((folder / "result.json").read_text())
    splits = material.splits
    training, validation, test = (
        (splits["train"], splits["val"], splits["test"]) if run.kind != "random" else shuffled(splits)
    )
    result = asdict(run) | _trained(run, settings, folder, training, validation)
    if run.kind != "lr":
        network, about = checkpoint.load(folder / "model.safetensors")
        network = network.to(pick_device(settings.device), memory_format=torch.channels_last)
        result |= _measured(network, about["threshold"], folder, test, material)
    write_atomic(folder / "result.json", json.dumps(result))
    return result


def _trained(
    run: Run, settings: CompareSettings, folder: Path, training: list[Item], validation: list[Item]
) -> dict:
    """Train, unless that is done and only what comes after it is missing; what is known of the training.

    At a learning rate that is only tried, one that diverges has found nothing.
    """
    size = None if run.size == "all" else min(int(run.size), len(training))
    steps = max(1, run.seen // settings.batch_size)
    about = {"images": size or len(training), "steps": steps}
    asked = TrainSettings(
        data=settings.data, out=folder / "model.safetensors", init=run.arm, arch=settings.arch, steps=steps, images=size, seed=run.seed,
        device=settings.device, resume=True, overwrite=True, coco=settings.coco,
        backgrounds=settings.backgrounds and settings.backgrounds.resolve(),  # a training goes on only with the same paths
        negatives=settings.negatives and settings.negatives.resolve(),
        batch_size=settings.batch_size, lr=run.lr, evaluations=settings.evaluations, threads=settings.threads,
    )  # fmt: skip
    mark = (
        folder / "told.json"
    )  # written as soon as training has ended: nothing of it is left to go on with then
    told = json.loads(mark.read_text()) if mark.exists() and asked.out.exists() else {}
    if told.get("lr") != run.lr:
        try:
            told = train(asked, (training, validation)) | {"lr": run.lr}
        except Diverged as error:
            if run.kind != "lr":
                raise UserError(
                    f"{run.name} diverges at the rate {run.lr:g}; name lower --lrs and another --out."
                ) from error
            log.warning("%s: training diverges at this learning rate.", run.name)
            asked.out.with_suffix(".resume").unlink(missing_ok=True)
            return about | {
                "seconds": 0.0,
                "val_ap50": 0.0,
                "val_ap50_95": 0.0,
                "curve": [],
                "diverged": True,
            }
        write_atomic(mark, json.dumps(told))
    curve = read_curve(asked.out.with_suffix(".csv"))
    return about | {
        "seconds": told["seconds"],
        "val_ap50": told["ap50"],
        "val_ap50_95": told["ap50_95"],
        "curve": curve,
    }


def _measured(network, threshold: float, folder: Path, test: list[Item], material: ComparisonData) -> dict:
    """Figures on the test sessions, real images and rooms; what was found there is kept in the folder."""
    outcomes = look_at(network, keep_images(test))
    _keep_outcomes(folder / "test.npz", outcomes)
    result = {
        "threshold": threshold,
        "test": measure(outcomes, threshold),
        "sessions": [item.session for item in test],
    }
    if material.real:
        real = look_at(network, material.real)
        _keep_outcomes(folder / "real.npz", real)
        result["real"] = measure(real, threshold)
    if material.rooms:
        rooms = look_at(network, material.rooms)
        _keep_outcomes(folder / "rooms.npz", rooms)
        result["false_alarms"] = {"images": len(rooms), "boxes": count_false_positives(rooms, threshold)}
    return result


def own_share(settings: CompareSettings) -> float:
    """Share of a batch that are training images, not backgrounds beside them, as `Batches` fills it."""
    return (
        own_images(settings.batch_size, TrainSettings.background_share if settings.backgrounds else 0.0)
        / settings.batch_size
    )


def shuffled(splits: dict[str, list[Item]]) -> tuple[list[Item], list[Item], list[Item]]:
    """The same images divided by image, not by session, in the same numbers: what most reports of the field do."""
    everything = [item for items in splits.values() for item in items]
    order = np.random.default_rng(685).permutation(len(everything))
    first, second = len(splits["train"]), len(splits["train"]) + len(splits["val"])
    return tuple(
        [everything[i] for i in part] for part in (order[:first], order[first:second], order[second:])
    )


def finished(out: Path) -> list[dict]:
    """The results that are there."""
    return [json.loads(path.read_text()) for path in sorted((out / "runs").glob("*/result.json"))]


def still_rising(curve: list[dict]) -> bool:
    """Whether the last quarter of a training still brought `STILL_RISING` of AP50-95 on the val sessions; one that has hardly begun is no plateau."""
    if max((point["ap50_95"] or 0.0 for point in curve), default=0.0) < HARDLY_BEGUN:
        return True
    until = 0.75 * curve[-1]["images_seen"]
    before = [point["ap50_95"] or 0.0 for point in curve if point["images_seen"] <= until]
    return max(point["ap50_95"] or 0.0 for point in curve) - max(before, default=0.0) >= STILL_RISING


def read_outcomes(path: Path) -> list[Outcome]:
    """What `_keep_outcomes` kept."""
    with np.load(path) as file:
        truth, predicted, scores = (
            np.split(file[name], np.cumsum(file[f"{name}_n"])[:-1])
            for name in ("truth", "predicted", "scores")
        )
        size = tuple(int(v) for v in file["size_wh"])
    return [Outcome(size, *parts) for parts in zip(truth, predicted, scores, strict=True)]


def _keep_outcomes(path: Path, outcomes: list[Outcome]) -> None:
    parts = {
        "truth": [o.boxes_xyxy for o in outcomes],
        "predicted": [o.predicted_xyxy for o in outcomes],
        "scores": [o.scores for o in outcomes],
    }
    arrays = {name: np.concatenate(rows) for name, rows in parts.items()}
    counts = {f"{name}_n": np.array([len(row) for row in rows]) for name, rows in parts.items()}
    np.savez_compressed(path, size_wh=np.array(outcomes[0].size_wh), **arrays, **counts)


def _before(out: Path) -> dict[str, str]:
    """What the experiment in a folder is made of; nothing where none has begun."""
    path = out / "experiment.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _refuse_another(settings: CompareSettings, before: dict[str, str]) -> None:
    """Raise `UserError` where parts of two experiments would be mixed."""
    refuse_foreign(settings.out, "experiment.json", ("index.html", "results.json"))
    if not before:
        return
    other = changed(settings, before) + ["digest of its data"] * (
        before.get("digest") != digest(settings.data)
    )
    if other:
        raise UserError(
            f"{settings.out} holds an experiment with another {', '.join(other)}; name another --out."
        )


def _claim(settings: CompareSettings) -> None:
    """Note what the experiment is made of, unless somebody has begun another one here meanwhile."""
    before = _before(settings.out)
    _refuse_another(settings, before)
    own = noted(settings) | {"digest": digest(settings.data)}
    if own["most_seen"] == "0":  # left out this time only
        own["most_seen"] = before.get("most_seen", "0")
    write_atomic(settings.out / "experiment.json", json.dumps(own, indent=1))
