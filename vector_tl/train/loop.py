"""`vector-tl train`: one readable loop for both networks and every start.

Recipe: AdamW with warm-up and cosine, all layers trained, gradients clipped, best by AP50-95 on the val sessions. Only the first
weights differ between transfer and scratch, and the learning rate that serves them. Under torchrun several processes share the work (see `ranks.py`).
"""

import io
import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vector_tl.data.dataset import Item, digest, load_dataset, read_splits
from vector_tl.errors import Diverged, UsageError, UserError
from vector_tl.evaluate.metrics import average_precision
from vector_tl.files import claimed, sweep, write_atomic
from vector_tl.nets import checkpoint, state_dict
from vector_tl.nets.build import build
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.average import Average
from vector_tl.train.batches import Batches, Images, keep_folder, keep_images, own_images
from vector_tl.train.checks import check_place, check_settings
from vector_tl.train.curve import with_new_names, write_curve
from vector_tl.train.inference import run_model, run_views
from vector_tl.train.memory import keep_freed_memory
from vector_tl.train.precision import mixed
from vector_tl.train.ranks import Ranks, join
from vector_tl.train.settings import TrainSettings
from vector_tl.train.threshold import THRESHOLDS, choose_threshold
from vector_tl.train.watch import Progressing, board

log = logging.getLogger(__name__)
WARM_UP_STEPS, LAST_LR_SHARE, WEIGHT_DECAY, CLIP_NORM, BATCH_NORM_MOMENTUM = 60, 0.02, 1e-4, 5.0, 0.05
SAVE_EVERY_S = 60.0  # a killed training loses at most so much work
HELD_OUT = 10  # one background in so many is not trained on but helps choose the threshold


def train(settings: TrainSettings, items: tuple[list[Item], list[Item]] | None = None) -> dict | None:
    """Train and write a model.

    Args:
        settings: what `vector-tl train` was told.
        items: images to train on and to validate with, instead of the train and val sessions of `settings.data`.

    Returns:
        {"model", "steps", "images_seen", "ap50", "ap50_95", "seconds"}; the APs are those of the model kept, on the val sessions. None from
        all but the first of several processes.

    Raises:
        UserError: data, weights or the place to write to are wrong, or another process is at the same training.
        Diverged: training went to numbers that are not finite.
    """
    resume_path = settings.out.with_suffix(".resume")
    check_settings(settings)
    settings = settings.with_rate()
    check_place(settings, resume_path)
    from vector_tl.detect.engine import pick_device

    with (
        join(pick_device(settings.device)) as (ranks, device),
        _alone(settings.out) if ranks.first else nullcontext(),
    ):
        return _train(settings, items, resume_path, ranks, device)


