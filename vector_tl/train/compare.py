"""`vector-tl compare`: what COCO's weights are worth, like for like.

Both arms are the same network with the same pictures, seeds, schedule and augmentation; only the first weights differ, and the learning rate, which each
arm gets by its own AP on the val sessions. Every training is a folder with its result; one that is finished is not run again, one that was broken off
goes on. Several processes with the same settings share the work: each takes what no other one is at.
"""

import fcntl
import json
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vector_tl.detect.engine import pick_device
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import Outcome, false_alarms, measure
from vector_tl.files import write_atomic
from vector_tl.labels.dataset import Item, digest, load_dataset
from vector_tl.nets import checkpoint
from vector_tl.train.batches import keep, keep_folder
from vector_tl.train.compare_settings import CompareSettings
from vector_tl.train.loop import run as look_at
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

log = logging.getLogger(__name__)
ARMS = ("coco", "scratch")
HARDLY_BEGUN = 0.05  # AP50-95
WAIT_S = 5.0
STILL_RISING = 0.01  # a gain in AP50-95 on the val sessions, in the last quarter of a training


@dataclass(frozen=True)
class Run:
    """One training. `kind`: lr (to choose the rate), equal (the same for both), long (until it stops gaining), random (split by picture)."""

    kind: str
    arm: str
    size: str
    seed: int
    seen: int
    lr: float

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"{self.kind}-{self.arm}-{self.size}-seed{self.seed}" + (f"-lr{self.lr:g}" if self.kind == "lr" else "")


def compare(settings: CompareSettings) -> dict:
    """Run what is missing, then write results.json and index.html.

    Returns:
        {"page", "runs", "answer": [two sentences], "transfer": {...}, "scratch": {...}} with the figures of both arms on all pictures.

    Raises:
        UserError: data or weights are missing, or the folder holds an experiment with other settings.
    """
    settings.check()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("compare does not share one training among processes: start it several times with the same --out instead of by torchrun.")
    splits = {split: load_dataset(settings.data, split).items for split in ("train", "val", "test")}
    for split, items in splits.items():
        if not items:
            raise UserError(f"{settings.data} has no labelled {split} pictures; divide its sessions with vector-tl label split.")
    _claim(settings)
    if not settings.page_only:
        rates = choose_rates(settings, splits)
        share([run for run in plan(settings, rates) if run.kind != "lr"], settings, splits)
    from vector_tl.train.compare_page import write_page

    return write_page(settings, finished(settings.out), splits)


