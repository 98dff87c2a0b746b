"""What changes in a training from step to step, and the file from which a stopped one is resumed."""

import hashlib
import io
import json
import time
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import torch
from msgspec import Meta
from torch import Tensor

from vector_tl.data.dataset import digest
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.forms import Count, Share, check_form, parse_json
from vector_tl.nets.model_file import other_tensor, resolve
from vector_tl.nets.ssd import VectorSSD
from vector_tl.nets.state_dict import load_tensors
from vector_tl.train.average import Average
from vector_tl.train.batches import Batches
from vector_tl.train.curve import COLUMNS, Row, with_new_names
from vector_tl.train.settings import TrainSettings

REMEDY = "remove it and start again with --overwrite"
INIT, CONTENTS = "--init", "--contents of init"
# of the first values of `training_identity`
OPTIONS = (
    INIT, "--arch", "--seed", "--steps or --epochs", "--batch-size", "--lr", "--ema", "--images",
    "--evaluations", "--data",
)  # fmt: skip


class _Best(TypedDict):
    step: Count
    ap50: Share | None
    ap50_95: Share | None


class _Average(TypedDict, total=False):
    updates: Count
    network: dict[str, Tensor]


class _Moments(TypedDict):
    """Of AdamW, for one parameter."""

    step: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


class _Optimizer(TypedDict):
    state: dict[int, _Moments]


class _Saved(TypedDict):
    identity: str
    step: Count
    curve: list[dict[str, Any]]
    best: _Best | None
    losses: list[float]
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    model: dict[str, Tensor]
    average: _Average
    optimizer: _Optimizer
    batches: str
    bfloat16: NotRequired[bool]  # not in files from before it was measured


@dataclass
class _Whirl:
    """The numbers of NumPy's PCG64."""

    state: Annotated[int, Meta(ge=0)]
    inc: Annotated[int, Meta(ge=0)]

    def __post_init__(self) -> None:
        if max(self.state, self.inc) >= 2**128:
            raise ValueError("number of more than 128 bits")


class _Generator(TypedDict):
    bit_generator: Literal["PCG64"]
    state: _Whirl
    has_uint32: Annotated[int, Meta(ge=0, le=1)]
    uinteger: Annotated[int, Meta(ge=0, lt=2**32)]


class _Batches(TypedDict):
    rng: _Generator
    variety_rng: NotRequired[_Generator]  # not in files from before there was any
    order: list[Count]


_OfRanks = Annotated[list[_Batches], Meta(min_length=1)]


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
        bfloat16: whether its convolutions are in bfloat16.
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
    bfloat16: bool = False

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
                "bfloat16": self.bfloat16,
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
        saved = check_form(load_tensors(path, REMEDY), _Saved, str(path), REMEDY)
        identity = parse_json(saved["identity"], list[Any], f"{path}, key 'identity',", REMEDY)
        if other := differences(identity, json.loads(self.identity)):
            raise UserError(
                f"{path} belongs to a training with other settings or data: another {', '.join(other)}; "
                "use the same ones, or --overwrite without --resume."
            )
        where = f"{path}, key 'batches',"
        batches_states = parse_json(saved["batches"], _OfRanks, where, REMEDY)
        if len(batches_states) != world:
            raise UserError(
                f"{path} belongs to a training with {len(batches_states)} processes; "
                "start as many, or --overwrite without --resume."
            )
        curve = [with_new_names(row) for row in saved["curve"]]
        check_form(curve, list[Row], f"{path}, key 'curve',", REMEDY)
        curve = [{name: row[name] for name in COLUMNS} for row in curve]
        self._refuse_other_tensors(path, saved)
        if any(place >= len(self.batches.images) for place in batches_states[rank]["order"]):
            raise UserError(f"{path}, key 'batches', counts more images than there are; {REMEDY}.")
        self.model.load_state_dict(saved["model"])
        self.average.restore(saved["average"])
        # its groups are those of this program; the learning rate is set at every step
        groups = self.optimizer.state_dict()["param_groups"]
        moments = saved["optimizer"]["state"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.batches.restore(batches_states[rank])
        self.step, self.best, self.losses = saved["step"], saved["best"], saved["losses"]
        self.curve, self.spent_s = curve, saved["seconds"]
        self.bfloat16 = saved.get("bfloat16", self.bfloat16)

    def _refuse_other_tensors(self, path: Path, saved: _Saved) -> None:
        """Raise `UserError` where a tensor is missing, or of another shape than the training's own."""
        own = self.average.state()
        if own.keys() != saved["average"].keys():
            raise UserError(
                f"{path}, key 'average', holds no mean of the weights, or one too many; {REMEDY}."
            )
        networks = [("model", self.model.state_dict(), saved["model"])]
        networks += [("average", own["network"], saved["average"]["network"])] if own else []
        parameters = [values for group in self.optimizer.param_groups for values in group["params"]]
        for number, moments in saved["optimizer"]["state"].items():
            shape = parameters[number].shape if 0 <= number < len(parameters) else None
            same = moments["exp_avg"].shape == moments["exp_avg_sq"].shape == shape
            if not same or moments["step"].numel() != 1:
                raise UserError(
                    f"{path}, key 'optimizer', holds moments of another parameter, at {number}; {REMEDY}."
                )
        for key, ours, theirs in networks:
            shapes = [{name: values.shape for name, values in each.items()} for each in (ours, theirs)]
            if odd := other_tensor(*shapes):
                raise UserError(f"{path}, key {key!r}, lacks the tensor {odd} or has an odd one; {REMEDY}.")


def training_identity(settings: TrainSettings, steps: int) -> str:
    """What must be the same for a training to be resumed: all that changes its learning curve.

    Of a model to fine-tune its contents count, wherever it lies.
    """
    own = [settings.init, settings.arch, settings.seed, steps, settings.batch_size, settings.learning_rate]
    own += [settings.ema, settings.images, settings.evaluations, digest(settings.data)]
    backgrounds = [str(folder) for folder in settings.backgrounds] or ["None"]
    own += [*backgrounds, settings.background_share, str(settings.negatives)]
    # nothing where no such option is used: files from before there were any can still be resumed
    named: dict[str, Any] = dict(settings.variety.changed())
    if settings.init not in ("coco", "scratch"):
        named[CONTENTS] = hashlib.sha256(resolve(settings.init).read_bytes()).hexdigest()
    own += [named] if named else []
    own += [settings.max_decoded] if settings.max_decoded != TrainSettings.max_decoded else []
    return json.dumps(own)


def differences(one: list[Any], other: list[Any]) -> list[str]:
    """The options by which two identities differ."""
    before, now = _by_option(one), _by_option(other)
    both = CONTENTS in before and CONTENTS in now  # files of earlier versions know a model by its path alone
    of_no_matter = INIT if both else CONTENTS
    names = [name for name in {**now, **before} if name != of_no_matter]
    return [INIT if name == CONTENTS else name for name in names if before.get(name) != now.get(name)]


def _by_option(identity: list[Any]) -> dict[str, Any]:
    """The values of `training_identity` by their options."""
    rest = identity[len(OPTIONS) :]
    folders = list(takewhile(lambda value: isinstance(value, str), rest))
    fixed, more = rest[len(folders) : len(folders) + 2], rest[len(folders) + 2 :]
    named = {"--backgrounds": folders} | dict(zip(("--background-share", "--negatives"), fixed, strict=False))
    for value in more:
        named |= value if isinstance(value, dict) else {"--max-decoded": value}
    return dict(zip(OPTIONS, identity, strict=False)) | {
        name if name.startswith("-") else f"--{name.replace('_', '-')}": value
        for name, value in named.items()
    }
