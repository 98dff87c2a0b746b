"""Settings of `vector-tl compare`."""

from dataclasses import dataclass
from pathlib import Path

from vector_tl.errors import UsageError
from vector_tl.jobs.settings import WorkOptions
from vector_tl.nets.archs import ARCHS
from vector_tl.train.settings import TrainingOptions


@dataclass(frozen=True)
class CompareSettings(TrainingOptions, WorkOptions):
    """Train from COCO's weights and from scratch alike, and write a page with the answer.

    Example: vector-tl compare --data data --out runs/compare --seeds 3
    """

    data: Path
    """Dataset folder with train, val and test sessions."""
    out: Path
    """Folder of the experiment: its trainings, results.json and index.html. What is finished there is not
    run again."""
    arch: str = "ssd300_mobilenet_v1"
    """ssd300_mobilenet_v1 or ssdlite320_mobilenet_v3_large."""
    seeds: int = 3
    """Repetitions of each training, with other random weights, order and choice of images."""
    sizes: tuple[str, ...] = ("25", "70", "200", "400", "all")
    """Numbers of training images to try, and the word all."""
    images_seen: int = 7680
    """Images that each training sees, counting repetitions: the same for both sides (COCO and scratch) and
    all sizes."""
    max_images_seen: int = 40000
    """Images seen by the longer trainings that show where each side stops improving (0: leave them out)."""
    lrs: tuple[float, ...] = (4e-4, 8e-4, 1.6e-3)
    """Learning rates to try first. By default good ones are tried by themselves; you need not set this. Each
    side gets the one with the best AP50-95 on the validation sessions after a quarter of --images-seen."""
    evaluations: int = 16
    """Points of each learning curve."""
    real: Path | None = None
    """Real labelled images (all splits) to measure both sides on; they are used for measuring only."""
    test_negatives: Path | None = None
    """Other real images without a Vector, on which false positives are counted."""
    page_only: bool = False
    """Train nothing; write the page of what is finished."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        self.check_options()
        self.check_work()
        wrong = [size for size in self.sizes if size != "all" and not (size.isdigit() and int(size) > 0)]
        if wrong or not self.sizes:
            raise UsageError(
                f"--sizes takes numbers of images and the word all, not {' '.join(wrong) or 'nothing'}."
            )
        if self.seeds < 1 or self.images_seen < self.batch_size:
            raise UsageError("--seeds must be at least 1, and --images-seen at least one batch.")
        if self.max_images_seen and self.max_images_seen < self.images_seen:
            raise UsageError("--max-images-seen must be 0, or at least --images-seen.")
        if not self.lrs or not all(0 < lr < 1 for lr in self.lrs):
            raise UsageError("--lrs takes at least one learning rate between 0 and 1.")
        if self.evaluations < 4:
            raise UsageError(
                "--evaluations must be at least 4; fewer do not show whether a training was still rising."
            )
        if self.device.split(":")[0] not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device is cpu, cuda or auto, not {self.device}.")
        self._check_folders_apart()
        if self.arch not in ARCHS:
            raise UsageError(f"There is no network {self.arch!r}; choose one of {', '.join(ARCHS)}.")

    def _check_folders_apart(self) -> None:
        used = [("data", self.data), *(("backgrounds", folder) for folder in self.backgrounds)]
        used += [("negatives", self.negatives)] if self.negatives else []
        for measured in ("real", "test_negatives"):
            for name, folder in used if getattr(self, measured) else ():
                own, theirs = getattr(self, measured).resolve(), folder.resolve()
                if own.is_relative_to(theirs) or theirs.is_relative_to(own):
                    raise UsageError(
                        f"{_option(measured)} {own} and {_option(name)} {theirs} overlap; images to measure "
                        "on must neither be trained on nor used to choose anything."
                    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
