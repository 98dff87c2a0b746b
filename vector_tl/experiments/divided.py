"""The trainings of a comparison, divided among processes here or the machines of a cluster.

A process here trains in the experiment's folder, where a stopped training is resumed. A machine of a cluster
trains in a folder of its own, and what it made comes back as bytes: no disk is shared. Either way this
computer holds the lock file of each training meanwhile, as a `compare` without workers does.
"""

import functools
import logging
import os
import platform
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vector_tl.data.dataset import digest
from vector_tl.errors import UserError
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.comparison_data import ComparisonData, gather
from vector_tl.experiments.runs import Training
from vector_tl.experiments.training_runs import finish, result_path
from vector_tl.files import claimed, write_atomic
from vector_tl.jobs.run import as_done
from vector_tl.jobs.where import Where
from vector_tl.nets.devices import cpu_threads
from vector_tl.train.settings import absolute

log = logging.getLogger(__name__)
RESULT = "result.json"


@dataclass(frozen=True)
class Job:
    """A training, for another process; `digest` is that of the dataset that is meant."""

    training: Training
    settings: CompareSettings
    digest: str


def divide(trainings: Iterable[Training], settings: CompareSettings) -> None:
    """Finish what is missing of the trainings and what nobody else is at.

    Raises:
        UserError: a training fails, no cluster answers, or one of its machines has other data.
    """
    with ExitStack() as claims:
        ours = [
            training
            for training in trainings
            if not (path := result_path(settings, training)).exists()
            and claims.enter_context(claimed(path.with_name("claim")))
        ]
        away = settings.cluster is not None
        alike, data = for_another_process(settings), digest(settings.data)
        where = Where(settings.workers, settings.cluster, alike.threads or 1, settings.device)
        jobs = [Job(training, alike, data) for training in ours]
        for done, (number, made) in enumerate(as_done(finish_away if away else finish_here, jobs, where), 1):
            folder = result_path(settings, ours[number]).parent
            for name in sorted(made, key=lambda name: name == RESULT):  # by which a training is finished
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                write_atomic(folder / name, made[name])
            log.info("%d of %d: %s is finished", done, len(ours), ours[number].name)


def for_another_process(settings: CompareSettings) -> CompareSettings:
    """The same settings for a process that was started elsewhere and shares the cores with others."""
    paths: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Path):
            paths[field.name] = value.resolve()
        elif isinstance(value, tuple) and value and isinstance(value[0], Path):
            paths[field.name] = absolute(value)
    threads = settings.threads or (1 if settings.cluster else max(1, cpu_threads() // settings.workers))
    return replace(settings, **paths, workers=1, cluster=None, threads=threads)


def finish_here(job: Job) -> dict[str, bytes]:
    """Finish a training in the experiment's folder, where nothing is left to write."""
    os.environ["TERM"] = "dumb"  # several lines of progress would overwrite each other
    finish(job.training, job.settings, _material(job.settings))
    return {}


def finish_away(job: Job) -> dict[str, bytes]:
    """Finish a training in a temporary folder; the content of each file there, by its name.

    Raises:
        UserError: this machine has not the data that are meant.
    """
    os.environ["TERM"] = "dumb"
    data = job.settings.data
    if digest(data) != job.digest:
        raise UserError(
            f"{platform.node()}: {data} is missing or holds other labels than here; copy the folder to "
            "every machine of the cluster, to the same place."
        )
    with tempfile.TemporaryDirectory(prefix="vector-tl-") as place:
        settings = replace(job.settings, out=Path(place))
        folder = result_path(settings, job.training).parent
        folder.mkdir(parents=True)
        finish(job.training, settings, _material(job.settings))
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@functools.lru_cache(maxsize=1)
def _material(settings: CompareSettings) -> ComparisonData:
    """Read once by a process that does several jobs."""
    return gather(settings)
