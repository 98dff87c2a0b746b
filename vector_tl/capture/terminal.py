"""The live view in a terminal, on standard error, and its keys. Where there is no terminal, a line in the log now and then."""

import contextlib
import logging
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from vector_tl.capture.live import KEYS, Live, Status

log = logging.getLogger(__name__)
LOG_EVERY_S, REFRESH_PER_S, BAR_WIDTH = 10.0, 5.0, 60
ESCAPES = {"A": "up", "B": "down", "C": "right", "D": "left"}  # after ESC [ or ESC O
HELP = "k keep  x drop  u undo  space pause  q quit   WASD or arrows drive  r/f head"


@contextlib.contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error; gives the function that moves it on by one image."""
    columns = (
        TextColumn("capture"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("capture", total=total, completed=done)
        yield lambda: bar.advance(task)


@contextlib.contextmanager
def terminal(live: Live) -> Iterator[None]:
    """Show `live` on standard error until the block ends, and take keys where standard input is a terminal."""
    ended = threading.Event()
    console = Console(stderr=True)
    work = _draw if console.is_terminal else _log
    threads = [threading.Thread(target=work, args=(live, ended, console), name="terminal view", daemon=True)]
    with _keys_at_once() as handle:
        if handle is not None:
            threads.append(
                threading.Thread(target=_read_keys, args=(live, ended, handle), name="keys", daemon=True)
            )
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(1.0)


def rendered(status: Status) -> Group:
    """The view as rich draws it."""
    head = Text.assemble(
        (f"{status.kept}/{status.goal} ", "bold"), f"images, {status.negatives} without a Vector, {status.seen} frames seen",
        f", camera {status.camera_fps:.1f} fps" if status.camera_fps else "", f"   {status.session}",
    )  # fmt: skip
    table = Table(show_header=False, box=None, pad_edge=False)
    for kind, counts in status.coverage.items():
        lacking = status.lacking.get(kind, ())
        table.add_row(
            Text(kind, style="dim"),
            *(
                Text(f"{name} {count}", style="bold yellow" if name in lacking else "")
                for name, count in counts.items()
            ),
        )
    said = f"  {status.said}" if status.said else ""
    boxes = (
        f"{len(status.boxes_xyxy)} boxes by {status.boxes_by}"
        if status.boxes_by
        else "no model looks: distance and place are unknown"
    )
    done = round(BAR_WIDTH * min(status.kept / max(status.goal, 1), 1.0))
    rows = [head, Text.assemble(("━" * done, "cyan"), ("━" * (BAR_WIDTH - done), "dim")), table]
    rows += [Text(f"So far {status.hint}", style="yellow")] if status.hint else []
    return Group(*rows, Text(f"{status.word or '...'}{said}   ({boxes})"), Text(HELP, style="dim"))


def _draw(live: Live, ended: threading.Event, console: Console) -> None:
    with RichLive(console=console, auto_refresh=False, transient=False) as view:
        while True:
            over = ended.wait(1 / REFRESH_PER_S)
            view.update(rendered(live.look()[0]), refresh=True)
            if over:
                return


def _log(live: Live, ended: threading.Event, _console: Console) -> None:
    while not ended.wait(LOG_EVERY_S):
        status, _ = live.look()
        log.info(
            "%d of %d images, %d frames seen%s",
            status.kept,
            status.goal,
            status.seen,
            f"; so far {status.hint}" if status.hint else "",
        )


@contextlib.contextmanager
def _keys_at_once() -> Iterator[int | None]:
    """Standard input with each key given at once and not shown; None where it is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield None
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle)
        yield handle
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _read_keys(live: Live, ended: threading.Event, handle: int) -> None:
    while not ended.is_set():
        if select.select([handle], [], [], 0.1)[0]:
            data = os.read(handle, 64)
            if not data:
                return
            for key in parse_keys(data.decode(errors="ignore")):
                live.press(KEYS.get(key, ""))


def parse_keys(text: str) -> list[str]:
    """What a terminal sends, as key names: letters in lower case, and up, down, left, right."""
    keys, at = [], 0
    while at < len(text):
        if text[at] == "\x1b" and text[at + 1 : at + 2] in ("[", "O"):
            keys += [ESCAPES[text[at + 2]]] if text[at + 2 : at + 3] in ESCAPES else []
            at += 3
        else:
            keys.append(text[at].lower())
            at += 1
    return keys
