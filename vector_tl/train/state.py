"""What changes in a training from step to step, and the file from which a stopped one is resumed."""

import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vector_tl.data.dataset import digest
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.average import Average
from vector_tl.train.batches import Batches
from vector_tl.train.curve import with_new_names
from vector_tl.train.settings import TrainSettings


@dataclass
class TrainState:
    """A training between two steps.

    Attributes:
        identity: what must be the same for a training to be resumed.
        model: the network that learns.
        average: the running mean of its weights; the network that is evaluated and kept.
        optimizer: with its moments.
        batches: with their random generator.
        started_s: when this process began, by the monotonic clock.
        spent_s: time that earlier processes spent on the same training.
        step: how many steps are done.
        curve: a row for each evaluation.
        best: AP and threshold of the model that is kept, and its step.
        losses: one for each step since the last evaluation.
    """

    identity: str
    model: VectorSSD
    average: Average[VectorSSD]
    optimizer: torch.optim.Optimizer
    batches: Batches
    started_s: float
    spent_s: float = 0.0
    step: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    losses: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        """Time spent on this training, in all processes one after another."""
        return self.spent_s + time.monotonic() - self.started_s

    def save(self, path: Path, batches_states: list[dict]) -> None:
        """Write the file to resume from.

        Args:
            path: of that file.
            batches_states: of every rank's `batches`, in the ranks' order.
        """
        buffer = io.BytesIO()
        torch.save(
            {
                "identity": self.identity,
                "step": self.step,
                "curve": self.curve,
                "best": self.best,
                "losses": self.losses,
                "seconds": self.seconds(),
                "model": self.model.state_dict(),
                "average": self.average.state(),
                "optimizer": self.optimizer.state_dict(),
                "batches": json.dumps(batches_states),
            },
            buffer,
        )
        write_atomic(path, buffer.getvalue())

    def restore(self, path: Path, rank: int, world: int) -> None:
        """Become what `save` wrote.

        Raises:
            UserError: the file cannot be read, or belongs to a training with other settings, data or
                processes.
        """
        try:
            saved = torch.load(path, weights_only=True, map_location="cpu")
            identity = saved["identity"]
        except Exception as error:
            raise UserError(f"{path} cannot be read; remove it and start again with --overwrite.") from error
        if identity != self.identity:
            raise UserError(
                f"{path} belongs to a training with other settings or data; "
                "use the same ones, or --overwrite without --resume."
            )
        batches_states = json.loads(saved["batches"])
        if len(batches_states) != world:
            raise UserError(
                f"{path} belongs to a training with {len(batches_states)} processes; "
                "start as many, or --overwrite without --resume."
            )
        self.model.load_state_dict(saved["model"])
        self.average.restore(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.batches.restore(batches_states[rank])
        self.step, self.best, self.losses = saved["step"], saved["best"], saved["losses"]
        self.curve = [with_new_names(row) for row in saved["curve"]]
        self.spent_s = saved["seconds"]


def training_identity(settings: TrainSettings, steps: int) -> str:
    """What must be the same for a training to be resumed: all that changes its learning curve."""
    own = [settings.init, settings.arch, settings.seed, steps, settings.batch_size, settings.learning_rate]
    own += [settings.ema, settings.images, settings.evaluations, digest(settings.data)]
    backgrounds = [str(folder) for folder in settings.backgrounds] or ["None"]
    own += [*backgrounds, settings.background_share, str(settings.negatives)]
    # nothing where no such option is used: files from before there were any can still be resumed
    own += [changed] if (changed := settings.variety.changed()) else []
    own += [settings.max_decoded] if settings.max_decoded != TrainSettings.max_decoded else []
    return json.dumps(own)
