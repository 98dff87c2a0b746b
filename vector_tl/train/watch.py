"""What a person sees of a training: a line of progress, or lines in a log file; and TensorBoard."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vector_tl.errors import UserError
from vector_tl.plain import rewrites_lines
from vector_tl.progress import Progress, in_words

log = logging.getLogger(__name__)
FLUSH_EVERY_S = 30.0


class Progressing:
    """A line on standard error with the time left and the latest AP.

    Where standard error is no terminal, the log gets a line for each evaluation instead.

    Args:
        steps: of the whole training.
        first: how many of them are done already.
        shown: whether anything is shown at all.
    """

    def __init__(self, steps: int, first: int, shown: bool):
        self._steps, self._first, self._done, self._began_s = steps, first, first, time.monotonic()
        self._lines = shown and not rewrites_lines()
        self._line = Progress("train", steps, "steps", first) if shown and not self._lines else None

    def __enter__(self) -> Callable[[dict[str, Any] | None, list[dict[str, Any]]], None]:
        """What to call after each step, with the best evaluation so far and the learning curve."""
        return self._advance

    def __exit__(self, *_exc: object) -> None:
        if self._line is not None:
            self._line.__exit__()

    def _advance(self, best: dict[str, Any] | None, curve: list[dict[str, Any]]) -> None:
        self._done += 1
        note = "not evaluated yet"
        if best and curve:
            note = (
                f"AP50 {curve[-1]['ap50'] or 0:.3f}  AP50-95 {curve[-1]['ap50_95'] or 0:.3f}  "
                f"best {best['ap50_95'] or 0:.3f}"
            )
        if self._line is not None:
            self._line.advance(note=note)
        if self._lines and curve and curve[-1]["step"] == self._done:
            spent_s, steps_here = time.monotonic() - self._began_s, self._done - self._first
            left = in_words(spent_s / steps_here * (self._steps - self._done))
            log.info("step %d of %d  %s  %s left", self._done, self._steps, note, left)


@contextmanager
def board(folder: Path | None, first: int, replace: bool) -> Iterator[Callable[..., None]]:
    """Give a function that notes figures of a step for TensorBoard; without a folder it does nothing.

    What a resumed training does again replaces what was there. Figures are written here and now: a writer
    with a thread of its own would let the training wait for ever once that thread met a full disk.

    Args:
        folder: for the figures.
        first: how many steps are done already.
        replace: whether figures of another training in the folder may be removed.

    Raises:
        UserError: the folder cannot be written to at the start, or holds figures of another training that is
            not to be replaced. Later, when the disk is full, there is one warning and the training continues.
    """
    if folder is None:
        yield lambda step, **figures: None
        return
    from tensorboardX.proto.event_pb2 import Event  # slow to import, and rarely asked for
    from tensorboardX.summary import scalar

    writer = _open_board(folder, first, replace)
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


def _open_board(folder: Path, first: int, replace: bool) -> Any:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    try:
        for events in folder.glob("events.out.tfevents.*") if not first else ():
            if not replace:
                raise UserError(
                    f"{folder} holds the figures of another training; "
                    "choose another --tensorboard, or add --overwrite."
                )
            events.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        writer = EventsWriter(str(folder / "events"))
        if first:
            start = SessionLog(status=SessionLog.START)
            writer.write_event(Event(step=first + 1, wall_time=time.time(), session_log=start))
        writer.flush()
    except OSError as error:
        raise UserError(
            f"--tensorboard {folder.parent} cannot be written to ({error}); choose another folder."
        ) from error
    return writer


def _warn(folder: Path, error: OSError) -> None:
    log.warning(
        "TensorBoard's figures can no longer be written to %s (%s); the training continues without them.",
        folder,
        error.strerror or error,
    )
