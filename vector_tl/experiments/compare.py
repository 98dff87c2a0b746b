"""`vector-tl compare`: what COCO's weights are worth, with everything else alike.

Both arms are the same network with the same images, seeds, schedule and augmentation; only the initial
weights differ, and the learning rate, which is chosen for each arm by its own AP on the validation sessions.
A finished training is not run again, an interrupted one is resumed. Several processes with the same settings
share the work: each takes a training that no other one is working on. `--workers` and `--cluster` start them.
"""

import logging
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vector_tl.data.dataset import Item
from vector_tl.data.images import is_image_file
from vector_tl.errors import UsageError, UserError
from vector_tl.experiments.compare_page import write_page
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.comparison_data import ComparisonData, gather
from vector_tl.experiments.divided import divide
from vector_tl.experiments.experiment import (
    claim_experiment,
    read_experiment,
    refuse_another,
    with_settings_of,
)
from vector_tl.experiments.runs import (
    ARMS,
    MIN_LEARNED,
    Result,
    Training,
    finished_trainings,
    late_loss,
    read_result,
)
from vector_tl.experiments.training_runs import finish, result_path
from vector_tl.files import claimed
from vector_tl.nets import mobilenet_v1
from vector_tl.nets.coco_file import find_weights
from vector_tl.nets.devices import pick_device
from vector_tl.plain import counted
from vector_tl.progress import in_words
from vector_tl.train.paste import refuse_without_masks

log = logging.getLogger(__name__)
WAIT_S = 5.0
WHOLE = ("equal", "all")  # kind and size of the trainings that an answer rests on
FURTHER_RATES = 2  # tried beyond an edge of --lrs where the best lies there


def compare(settings: CompareSettings) -> dict[str, Any]:
    """Run what is missing, then write results.json and index.html.

    Returns:
        {"page", "runs", "answer": [two sentences], "transfer": {...}, "scratch": {...}} with the figures of
        both arms on all images.

    Raises:
        UsageError: settings that make no sense.
        UserError: data or weights are missing, training diverges at every learning rate, or the folder holds
            another experiment.
    """
    settings.check()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "compare does not divide one training among processes: instead of torchrun, use --workers or "
            "--cluster."
        )
    before = read_experiment(settings.out)
    settings = with_settings_of(settings, before) if settings.page_only else settings
    material = gather(settings)
    refuse_another(settings, before)
    if not settings.page_only:
        settings = replace(settings, sizes=possible_sizes(settings.sizes, len(material.splits["train"])))
        _refuse_without_all(settings)
        _check_trainings(settings, material.splits["train"])
        claim_experiment(settings)
        rates = choose_rates(settings, material)
        share([training for training in plan(settings, rates) if training.kind != "lr"], settings, material)
    return write_page(settings, finished_trainings(settings.out), material)


def _check_trainings(settings: CompareSettings, train_items: list[Item]) -> None:
    """Raise `UserError` for what would stop a training: a missing device, images, masks or COCO weights."""
    if settings.cluster is None:  # whose machines have devices of their own
        pick_device(settings.device)
    if settings.paste:
        refuse_without_masks(settings.data, train_items)
    folders = [("--backgrounds", folder) for folder in settings.backgrounds]
    folders += [("--negatives", settings.negatives)] if settings.negatives else []
    for option, path in folders:
        if not any(is_image_file(file) for file in path.rglob("*")):
            raise UserError(
                f"{option} {path} holds no images; name a folder of photographs without a Vector."
            )
    planned = plan(settings, dict.fromkeys(ARMS, settings.lrs[0]))
    if settings.arch == mobilenet_v1.ARCH and not all(
        result_path(settings, some).exists() for some in planned
    ):
        find_weights(settings.coco)


def possible_sizes(sizes: Sequence[str], images: int) -> tuple[str, ...]:
    """The sizes that there are enough images for, none of them twice.

    A size of more images than there are would be the training on all of them again.


    Raises:
        UsageError: there is none.
    """
    asked = tuple(dict.fromkeys(sizes))
    kept = tuple(size for size in asked if size == "all" or int(size) < images + ("all" not in sizes))
    if not kept:
        raise UsageError(
            f"--sizes {' '.join(sizes)}: the train sessions hold {counted(images, 'image')}; name "
            "smaller numbers, or the word all."
        )
    if left_out := [size for size in asked if size not in kept]:
        there = counted(images, "image")
        log.warning("--sizes %s left out: the train sessions hold %s.", " ".join(left_out), there)
    return kept


