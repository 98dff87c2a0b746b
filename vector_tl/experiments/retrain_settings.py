"""Settings of `vector-tl retrain`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class RetrainSettings:
    """Train on with new sessions, old ones beside them, and write a page: before, after, and from COCO on everything.

    Example: vector-tl retrain transfer --data data --out runs/retrain
    """

    model: Positional[Annotated[str, arg(metavar="MODEL")]]
    """The own model to go on from: a file, or a name in models/."""
    data: Path
    """Dataset folder with old and new sessions."""
    out: Path
    """Folder for after.safetensors, coco.safetensors, results.json and index.html. What is finished there is not trained again."""
    new: tuple[str, ...] = ()
    """Names of the new sessions; when not given, those that were not there when the model was trained."""
    epochs: float = 10
    """Passes over all training images, for both."""
    lr: float = 4e-4
    """Peak learning rate from the model: lower than from COCO, so that less is forgotten."""
    coco_lr: float = 8e-4
    """Peak learning rate from COCO."""
    batch_size: int = 16
    """Images in a batch."""
    seed: int = 0
    """Of order and augmentation."""
    backgrounds: Path | None = None
    """Photographs without a Vector, trained on beside the dataset."""
    negatives: Path | None = None
    """Images without a Vector that choose the thresholds."""
    coco: Path | None = None
    """TensorFlow's COCO weights: detect.tflite or its folder."""
    device: str = "auto"
    """cpu, cuda or auto."""
    threads: int | None = None
    """CPU threads; all when not given."""