def plan(settings: CompareSettings, rates: dict[str, float]) -> Iterator[Run]:
    """Every training, what says most first."""
    for arm in ARMS:
        for lr in settings.lrs if len(settings.lrs) > 1 else ():
            yield Run("lr", arm, "all", 0, max(settings.batch_size, settings.seen // 4), lr)
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


def choose_rates(settings: CompareSettings, splits: dict[str, list[Item]]) -> dict[str, float]:
    """For each arm the learning rate with the best AP50-95 on the val sessions."""
    trials = [run for run in plan(settings, dict.fromkeys(ARMS, settings.lrs[0])) if run.kind == "lr"]
    results = share(trials, settings, splits)
    best = {}
    for arm in ARMS:
        found = {result["lr"]: result["val_ap50_95"] or 0.0 for result in results if result["arm"] == arm}
        best[arm] = max(found, key=found.get) if found else settings.lrs[0]
    return best


def share(runs: list[Run], settings: CompareSettings, splits: dict[str, list[Item]]) -> list[dict]:
    """The results of all of `runs`, in their order; another process may be at some of them, and is waited for."""
    results: dict[Run, dict] = {}
    while len(results) < len(runs):
        before = len(results)
        for run in runs:
            folder = settings.out / "runs" / run.name
            if run not in results and (folder / "result.json").exists():
                results[run] = json.loads((folder / "result.json").read_text())
            elif run not in results:
                with _claimed(folder) as mine:
                    if mine:
                        log.info("%d of %d: %s", len(results) + 1, len(runs), run.name)
                        results[run] = finish(run, settings, splits)
        if len(results) == before:
            time.sleep(WAIT_S)
    return [results[run] for run in runs]


@contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """Whether nobody else is at a run; the claim ends with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "claim").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def finish(run: Run, settings: CompareSettings, splits: dict[str, list[Item]]) -> dict:
    """The result of a training; trained first, or gone on with, where it is not there yet."""
    folder = settings.out / "runs" / run.name
    if (folder / "result.json").exists():
        return json.loads((folder / "result.json").read_text())
    training, validation, test = (splits["train"], splits["val"], splits["test"]) if run.kind != "random" else shuffled(splits)
    size = None if run.size == "all" else min(int(run.size), len(training))
    steps = max(1, run.seen // settings.batch_size)
    asked = TrainSettings(
        data=settings.data, out=folder / "model.safetensors", init=run.arm, arch=settings.arch, steps=steps, pictures=size, seed=run.seed,
        device=settings.device, resume=True, overwrite=True, coco=settings.coco, backgrounds=settings.backgrounds, negatives=settings.negatives,
        batch_size=settings.batch_size, lr=run.lr, evaluations=settings.evaluations, threads=settings.threads,
    )  # fmt: skip
    told = train(asked, (training, validation))
    network, about = checkpoint.load(folder / "model.safetensors")
    network = network.to(pick_device(settings.device), memory_format=torch.channels_last)
    result = asdict(run) | {
        "pictures": size or len(training), "steps": steps, "seconds": told["seconds"], "val_ap50": told["ap50"], "val_ap50_95": told["ap50_95"],
        "threshold": about["threshold"], "curve": _curve(folder / "model.csv"),
    }  # fmt: skip
    if run.kind != "lr":
        outcomes = look_at(network, keep(test))
        result |= {"test": measure(outcomes, about["threshold"]), "sessions": [item.session for item in test]}
        _keep_outcomes(folder / "test.npz", outcomes)
        if settings.real:
            result["real"] = measure(look_at(network, keep(load_dataset(settings.real, "all").items)), about["threshold"])
        if settings.test_negatives:
            rooms = look_at(network, keep_folder(settings.test_negatives))
            result["false_alarms"] = {"images": len(rooms), "boxes": false_alarms(rooms, about["threshold"])}
    write_atomic(folder / "result.json", json.dumps(result))
    return result


def own_share(settings: CompareSettings) -> float:
    """Share of a batch that are training pictures, not backgrounds beside them, as `Batches` fills it."""
    if settings.backgrounds is None:
        return 1.0
    return 1 - max(1, round(settings.batch_size * TrainSettings.background_share)) / settings.batch_size


def shuffled(splits: dict[str, list[Item]]) -> tuple[list[Item], list[Item], list[Item]]:
    """The same pictures divided by picture, not by session, in the same numbers: what most reports of the field do."""
    everything = [item for items in splits.values() for item in items]
    order = np.random.default_rng(685).permutation(len(everything))
    first, second = len(splits["train"]), len(splits["train"]) + len(splits["val"])
    return tuple([everything[i] for i in part] for part in (order[:first], order[first:second], order[second:]))


def finished(out: Path) -> list[dict]:
    """The results that are there."""
    return [json.loads(path.read_text()) for path in sorted((out / "runs").glob("*/result.json"))]


def still_rising(curve: list[dict]) -> bool:
    """Whether the last quarter of a training still brought `STILL_RISING` of AP50-95 on the val sessions; one that has hardly begun is no plateau."""
    if max((point["ap50_95"] or 0.0 for point in curve), default=0.0) < HARDLY_BEGUN:
        return True
    until = 0.75 * curve[-1]["pictures_seen"]
    before = [point["ap50_95"] or 0.0 for point in curve if point["pictures_seen"] <= until]
    return max(point["ap50_95"] or 0.0 for point in curve) - max(before, default=0.0) >= STILL_RISING


def read_outcomes(path: Path) -> list[Outcome]:
    """What `_keep_outcomes` kept."""
    with np.load(path) as file:
        truth, predicted, scores = (np.split(file[name], np.cumsum(file[f"{name}_n"])[:-1]) for name in ("truth", "predicted", "scores"))
        size = tuple(int(v) for v in file["size_wh"])
    return [Outcome(size, *parts) for parts in zip(truth, predicted, scores, strict=True)]


def _keep_outcomes(path: Path, outcomes: list[Outcome]) -> None:
    parts = {"truth": [o.boxes_xyxy for o in outcomes], "predicted": [o.predicted_xyxy for o in outcomes], "scores": [o.scores for o in outcomes]}
    arrays = {name: np.concatenate(rows) for name, rows in parts.items()}
    counts = {f"{name}_n": np.array([len(row) for row in rows]) for name, rows in parts.items()}
    np.savez_compressed(path, size_wh=np.array(outcomes[0].size_wh), **arrays, **counts)


def _curve(path: Path) -> list[dict]:
    import csv

    with path.open() as file:
        return [
            {"pictures_seen": int(row["pictures_seen"]), **{key: float(row[key]) if row[key] else None for key in ("loss", "ap50", "ap50_95")}}
            for row in csv.DictReader(file)
        ]


def _claim(settings: CompareSettings) -> None:
    """Note what the experiment is made of, so that its parts are never mixed with those of another one."""
    own = {key: str(value) for key, value in asdict(replace(settings, out=Path(), threads=None, page_only=False, seeds=1, sizes=("all",))).items()}
    own["digest"] = digest(settings.data)
    path = settings.out / "experiment.json"
    if path.exists():
        before = json.loads(path.read_text())
        changed = [key for key in own if before.get(key) != own[key]]
        if changed:
            raise UserError(f"{settings.out} holds an experiment with another {', '.join(changed)}; name another --out.")
    else:
        write_atomic(path, json.dumps(own, indent=1))