def _refuse_without_all(settings: CompareSettings) -> None:
    """Raise `UsageError` where the trainings on a part of the images would give no answer at the end.

    They give one where the folder holds those on all images from an earlier start.
    """
    done = {run["arm"] for run in finished_trainings(settings.out) if (run["kind"], run["size"]) == WHOLE}
    if "all" not in settings.sizes and done != set(ARMS):
        raise UsageError(
            f"--sizes {' '.join(settings.sizes)} trains on a part of the images only, which is not enough "
            "for an answer; add the word all to --sizes."
        )


# -- which trainings -------------------------------------------------------------------------------------


def plan(settings: CompareSettings, rates: dict[str, float]) -> Iterator[Training]:
    """Every training, those that say most first."""
    for arm in ARMS:
        for lr in tuple(dict.fromkeys(settings.lrs)) if len(set(settings.lrs)) > 1 else ():
            yield rate_trial(settings, arm, lr)
    sizes = sorted(set(settings.sizes), key=lambda size: -math.inf if size == "all" else -int(size))
    for seed in range(settings.seeds):
        for size in sizes:
            for arm in ARMS:
                yield Training("equal", arm, size, seed, settings.images_seen, rates[arm])
    for arm in ARMS:
        yield Training("random", arm, "all", 0, settings.images_seen, rates[arm])
    for seed in range(settings.seeds if settings.max_images_seen > settings.images_seen else 0):
        for arm in ARMS:
            yield Training("long", arm, "all", seed, settings.max_images_seen, rates[arm])


def rate_trial(settings: CompareSettings, arm: str, lr: float) -> Training:
    """The short training that shows what a learning rate is worth to an arm."""
    return Training("lr", arm, "all", 0, max(settings.batch_size, settings.images_seen // 4), lr)


def choose_rates(settings: CompareSettings, material: ComparisonData) -> dict[str, float]:
    """The best learning rate of each arm; where that is the highest or lowest one, the next is also tried.

    Raises:
        UserError: an arm's training diverges at every rate.
    """
    rates = {arm: list(dict.fromkeys(settings.lrs)) for arm in ARMS}
    if len(rates[ARMS[0]]) == 1:
        return {arm: rates[arm][0] for arm in ARMS}
    for further in range(FURTHER_RATES + 1):
        results = share(
            [rate_trial(settings, arm, lr) for arm in ARMS for lr in rates[arm]], settings, material
        )
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
                f"Training {arm} diverges at every learning rate ({tried}); name lower --lrs and another "
                "--out."
            )
    return best


def best_rate(trials: list[Result]) -> float:
    """The learning rate with the best AP50-95 on the validation sessions.

    Where all are below `MIN_LEARNED`, their AP is chance, and the lowest late training loss chooses; where
    all diverge, the lowest rate.
    """
    if max(result["val_ap50_95"] or 0.0 for result in trials) >= MIN_LEARNED:
        return max(trials, key=lambda result: result["val_ap50_95"] or 0.0)["lr"]
    losses = [(late_loss(result["curve"]), result["lr"]) for result in trials]
    return min((math.inf if loss is None else loss, lr) for loss, lr in losses)[1]


def _beyond(best: float, rates: list[float]) -> float | None:
    """Twice the highest or half the lowest rate, where that is the best; None in between."""
    if best == min(rates):
        return best / 2
    return 2 * best if best == max(rates) and 2 * best < 1 else None


# -- one training after another --------------------------------------------------------------------------


def share(trainings: list[Training], settings: CompareSettings, material: ComparisonData) -> list[Result]:
    """The results of all trainings, in their order; waits for those that another process is working on."""
    if settings.is_divided:
        divide(trainings, settings)
    results: dict[Training, Result] = {}
    began_s, seen = time.monotonic(), 0  # the second: images that this process has trained with
    while len(results) < len(trainings):
        before = len(results)
        for training in trainings:
            path = result_path(settings, training)
            if training not in results and path.exists():
                results[training] = read_result(path)
            elif training not in results:
                with claimed(path.with_name("claim")) as mine:
                    if mine:
                        missing = sum(each.images_seen for each in trainings if each not in results)
                        left_s = (time.monotonic() - began_s) * missing / seen if seen else None
                        left = "" if left_s is None else f", {in_words(left_s)} left"
                        log.info("%d of %d: %s%s", len(results) + 1, len(trainings), training.name, left)
                        results[training] = finish(training, settings, material)
                        seen += training.images_seen
        if len(results) == before:
            time.sleep(WAIT_S)
    return [results[training] for training in trainings]
