"""Settings of `vector-tl train`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vector_tl.errors import UsageError, refuse_outside

# random weights gain far more at a high rate: docs/training.md, "Pretrained on COCO against from scratch"
LR_TRAINED, LR_RANDOM = 8e-4, 6.4e-3
MAX_ZOOM_OUT = 2.2
MAX_DECODED = 4000  # images in memory with all their pixels: 2.8 GB


@dataclass(frozen=True, kw_only=True)
class Variety:
    """Options that make training images more various; off unless asked for."""

    paste: float = 0.0
    """Share of the images and backgrounds onto which Vectors of other images are pasted, alone or touching.
    Needs masks: capture --robot sim --masks."""
    mosaic: float = 0.0
    """Share of the dataset's images in a batch that become mosaics: four training images or backgrounds at
    about half their size in one."""
    max_zoom_out: float = MAX_ZOOM_OUT
    """How far images are zoomed out at most: 3.5 makes a Vector 3.5 times smaller."""
    colour_cast: float = 0.0
    """Share of the images with a white balance that is far off."""
    grayscale: float = 0.0
    """Share of the images without colour."""
    cutout: float = 0.0
    """Share of the Vectors that a patch hides in part, up to 40 % of the box."""

    def changed(self) -> dict[str, float]:
        """Those that were asked for."""
        asked = {field.name: getattr(self, field.name) for field in fields(Variety)}
        return {name: value for name, value in asked.items() if value != getattr(Variety, name)}


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(Variety):
    """What `train`, `compare` and `retrain` have in common: further images, how they vary, the machine."""

    backgrounds: tuple[Path, ...] = ()
    """Folders of photographs without a Vector to train on as well, drawn evenly over all folders in them
    that hold images; every tenth image is used only to choose the confidence threshold."""
    background_share: float = 0.125
    """Share of a batch that comes from --backgrounds."""
    negatives: Path | None = None
    """Folder of images without a Vector that are not trained on: the confidence threshold is raised until
    they give almost no false alarms."""
    max_decoded: int = MAX_DECODED
    """Images up to so many are kept decoded in memory, 0.7 MB each. More are kept as JPEG, 0.03 MB each,
    and decoded again for every batch."""
    batch_size: int = 16
    """Images in a batch."""
    coco: Path | None = None
    """TensorFlow's COCO weights: detect.tflite or its folder."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""
    threads: int | None = None
    """CPU threads; all when not given."""
    check_precisions: bool = True
    """Leave out the check of a finished model: whether it finds as much on the val sessions in bf16 and int8,
    as far as this CPU has them. Without it the model runs in fp32 only. It takes some seconds, and changes
    nothing else about the model."""

    @property
    def variety(self) -> Variety:
        """The options that make images more various."""
        return Variety(**{field.name: getattr(self, field.name) for field in fields(Variety)})

    def for_training(self) -> dict[str, Any]:
        """These options for the `TrainSettings` of an experiment's training.

        Folders of images are absolute: a training is resumed only with the same ones, wherever it is started.
        """
        options = {field.name: getattr(self, field.name) for field in fields(TrainingOptions)}
        negatives = self.negatives and self.negatives.resolve()
        return options | {"backgrounds": absolute(self.backgrounds), "negatives": negatives}

    def check_options(self) -> None:
        """Raise `UsageError` for one of these options that is out of its range."""
        shares = ("paste", "mosaic", "colour_cast", "grayscale", "cutout")
        for name in shares:
            refuse_outside(f"--{name.replace('_', '-')}", getattr(self, name), 0, 1)
        if not 0 < self.background_share < 1:
            raise UsageError(f"--background-share {self.background_share:g} must lie between 0 and 1.")
        if not 1 <= self.max_zoom_out < math.inf:
            raise UsageError(f"--max-zoom-out {self.max_zoom_out:g} must be 1 or more.")
        if self.max_decoded < 0:
            raise UsageError("--max-decoded must be 0 or more.")
        if self.batch_size < 2:
            raise UsageError(
                f"--batch-size {self.batch_size} is too small; BatchNorm needs at least 2 images."
            )
        if self.threads is not None and self.threads < 1:
            raise UsageError("--threads must be at least 1.")


def absolute(folders: Sequence[Path]) -> tuple[Path, ...]:
    """The same folders, named from the root on."""
    return tuple(folder.resolve() for folder in folders)


@dataclass(frozen=True)
class TrainSettings(TrainingOptions):
    """Train a detector on the train sessions of a dataset; its val sessions choose the model that is kept.

    Example: vector-tl train --data data --init coco --out models/mine.safetensors --epochs 20
    """

    data: Path
    """Dataset folder."""
    out: Path
    """Model file to write; beside it a .csv of the learning curve."""
    init: str = "coco"
    """Initial weights: coco (pretrained), scratch (random), a model to fine-tune (name or path), or a
    file of weights from torchvision (.pt, .pth), of the same network with any classes."""
    arch: str = "ssd300_mobilenet_v1"
    """Network: ssd300_mobilenet_v1 or ssdlite320_mobilenet_v3_large."""
    epochs: float | None = None
    """How often to go through the training images, backgrounds not counted (20 when neither --epochs nor
    --steps is given)."""
    steps: int | None = None
    """Batches to train on, instead of --epochs."""
    images: int | None = None
    """Train on only so many of the training images, chosen at random by --seed; a smaller choice is part of a
    larger one."""
    seed: int = 0
    """For random weights, the order of images and augmentation: the same seed gives the same learning curve
    on the same machine's CPU."""
    resume: bool = False
    """Continue the stopped training of the same --out."""
    overwrite: bool = False
    """Replace --out if it is there already."""
    tensorboard: Path | None = None
    """Folder for TensorBoard: loss, learning rate and AP go into a folder inside it, named after --out."""
    lr: float | None = None
    """Peak learning rate of AdamW for a batch of 16; scaled with the batch's size. When not given, .0064 from
    scratch, .0008 from trained weights."""
    ema: float = 0.0
    """Evaluate and keep the running mean of the weights with this decay, such as 0.99. 0 (off) is as good at
    the end of a training."""
    evaluations: int = 10
    """How often the model is evaluated on the val sessions."""

    @property
    def learning_rate(self) -> float:
        """`lr`, or where none was given the one that serves the initial weights."""
        return self.lr if self.lr is not None else LR_RANDOM if self.init == "scratch" else LR_TRAINED

    @property
    def peak_lr(self) -> float:
        """The highest learning rate of the training: `learning_rate` scaled with the batch's size."""
        return self.learning_rate * self.batch_size / 16

    @property
    def resume_path(self) -> Path:
        """Where a stopped training's state lies."""
        return self.out.with_suffix(".resume")

    @property
    def curve_path(self) -> Path:
        """Where the learning curve lies."""
        return self.out.with_suffix(".csv")
