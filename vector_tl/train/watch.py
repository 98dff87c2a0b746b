"""What a person sees of a training that runs: a bar or, in a log file, a line for each evaluation; and TensorBoard."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vector_tl.errors import UserError

log = logging.getLogger(__name__)
FLUSH_EVERY_S = 30.0


class Progressing:
    """A bar on standard error with the latest AP and the time left; where that is no terminal, a line in the log for each evaluation."""

    def __init__(self, steps: int, first: int, shown: bool):
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        self._steps, self._first, self._done, self._began_s = steps, first, first, time.monotonic()
        self._lines = shown and not console.is_terminal
        self._bar = Progress(*columns, console=console, disable=not shown or self._lines)
        self._task = self._bar.add_task("training", total=steps, completed=first, note="")

    def __enter__(self) -> Callable[[dict | None, list[dict]], None]:
        self._bar.start()
        return self._advance

    def __exit__(self, *_exc) -> None:
        self._bar.stop()

    def _advance(self, best: dict | None, curve: list[dict]) -> None:
        self._done += 1
        note = (
            f"AP50 {curve[-1]['ap50'] or 0:.3f}  AP50-95 {curve[-1]['ap50_95'] or 0:.3f}  best {best['ap50_95'] or 0:.3f}"
            if curve
            else "first AP to come"
        )
        self._bar.update(self._task, advance=1, note=note)
        if self._lines and curve and curve[-1]["step"] == self._done:
            left_s = (
                (time.monotonic() - self._began_s) / (self._done - self._first) * (self._steps - self._done)
            )
            log.info(
                "step %d of %d  %s  %s left", self._done, self._steps, note, timedelta(seconds=round(left_s))
            )


@contextmanager
def board(folder: Path | None, first: int, replace: bool) -> Iterator[Callable[..., None]]:
    """Notes figures of a step for TensorBoard in `folder`, if there is one; what a resumed training does again replaces what was there.

    Written here and now: a writer with a thread of its own would let the training wait for ever once that thread met a full disk.

    Raises:
        UserError: the folder cannot be written to at the start, or holds figures of another training that is not to be replaced.
            Later, when the disk is full, that is warned of once and the training goes on.
    """
    if folder is None:
        yield lambda step, **figures: None
        return
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.summary import scalar

    try:
        for events in folder.glob("events.out.tfevents.*") if not first else ():  # begun again
            if not replace:
                raise UserError(
                    f"{folder} holds the figures of another training; choose another --tensorboard, or add --overwrite."
                )
            events.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        writer = EventsWriter(str(folder / "events"))
        if first:
            writer.write_event(
                Event(step=first + 1, wall_time=time.time(), session_log=SessionLog(status=SessionLog.START))
            )
        writer.flush()
    except OSError as error:
        raise UserError(
            f"--tensorboard {folder.parent} cannot be written to ({error}); choose another folder."
        ) from error
    flushed_s, broken = time.monotonic(), False

    def note(step: int, **figures: float | None) -> None:
        nonlocal flushed_s, broken
        if broken:
            return
        try:
            for name, value in figures.items():
                if value is not None:
                    writer.write_event(Event(step=step, wall_time=time.time(), summary=scalar(name, value)))
            if time.monotonic() - flushed_s > FLUSH_EVERY_S:
                writer.flush()
                flushed_s = time.monotonic()
        except OSError as error:
            broken = True
            _warn(folder, error)

    try:
        yield note
    finally:
        try:
            writer.close()
        except OSError as error:
            if not broken:
                _warn(folder, error)


def _warn(folder: Path, error: OSError) -> None:
    log.warning(
        "TensorBoard's figures can no longer be written to %s (%s); the training goes on without them.",
        folder,
        error.strerror or error,
    )
