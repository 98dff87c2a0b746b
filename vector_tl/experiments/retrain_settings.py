"""Settings of `vector-tl retrain`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class RetrainSettings:
    """Fine-tune a model on new and old sessions, and write a page: before, after, and from COCO.

    Example: vector-tl retrain transfer --data data --out runs/retrain
    """

    model: Positional[Annotated[str, arg(metavar="MODEL")]]
    """The model to fine-tune: a file, or a name in models/."""
    data: Path
    """Dataset folder with old and new sessions."""
    out: Path
    """Folder for after.safetensors, coco.safetensors, results.json and index.html. What is finished there is
    not trained again."""
    new: tuple[str, ...] = ()
    """Names of the new sessions; when not given, those added since the model was trained."""
    epochs: float = 10
    """Passes over all training images, for both trainings."""
    lr: float = 4e-4
    """Peak learning rate of the fine-tuning: lower than from COCO, so that less is forgotten."""
    coco_lr: float = 8e-4
    """Peak learning rate of the training from COCO."""
    batch_size: int = 16
    """Images in a batch."""
    seed: int = 0
    """Seed of order and augmentation."""
    backgrounds: Path | None = None
    """Photographs without a Vector that are trained on beside the dataset."""
    negatives: Path | None = None
    """Images without a Vector by which the confidence thresholds are chosen."""
    coco: Path | None = None
    """TensorFlow's COCO weights: detect.tflite or its folder."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""
    threads: int | None = None
    """CPU threads; all when not given."""
