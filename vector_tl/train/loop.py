"""`vector-tl train`: one readable loop for both networks and all initial weights.

Recipe: AdamW with warm-up and cosine, all layers trained, gradients clipped; the best model by AP50-95 on the
val sessions is kept. From COCO and from scratch, only the initial weights differ, and the learning rate that
serves them. Under torchrun several processes share the work (see `ranks.py`).
"""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vector_tl.data.dataset import Item, digest, read_splits
from vector_tl.errors import Diverged, UserError
from vector_tl.evaluate.metrics import Outcome, average_precision
from vector_tl.files import claimed, sweep
from vector_tl.nets import checkpoint, model_file, state_dict
from vector_tl.nets.build import build
from vector_tl.nets.devices import pick_device
from vector_tl.nets.ssd import VectorSSD
from vector_tl.plain import counted
from vector_tl.train.average import Average
from vector_tl.train.batches import Batches, Images
from vector_tl.train.checks import check_place, check_settings
from vector_tl.train.curve import write_curve
from vector_tl.train.inference import run_model, run_views
from vector_tl.train.memory import keep_freed_memory
from vector_tl.train.precision import faster_in_bfloat16, has_bfloat16
from vector_tl.train.precision_check import check_precisions
from vector_tl.train.ranks import Ranks, join
from vector_tl.train.settings import TrainSettings
from vector_tl.train.state import TrainState, training_identity
from vector_tl.train.step import Step, make_optimizer
from vector_tl.train.threshold import VIEWS, judge_scores
from vector_tl.train.training_data import count_steps, load_training_data
from vector_tl.train.watch import Progressing, board

log = logging.getLogger(__name__)
WARM_UP_STEPS, LAST_LR_SHARE, BATCH_NORM_MOMENTUM = 60, 0.02, 0.05
SAVE_EVERY_S = 60.0  # a killed training loses at most so much work
READ_EVERY = 50  # steps whose losses a GPU keeps: to read one is to wait for it


def describe(result: dict[str, Any]) -> str:
    """What a training gave, for a person."""
    ap50, ap50_95 = ("-" if result[key] is None else f"{result[key]:.2f}" for key in ("ap50", "ap50_95"))
    seen = counted(result["images_seen"], "image")
    spent = f"{counted(result['steps'], 'step')} ({seen} seen) in {result['seconds']:.0f} s"
    return (
        f"Trained for {spent}.\n"
        f"On the val sessions: AP50 {ap50}, AP50-95 {ap50_95} (0 finds nothing, 1 everything exactly)."
    )


def train(
    settings: TrainSettings,
    items: tuple[list[Item], list[Item]] | None = None,
    keep: Callable[[int, list[Outcome]], None] | None = None,
) -> dict[str, Any] | None:
    """Train and write a model.

    Args:
        settings: of `vector-tl train`.
        items: images to train on and to evaluate on, instead of the train and val sessions of
            `settings.data`.
        keep: called before the first step and at each point of the learning curve, with the number of images
            seen and the outcomes on the validation images.

    Returns:
        {"model", "steps", "images_seen", "ap50", "ap50_95", "seconds"}; the APs are those of the model that
        is kept, on the val sessions. None from all but the first of several processes.

    Raises:
        UserError: data, weights or the place to write to are wrong, or another process is at the same
            training.
        Diverged: the loss or the weights are no longer finite numbers.
    """
    check_settings(settings)
    check_place(settings)
    with (
        join(torch.device(pick_device(settings.device))) as (ranks, device),
        _alone(settings.out) if ranks.first else nullcontext(),
    ):
        return TrainingLoop(settings, items, ranks, device, keep).run()


