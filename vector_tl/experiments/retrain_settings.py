"""Settings of `vector-tl retrain`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from vector_tl.errors import UsageError
from vector_tl.train.settings import TrainingOptions


@dataclass(frozen=True)
class RetrainSettings(TrainingOptions):
    """Fine-tune a model on new and old sessions, and write a page: before, after, and from COCO.

    Example: vector-tl retrain transfer --data data --out runs/retrain

    Example: vector-tl retrain transfer --data data --sizes 0 25 100 --out runs/home
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
    sizes: tuple[str, ...] = ()
    """How much a few images of one home bring: fine-tune with so many images of the new sessions, such as 25
    100 or the word all, and write a page with a curve for each figure. 0, the model as it was, is always
    among them; nothing is trained from COCO then."""
    epochs: float = 10
    """Passes over all training images, for both trainings."""
    lr: float = 4e-4
    """Peak learning rate of the fine-tuning: lower than from COCO, so that less is forgotten."""
    coco_lr: float = 8e-4
    """Peak learning rate of the training from COCO."""
    seed: int = 0
    """Seed of order and augmentation."""

    def check(self) -> None:
        """Raise `UsageError` for sizes that are no numbers of images."""
        if wrong := [size for size in self.sizes if size != "all" and not size.isdigit()]:
            raise UsageError(f"--sizes takes numbers of images and the word all, not {wrong[0]}.")
        if self.sizes and not any(size == "all" or int(size) for size in self.sizes):
            raise UsageError("--sizes needs a number of images above 0, such as 25, or the word all.")
