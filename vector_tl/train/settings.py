"""Settings of `vector-tl train`."""

from dataclasses import dataclass, replace
from pathlib import Path

LR_TRAINED, LR_RANDOM = (
    8e-4,
    6.4e-3,
)  # random weights gain far more at a high rate: docs/training.md, "Pretrained on COCO against from scratch"


@dataclass(frozen=True)
class TrainSettings:
    """Train a detector on the train sessions of a dataset, keeping the best by AP50-95 on its val sessions.

    Example: vector-tl train --data data --init coco --out models/mine.safetensors --epochs 20
    """

    data: Path
    """Dataset folder."""
    out: Path
    """Model file to write; beside it a .csv of the learning curve."""
    init: str = "coco"
    """coco, scratch, a model (name or path) to go on from, or a torchvision state dict (.pt, .pth) of the same network with any classes."""
    arch: str = "ssd300_mobilenet_v1"
    """ssd300_mobilenet_v1 or ssdlite320_mobilenet_v3_large."""
    epochs: float | None = None
    """Passes over the training images, backgrounds not counted (20 when neither --epochs nor --steps is given)."""
    steps: int | None = None
    """Batches to train on, instead of --epochs."""
    images: int | None = None
    """Train on only so many of the training images, drawn by --seed; a smaller draw is part of a larger one."""
    seed: int = 0
    """Of random weights, order of images, and augmentation: same seed, same curve on the same machine's CPU."""
    device: str = "auto"
    """cpu, cuda or auto."""
    resume: bool = False
    """Go on where a stopped training of the same --out was."""
    overwrite: bool = False
    """Replace --out if it is there already."""
    coco: Path | None = None
    """TensorFlow's COCO weights: detect.tflite or its folder."""
    backgrounds: Path | None = None
    """Folder of photographs without a Vector, trained on beside the dataset; every tenth only helps choose the threshold."""
    background_share: float = 0.125
    """Share of a batch that comes from --backgrounds."""
    negatives: Path | None = None
    """Folder of images without a Vector that are not trained on: the threshold is raised until hardly any gives a false alarm."""
    tensorboard: Path | None = None
    """Folder for TensorBoard: loss, learning rate and AP go to a run below it, named after --out."""
    batch_size: int = 16
    """Images in a batch."""
    lr: float | None = None
    """Peak learning rate of AdamW for a batch of 16; scaled with the batch's size. When not given, .0064 from scratch, .0008 from trained weights."""
    ema: float = 0.0
    """Measure and keep the running mean of the weights with this decay, such as 0.99; 0: those of the step itself, as good at the end of the cosine."""
    evaluations: int = 10
    """How often the val sessions are measured."""
    threads: int | None = None
    """CPU threads; all when not given."""

    def with_rate(self) -> "TrainSettings":
        """The same with the learning rate that serves their start, where none was given."""
        return (
            self
            if self.lr is not None
            else replace(self, lr=LR_RANDOM if self.init == "scratch" else LR_TRAINED)
        )
