"""Settings of `vector-tl compare`."""

from dataclasses import dataclass
from pathlib import Path

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class CompareSettings:
    """Train from COCO and from scratch alike, over seeds and amounts of pictures, and write a page with the answer.

    Example: vector-tl compare --data data --out runs/compare --seeds 3
    """

    data: Path
    """Data set folder with train, val and test sessions."""
    out: Path
    """Folder of the experiment: its runs, results.json and index.html. What is finished there is not run again."""
    arch: str = "ssd300_mobilenet_v1"
    """ssd300_mobilenet_v1 or ssdlite320_mobilenet_v3_large."""
    seeds: int = 3
    """Trainings of each kind: other weights, order and draw of pictures."""
    sizes: tuple[str, ...] = ("25", "70", "200", "400", "all")
    """Amounts of training pictures."""
    seen: int = 7680
    """Pictures seen by each training: the same for both arms and all amounts."""
    most_seen: int = 40000
    """Pictures seen where both arms are trained until they stop gaining (0: leave that part out)."""
    lrs: tuple[float, ...] = (4e-4, 8e-4, 1.6e-3)
    """Learning rates to choose from, for each arm by its AP50-95 on the val sessions after a quarter of --seen."""
    batch_size: int = 16
    """Pictures in a batch."""
    evaluations: int = 16
    """Points of each learning curve."""
    backgrounds: Path | None = None
    """Photographs without a Vector, trained on by both arms."""
    real: Path | None = None
    """Real labelled pictures (all splits): measured, never trained on and never chosen by."""
    negatives: Path | None = None
    """Real pictures without a Vector that choose the threshold of both arms."""
    test_negatives: Path | None = None
    """Other real pictures without a Vector, on which false alarms are counted."""
    coco: Path | None = None
    """TensorFlow's COCO weights: detect.tflite or its folder."""
    device: str = "auto"
    """cpu, cuda or auto."""
    threads: int | None = None
    """CPU threads; all when not given."""
    page_only: bool = False
    """Train nothing; write the page of what is finished."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        wrong = [size for size in self.sizes if size != "all" and not (size.isdigit() and int(size) > 0)]
        if wrong or not self.sizes:
            raise UsageError(f"--sizes takes numbers of pictures and the word all, not {' '.join(wrong) or 'nothing'}.")
        if self.seeds < 1 or self.seen < self.batch_size or (self.most_seen and self.most_seen < self.seen):
            raise UsageError("--seeds must be at least 1, --seen at least a batch, and --most-seen 0 or at least --seen.")
        if not self.lrs or not all(0 < lr < 1 for lr in self.lrs):
            raise UsageError("--lrs takes at least one learning rate between 0 and 1.")
