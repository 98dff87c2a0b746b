"""The live view in a terminal, on standard error, and its keys; elsewhere a line in the log now and then."""

import contextlib
import logging
import threading
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vector_tl.capture.board import KEYS, CaptureBoard, Status
from vector_tl.plain import counted
from vector_tl.web.keys import terminal_keys

log = logging.getLogger(__name__)
LOG_EVERY_S, REFRESH_PER_S, BAR_WIDTH = 10.0, 5.0, 60
HELP = "k keep  x drop the last  u undo  space pause  q quit   WASD or arrows drive  r/f head up/down"


@contextlib.contextmanager
def terminal(board: CaptureBoard) -> Iterator[None]:
    """Show `board` on standard error until the block ends, and take keys where there is a terminal."""

    def pressed(names: list[str]) -> None:
        for name in names:
            board.press(KEYS.get(name, ""))

    ended, console = threading.Event(), Console(stderr=True)
    show = _draw_view if console.is_terminal else _log_lines
    thread = threading.Thread(target=show, args=(board, ended, console), name="terminal view", daemon=True)
    with terminal_keys(pressed):
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(1.0)


def rendered(status: Status) -> Group:
    """The view as rich draws it."""
    head = Text.assemble(
        (f"{status.kept}/{status.goal} ", "bold"),
        f"images, {status.negatives} without a Vector, {counted(status.seen, 'frame')} seen",
        f", camera {status.camera_fps:.1f} fps" if status.camera_fps else "",
        f"   {status.session}",
    )
    table = Table(show_header=False, box=None, pad_edge=False)
    for kind, counts in status.coverage.items():
        lacking = status.lacking.get(kind, ())
        cells = [
            Text(f"{name} {count}", style="bold yellow" if name in lacking else "")
            for name, count in counts.items()
        ]
        table.add_row(Text(kind, style="dim"), *cells)
    boxes = "no --model: distance and place in the image are unknown"
    if status.boxes_by:
        boxes = f"{counted(len(status.boxes_xyxy), 'box', 'boxes')} by {status.boxes_by}"
    return Group(
        head,
        ProgressBar(max(status.goal, 1), status.kept, width=BAR_WIDTH),
        table,
        *([Text(status.hint, style="yellow")] if status.hint else []),
        Text(f"{status.verdict or '...'}{status.answer and '  '}{status.answer}   ({boxes})"),
        Text(HELP, style="dim"),
    )


def _draw_view(board: CaptureBoard, ended: threading.Event, console: Console) -> None:
    with Live(console=console, auto_refresh=False, transient=False) as view:
        while True:
            over = ended.wait(1 / REFRESH_PER_S)
            view.update(rendered(board.look()[0]), refresh=True)
            if over:
                return


def _log_lines(board: CaptureBoard, ended: threading.Event, _console: Console) -> None:
    while not ended.wait(LOG_EVERY_S):
        status, _ = board.look()
        hint = f". {status.hint}" if status.hint else ""
        seen = counted(status.seen, "frame")
        log.info("%d of %s, %s seen%s", status.kept, counted(status.goal, "image"), seen, hint)
