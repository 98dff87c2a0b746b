"""`evaluate --workers` and `--cluster`: a part of the images for each process or machine."""

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from vector_tl.data.dataset import Dataset, Item
from vector_tl.detect.detector import Detector, load
from vector_tl.detect.interface import ImageDetector
from vector_tl.detect.second_look import SecondLook
from vector_tl.errors import UserError
from vector_tl.evaluate.metrics import Outcome
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.evaluate.recorded import RecordedDataset
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.jobs.run import as_done
from vector_tl.jobs.where import Where
from vector_tl.nets.devices import cpu_threads
from vector_tl.nets.model_file import resolve
from vector_tl.progress import Progress

PART = 250  # images: some seconds of work, so that starting a process or losing one costs little


@dataclass(frozen=True)
class How:
    """A detector as another process makes it; `digest` is that of the model's file."""

    model: Path
    digest: str
    device: str
    precision: str
    tiles: bool
    threads: int


@dataclass(frozen=True)
class Part:
    """Some of the images, with their ground truth."""

    how: How
    items: list[Item]


def run_divided(
    settings: EvaluateSettings, once: Detector, dataset: Dataset | RecordedDataset
) -> list[Outcome]:
    """As `run_detector`, by others. All compute in the precision of `once`.

    Raises:
        UserError: an image cannot be read, or a machine of the cluster has another model.
    """
    model = resolve(settings.model).resolve()
    threads = 1 if settings.cluster else max(1, cpu_threads() // settings.workers)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    how = How(model, digest, settings.device, once.precision, settings.tiles, threads)
    items = [replace(item, image_path=item.image_path.resolve()) for item in dataset.items]
    parts = [Part(how, items[at : at + PART]) for at in range(0, len(items), PART)]
    where = Where(settings.workers, settings.cluster, threads, settings.device)
    found: dict[int, list[Outcome]] = {}
    with Progress("evaluate", len(items)) as progress:
        for number, outcomes in as_done(look_at, parts, where):
            found[number] = outcomes
            progress.advance(len(outcomes))
    return [outcome for number in range(len(parts)) for outcome in found[number]]


def look_at(part: Part) -> list[Outcome]:
    """What the model finds in a part of the images."""
    return run_detector(_detector(part.how), Dataset(Path(), "a part", part.items, 0))


@functools.lru_cache(maxsize=1)
def _detector(how: How) -> ImageDetector:
    """Made once by a process that looks at several parts."""
    if hashlib.sha256(how.model.read_bytes()).hexdigest() != how.digest:
        raise UserError(f"{how.model} is another model on one of the machines; copy it to all of them.")
    once = load(how.model, how.device, threads=how.threads, precision=how.precision, side_by_side=True)
    return SecondLook(once) if how.tiles else once
