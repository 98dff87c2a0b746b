"""Settings of `vector-tl compare`."""

import ast
import shlex
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from vector_tl.errors import UsageError

NOT_NOTED = ("out", "threads", "page_only")  # of no matter to an experiment
MAY_CHANGE = (
    *NOT_NOTED,
    "data",
    "device",
    "seeds",
    "sizes",
)  # between one start and the next; of the data its digest counts, not its place


@dataclass(frozen=True)
class CompareSettings:
    """Train from COCO and from scratch alike, over seeds and amounts of images, and write a page with the answer.

    Example: vector-tl compare --data data --out runs/compare --seeds 3
    """

    data: Path
    """Dataset folder with train, val and test sessions."""
    out: Path
    """Folder of the experiment: its runs, results.json and index.html. What is finished there is not run again."""
    arch: str = "ssd300_mobilenet_v1"
    """ssd300_mobilenet_v1 or ssdlite320_mobilenet_v3_large."""
    seeds: int = 3
    """Trainings of each kind: other weights, order and draw of images."""
    sizes: tuple[str, ...] = ("25", "70", "200", "400", "all")
    """Amounts of training images."""
    seen: int = 7680
    """Images seen by each training: the same for both arms and all amounts."""
    most_seen: int = 40000
    """Images seen where both arms are trained until they stop gaining (0: leave that part out)."""
    lrs: tuple[float, ...] = (4e-4, 8e-4, 1.6e-3)
    """Learning rates to choose from, for each arm by its AP50-95 on the val sessions after a quarter of --seen, or by the training loss where that has
    hardly begun. Where the best is the lowest or highest, up to two beyond it are tried, too."""
    batch_size: int = 16
    """Images in a batch."""
    evaluations: int = 16
    """Points of each learning curve."""
    backgrounds: Path | None = None
    """Photographs without a Vector, trained on by both arms."""
    real: Path | None = None
    """Real labelled images (all splits): measured, never trained on and never chosen by."""
    negatives: Path | None = None
    """Real images without a Vector that choose the threshold of both arms."""
    test_negatives: Path | None = None
    """Other real images without a Vector, on which false alarms are counted."""
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
            raise UsageError(
                f"--sizes takes numbers of images and the word all, not {' '.join(wrong) or 'nothing'}."
            )
        if self.seeds < 1 or self.seen < self.batch_size or (self.most_seen and self.most_seen < self.seen):
            raise UsageError(
                "--seeds must be at least 1, --seen at least a batch, and --most-seen 0 or at least --seen."
            )
        if not self.lrs or not all(0 < lr < 1 for lr in self.lrs):
            raise UsageError("--lrs takes at least one learning rate between 0 and 1.")
        if self.batch_size < 2 or self.evaluations < 4 or (self.threads is not None and self.threads < 1):
            raise UsageError(
                "--batch-size must be at least 2, --evaluations at least 4 (else nothing shows whether a training was still rising), --threads 1."
            )
        if self.device.split(":")[0] not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device is cpu, cuda or auto, not {self.device}.")
        for name in ("real", "test_negatives"):
            for other in ("data", "backgrounds", "negatives"):
                own, theirs = (
                    path and path.resolve() for path in (getattr(self, name), getattr(self, other))
                )
                if own and theirs and (own.is_relative_to(theirs) or theirs.is_relative_to(own)):
                    option, used = (f"--{word.replace('_', '-')}" for word in (name, other))
                    raise UsageError(
                        f"{option} {own} is part of {used} or holds it; what is only measured must neither be trained on nor choose."
                    )
        from vector_tl.nets.archs import ARCHS

        if self.arch not in ARCHS:
            raise UsageError(f"There is no network {self.arch!r}; choose one of {', '.join(ARCHS)}.")


def noted(settings: CompareSettings) -> dict[str, str]:
    """What experiment.json says of an experiment; one folder has one name, from wherever it was called."""
    own = {key: value for key, value in asdict(settings).items() if key not in NOT_NOTED}
    return {key: str(value.resolve() if isinstance(value, Path) else value) for key, value in own.items()}


def changed(settings: CompareSettings, before: dict[str, str]) -> list[str]:
    """The settings that make another experiment of the one that experiment.json tells of."""
    own = {key: value for key, value in noted(settings).items() if key not in MAY_CHANGE}
    if "0" in (own["most_seen"], before.get("most_seen")):
        del own["most_seen"]  # the longer trainings may come later, or be left out
    paths = {field.name for field in fields(settings) if field.type in (Path, Path | None)}
    there = {
        key: str(Path(text).resolve()) if key in paths and text != "None" else text
        for key, text in before.items()
    }
    return [key for key in own if there.get(key) != own[key]]


def recalled(settings: CompareSettings, before: dict[str, str]) -> CompareSettings:
    """The same, with what experiment.json tells in place of what is at its default."""
    there = {}
    for key, default in _defaults().items():
        if key in before and key not in NOT_NOTED and getattr(settings, key) == default:
            text = before[key]
            there[key] = (
                None
                if text == "None"
                else Path(text)
                if default is None
                else text
                if isinstance(default, str)
                else ast.literal_eval(text)
            )
    return replace(settings, **there)


def command(settings: CompareSettings) -> str:
    """What to type for the same experiment: every setting that is not at its default, but for --page-only, which would train nothing."""
    words = ["vector-tl", "compare"]
    for key, value in asdict(settings).items():
        if key != "page_only" and value != _defaults().get(key):
            words += [
                f"--{key.replace('_', '-')}",
                *map(str, value if isinstance(value, tuple) else (value,)),
            ]
    return shlex.join(words)


def _defaults() -> dict:
    """Of the settings that have one."""
    return {
        field.name: field.default for field in fields(CompareSettings) if field.name not in ("data", "out")
    }