class TrainingLoop:
    """One process's part in a training: set-up, the loop, and what happens between its steps."""

    def __init__(
        self,
        settings: TrainSettings,
        items: tuple[list[Item], list[Item]] | None,
        ranks: Ranks,
        device: torch.device,
        keep: Callable[[int, list[Outcome]], None] | None = None,
    ):
        started_s = time.monotonic()
        self.settings, self.ranks, self.device, self.keep = settings, ranks, device, keep
        if device.type == "cpu":
            keep_freed_memory()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        for path in (settings.out, settings.resume_path, settings.curve_path) if ranks.first else ():
            sweep(path)
        self.data = data = load_training_data(settings, items, ranks)
        own = ranks.part(data.training)
        self.steps = count_steps(settings, data, ranks)
        model = initial_model(settings, data.training).to(device, memory_format=torch.channels_last)
        batches = Batches(
            own,
            data.backgrounds,
            ranks.share(settings.batch_size),
            model.size_wh,
            settings.seed,
            device,
            settings.background_share,
            ranks.rank,
            settings.variety,
            data.cutouts,
        )
        captured = device.type == "cuda" and ranks.world == 1
        optimizer = make_optimizer(model, settings.peak_lr, captured)
        self.unread: list[tuple[int, float, Tensor]] = []  # step, learning rate, and what the step gave
        self.state = TrainState(
            training_identity(settings, self.steps),
            model,
            Average(model, settings.ema),
            optimizer,
            batches,
            started_s,
            bfloat16=ranks.from_first(lambda: faster_in_bfloat16(model, device)),
        )
        if settings.resume and settings.resume_path.exists():
            self.state.restore(settings.resume_path, ranks.rank, ranks.world)
            log.info("resumed at step %d of %d", self.state.step, self.steps)
        bfloat16 = self.state.bfloat16 and has_bfloat16(device)
        self.train_on = Step(model, ranks.parallel(model), optimizer, captured, bfloat16)
        self.metadata = self._metadata()

    def run(self) -> dict[str, Any] | None:
        """Train from the first step, or from where a stopped training was, and settle the threshold."""
        settings, state, ranks, steps = self.settings, self.state, self.ranks, self.steps
        every = max(1, steps // max(1, settings.evaluations))
        read_every = READ_EVERY if self.device.type == "cuda" else 1
        if self.keep and ranks.first and not state.step:
            self.keep(0, run_model(state.average.network, self.data.validation))
        with self._shown() as (advance, note):
            saved_s = time.monotonic()
            for step in range(state.step, steps):
                learning_rate = settings.peak_lr * lr_share(step, steps)
                batch, targets = state.batches.next_batch()  # (B, 3, h, w), B times n boxes
                figures = self.train_on(batch, targets, learning_rate)  # (2,)
                state.average.update()
                state.step = step + 1
                self.unread.append((state.step, learning_rate, figures))

                measured = state.step % every == 0 or state.step == steps
                # several processes save together at the same step, whatever each one's clock says
                due = measured or (ranks.world == 1 and time.monotonic() - saved_s > SAVE_EVERY_S)
                if due or len(self.unread) >= read_every:
                    self._read_figures(note)
                if measured and ranks.first:
                    self._evaluate(note)
                if due:
                    self._save()
                    saved_s = time.monotonic()
                advance(state.best, state.curve)
        return self._finish() if ranks.first else None

    @contextmanager
    def _shown(self) -> Iterator[tuple[Callable[..., None], Callable[..., None]]]:
        """Show progress and write to TensorBoard; a new start removes the files of an earlier training."""
        settings, first, begin = self.settings, self.ranks.first, self.state.step
        folder = settings.tensorboard / settings.out.stem if settings.tensorboard and first else None
        with (
            Progressing(self.steps, begin, first) as advance,
            board(folder, begin, settings.overwrite or settings.resume) as note,
        ):
            if first and not begin:  # or they would be taken for this training's
                settings.resume_path.unlink(missing_ok=True)
                settings.curve_path.unlink(missing_ok=True)
            yield advance, note

    def _read_figures(self, note: Callable[..., None]) -> None:
        """Note the losses of the steps since the last time; what has diverged is never evaluated or saved."""
        read = torch.stack([figures for _, _, figures in self.unread]).tolist()
        for (step, learning_rate, _), (loss, norm) in zip(self.unread, read, strict=True):
            self._refuse_diverged(step, loss, norm)
            self.state.losses.append(loss)
            note(step, loss=loss, learning_rate=learning_rate)
        self.unread.clear()

    def _refuse_diverged(self, step: int, loss: float, norm: float) -> None:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise Diverged(
                f"The loss is no longer a finite number at step {step}; "
                f"start again with a learning rate below {self.settings.learning_rate:g} "
                "(--lr; retrain --coco-lr, compare --lrs)."
            )

    def _evaluate(self, note: Callable[..., None]) -> None:
        """A point of the learning curve; the model is kept when its AP50-95 is the best so far."""
        settings, state = self.settings, self.state
        network = state.average.network
        outcomes = run_model(network, self.data.validation)
        if self.keep:
            self.keep(state.step * settings.batch_size, outcomes)
        ap50, ap50_95 = average_precision(outcomes)
        state.curve.append(
            {
                "step": state.step,
                "images_seen": state.step * settings.batch_size,
                "loss": round(float(np.mean(state.losses)), 5),
                "ap50": ap50,
                "ap50_95": ap50_95,
            }
        )
        state.losses.clear()
        note(state.step, ap50=ap50, ap50_95=ap50_95)
        if state.best is None or (ap50_95 or 0) >= (state.best["ap50_95"] or 0):
            scores = judge_scores(outcomes, [run_model(network, some) for some in self.data.negatives])
            state.best = {"step": state.step, "ap50": ap50, "ap50_95": ap50_95}
            metrics = {"val_ap50": ap50, "val_ap50_95": ap50_95, "best_step": state.step}
            checkpoint.save(settings.out, network, self.metadata | scores | {"metrics": metrics})
        write_curve(settings.curve_path, state.curve)

    def _save(self) -> None:
        batches_states = self.ranks.gather(self.state.batches.state())
        if self.ranks.first:
            self.state.save(self.settings.resume_path, batches_states)

    def _finish(self) -> dict[str, Any]:
        """Settle threshold and calibration of the model that is kept; the result of `train`."""
        settings, best = self.settings, self.state.best
        assert best is not None  # the last step was evaluated
        if self.data.negatives:
            self._settle_scores()
        seconds = round(self.state.seconds(), 1)
        if note := model_file.read_metadata(settings.out).get("hardly_trained"):
            log.warning(note)
        elif settings.check_precisions:
            check_precisions(settings, self.data.val_items)
        settings.resume_path.unlink(missing_ok=True)
        return {
            "model": str(settings.out),
            "steps": self.steps,
            "images_seen": self.steps * settings.batch_size,
            "ap50": best["ap50"],
            "ap50_95": best["ap50_95"],
            "seconds": seconds,
        }

    def _settle_scores(self) -> None:
        """Judge the kept model's scores by all views of images without a Vector.

        That is too slow for every model that was the best for a while.
        """
        path, data = self.settings.out, self.data
        model, metadata = checkpoint.load(path)
        model = model.to(self.device, memory_format=torch.channels_last)
        negatives = [run_views(model, some) for some in data.negatives]
        scores = judge_scores(run_model(model, data.validation), negatives, len(VIEWS))
        checkpoint.save(path, model, metadata | scores)

    def _metadata(self) -> dict[str, Any]:
        """What the model's file says of its training; `checkpoint.save` adds the network's own."""
        settings, data = self.settings, self.data
        fine_tuned = settings.init not in ("coco", "scratch")
        learned_from = set(data.sessions)
        if fine_tuned and Path(settings.init).suffix.lower() not in state_dict.SUFFIXES:
            learned_from.update(model_file.read_metadata(settings.init).get("learned_from", ()))
        return {
            "seed": settings.seed,
            "data_digest": digest(settings.data),
            "steps": self.steps,
            "batch_size": settings.batch_size,
            "lr": settings.learning_rate,
            "ema": settings.ema,
            "variety": settings.variety.changed(),
            "continued_from": Path(settings.init).stem if fine_tuned else None,
            # trained on or chosen by: these sessions are no test of it, whatever their split later on
            "learned_from": sorted(learned_from),
            "train_images": len(data.training),
            "val_images": len(data.validation),
            "backgrounds": len(data.backgrounds) if data.backgrounds else 0,
            # all that were there; what comes later is new to this model
            "sessions": sorted(read_splits(settings.data)),
        }


def initial_model(settings: TrainSettings, training: Images) -> VectorSSD:
    """The network with its initial weights; COCO's BatchNorm statistics are measured on training images."""
    chosen = torch.linspace(0, len(training) - 1, min(48, len(training))).long()
    images = training.decoded(chosen).float().div_(255)  # (48, 3, H, W)
    model = build(settings.arch, settings.init, settings.seed, settings.coco, images=images)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = BATCH_NORM_MOMENTUM
    return model


def lr_share(step: int, steps: int) -> float:
    """Share of the peak learning rate: a short linear warm-up, then a cosine down to 2 %."""
    warm_up = min(WARM_UP_STEPS, max(1, steps // 5))
    if step < warm_up:
        return (step + 1) / warm_up
    along = (step - warm_up) / max(1, steps - warm_up)
    return LAST_LR_SHARE + (1 - LAST_LR_SHARE) * 0.5 * (1 + math.cos(math.pi * along))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    with claimed(out.with_suffix(".lock")) as mine:
        if not mine:
            raise UserError(f"Another process is training {out}; let it end, or name another --out.")
        yield