def _train(
    settings: TrainSettings,
    items: tuple[list[Item], list[Item]] | None,
    resume_path: Path,
    ranks: Ranks,
    device: torch.device,
) -> dict | None:
    if device.type == "cpu":
        keep_freed_memory()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    started = time.monotonic()
    for path in (settings.out, resume_path, settings.out.with_suffix(".csv")) if ranks.first else ():
        sweep(path)

    train_items, val_items = items or (
        load_dataset(settings.data, "train").items,
        load_dataset(settings.data, "val").items,
    )
    training, validation = (
        keep_images(draw(train_items, settings.images, settings.seed)),
        keep_images(val_items),
    )
    if not any(len(boxes) for boxes in training.boxes):
        raise UserError(
            f"None of the {len(training)} images to train on shows a Vector; label some, or divide the sessions with vector-tl label split."
        )
    if not any(len(boxes) for boxes in validation.boxes) and ranks.first:
        log.warning(
            "The val sessions show no Vector: no AP, so the last model is kept; divide the sessions with vector-tl label split."
        )
    own = ranks.part(training)
    backgrounds = keep_folder(settings.backgrounds) if settings.backgrounds else None
    held_out = (
        [backgrounds.part(slice(0, None, HELD_OUT))] if backgrounds and len(backgrounds) >= HELD_OUT else []
    )
    if held_out:
        backgrounds = backgrounds.part([i for i in range(len(backgrounds)) if i % HELD_OUT])
    negatives = held_out + ([keep_folder(settings.negatives)] if settings.negatives else [])
    share = ranks.share(settings.batch_size)
    own_of_a_batch = ranks.world * own_images(share, settings.background_share if backgrounds else 0.0)
    steps = settings.steps or math.ceil((settings.epochs or 20) * len(training) / own_of_a_batch)

    model = _start(settings, training).to(device, memory_format=torch.channels_last)
    average, forward = Average(model, settings.ema), ranks.parallel(model)
    optimizer = make_optimizer(model, settings.lr * settings.batch_size / 16)
    peaks = [group["lr"] for group in optimizer.param_groups]
    batches = Batches(
        own, backgrounds, share, model.size_wh, settings.seed, device, settings.background_share, ranks.rank
    )
    first, curve, best, losses, before_s = 0, [], None, [], 0.0
    if settings.resume and resume_path.exists():
        first, curve, best, losses, before_s = _restore(
            resume_path, settings, steps, model, average, optimizer, batches, ranks
        )
        log.info("going on at step %d of %d", first, steps)
    every = max(1, steps // max(1, settings.evaluations))
    about = {
        "seed": settings.seed,
        "data_digest": digest(settings.data),
        "steps": steps,
        "batch_size": settings.batch_size,
        "lr": settings.lr,
        "ema": settings.ema,
        "continued_from": None if settings.init in ("coco", "scratch") else Path(settings.init).stem,
        "learned_from": _learned_from(
            settings.init, [*train_items, *val_items]
        ),  # trained on or chosen by: no test of it, whatever their split later on
        "train_images": len(training),
        "val_images": len(validation),
        "backgrounds": len(backgrounds) if backgrounds else 0,
        "sessions": sorted(
            read_splits(settings.data)
        ),  # that were there; what comes later is new to this model
    }

    shown_in = settings.tensorboard / settings.out.stem if settings.tensorboard and ranks.first else None
    with (
        Progressing(steps, first, ranks.first) as advance,
        board(shown_in, first, settings.overwrite or settings.resume) as note,
    ):
        for path in (resume_path, settings.out.with_suffix(".csv")) if ranks.first and not first else ():
            path.unlink(missing_ok=True)  # what an earlier training left would be taken for this one's
        saved_s = time.monotonic()
        for step in range(first, steps):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * lr_share(step, steps)
            batch, targets = batches.next()  # (B, 3, h, w) in 0..1
            model.train()
            with mixed(device):
                outputs = forward(batch)  # (B, A, 4) and (B, A, 1)
            parts = model.compute_loss(targets, outputs)
            loss = parts["classification"] + parts["bbox_regression"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
                what = f"The loss is no longer a finite number at step {step + 1}"
                raise Diverged(
                    f"{what}; start again with a rate below {settings.lr:g} (--lr; retrain --coco-lr, compare --lrs)."
                )
            optimizer.step()
            average.update()
            losses.append(loss.item())
            note(step + 1, loss=losses[-1], learning_rate=peaks[0] * lr_share(step, steps))

            measured = (step + 1) % every == 0 or step + 1 == steps
            if measured and ranks.first:
                outcomes = run_model(average.network, validation)
                ap50, ap = average_precision(outcomes)
                seen = (step + 1) * settings.batch_size
                curve.append(
                    {
                        "step": step + 1,
                        "images_seen": seen,
                        "loss": round(float(np.mean(losses)), 5),
                        "ap50": ap50,
                        "ap50_95": ap,
                    }
                )
                losses.clear()
                note(step + 1, ap50=ap50, ap50_95=ap)
                if best is None or (ap or 0) >= (best["ap50_95"] or 0):
                    threshold = choose_threshold(
                        outcomes, [run_model(average.network, some) for some in negatives]
                    )
                    best = {"step": step + 1, "ap50": ap50, "ap50_95": ap, "threshold": threshold}
                    metrics = {"val_ap50": ap50, "val_ap50_95": ap, "best_step": step + 1}
                    checkpoint.save(
                        settings.out, average.network, about | {"threshold": threshold, "metrics": metrics}
                    )
                write_curve(settings.out.with_suffix(".csv"), curve)
            if measured or (
                ranks.world == 1 and time.monotonic() - saved_s > SAVE_EVERY_S
            ):  # together at the same step, whatever each one's clock says
                drawn = ranks.gather(batches.state())
                if ranks.first:
                    spent_s = before_s + time.monotonic() - started
                    _save(
                        resume_path,
                        settings,
                        steps,
                        step + 1,
                        curve,
                        best,
                        losses,
                        spent_s,
                        model,
                        average,
                        optimizer,
                        drawn,
                    )
                saved_s = time.monotonic()
            advance(best, curve)
    if not ranks.first:
        return None
    threshold = (
        _settle_threshold(settings.out, validation, negatives, device) if negatives else best.get("threshold")
    )
    resume_path.unlink(missing_ok=True)
    if threshold == THRESHOLDS[-1]:
        log.warning(
            "Its threshold is %g, the highest there is: it takes things for Vectors. Add --backgrounds, or more of them.",
            THRESHOLDS[-1],
        )
    return {
        "model": str(settings.out),
        "steps": steps,
        "images_seen": steps * settings.batch_size,
        "ap50": best["ap50"],
        "ap50_95": best["ap50_95"],
        "seconds": round(before_s + time.monotonic() - started, 1),
    }


def draw(items: list[Item], count: int | None, seed: int) -> list[Item]:
    """`count` of the images, or all, in their order; by the same seed a smaller draw is part of a larger one.

    Raises:
        UsageError: there are not so many.
    """
    if count is None:
        return items
    if count > len(items):
        raise UsageError(f"--images {count} is more than the {len(items)} images of the train sessions.")
    chosen = set(np.random.default_rng([seed, 685]).permutation(len(items))[:count].tolist())
    return [item for number, item in enumerate(items) if number in chosen]


def lr_share(step: int, steps: int) -> float:
    """Share of the peak learning rate: a short linear warm-up, then a cosine down to 2 %."""
    warm_up = min(WARM_UP_STEPS, max(1, steps // 5))
    if step < warm_up:
        return (step + 1) / warm_up
    along = (step - warm_up) / max(1, steps - warm_up)
    return LAST_LR_SHARE + (1 - LAST_LR_SHARE) * 0.5 * (1 + math.cos(math.pi * along))


def make_optimizer(model: nn.Module, lr: float) -> torch.optim.AdamW:
    """AdamW; biases and BatchNorm (vectors) are not decayed."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}], lr=lr
    )


def _settle_threshold(path: Path, validation: Images, negatives: list[Images], device: torch.device) -> float:
    """The threshold of the model that is kept, by all views of images without a Vector: too slow for every model that was the best for a while."""
    model, about = checkpoint.load(path)
    model = model.to(device, memory_format=torch.channels_last)
    threshold = choose_threshold(run_model(model, validation), [run_views(model, some) for some in negatives])
    checkpoint.save(path, model, about | {"threshold": threshold})
    return threshold


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    with claimed(out.with_suffix(".lock")) as mine:
        if not mine:
            raise UserError(f"Another process is training {out}; let it end, or name another --out.")
        yield


def _start(settings: TrainSettings, training: Images) -> VectorSSD:
    """The first weights; COCO's BatchNorm is measured on training images."""
    some = (
        training.pixels[torch.linspace(0, len(training) - 1, min(48, len(training))).long()].float().div_(255)
    )
    model = build(settings.arch, settings.init, settings.seed, settings.coco, images=some)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = BATCH_NORM_MOMENTUM
    return model


def _learned_from(init: str, items: list[Item]) -> list[str]:
    """The sessions of `items`, and of what the model that is gone on from had learned from, where it tells."""
    own = {item.session for item in items}
    if init not in ("coco", "scratch") and Path(init).suffix.lower() not in state_dict.SUFFIXES:
        own.update(checkpoint.read_metadata(init).get("learned_from", ()))
    return sorted(own)


def _identity(settings: TrainSettings, steps: int) -> str:
    """What must be the same for a training to go on."""
    own = [
        settings.init,
        settings.arch,
        settings.seed,
        steps,
        settings.batch_size,
        settings.lr,
        settings.ema,
        settings.images,
        settings.evaluations,
    ]
    return json.dumps(
        [
            *own,
            digest(settings.data),
            str(settings.backgrounds),
            settings.background_share,
            str(settings.negatives),
        ]
    )


def _save(
    path: Path, settings, steps, step, curve, best, losses, spent_s, model, average, optimizer, drawn
) -> None:
    buffer = io.BytesIO()
    state = {
        "identity": _identity(settings, steps),
        "step": step,
        "curve": curve,
        "best": best,
        "losses": losses,
        "seconds": spent_s,
        "model": model.state_dict(),
        "average": average.state(),
        "optimizer": optimizer.state_dict(),
        "batches": json.dumps(drawn),
    }
    torch.save(state, buffer)
    write_atomic(path, buffer.getvalue())


def _restore(
    path: Path, settings, steps, model, average, optimizer, batches, ranks
) -> tuple[int, list, dict | None, list, float]:
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        identity = state["identity"]
    except Exception as error:
        raise UserError(f"{path} cannot be read; remove it and start again with --overwrite.") from error
    if identity != _identity(settings, steps):
        raise UserError(
            f"{path} belongs to a training with other settings or data; use the same ones, or --overwrite without --resume."
        )
    drawn = json.loads(state["batches"])
    if len(drawn) != ranks.world:
        raise UserError(
            f"{path} belongs to a training with {len(drawn)} processes; start as many, or --overwrite without --resume."
        )
    model.load_state_dict(state["model"])
    average.restore(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    batches.restore(drawn[ranks.rank])
    return (
        state["step"],
        [with_new_names(row) for row in state["curve"]],
        state["best"],
        state["losses"],
        state["seconds"],
    )
