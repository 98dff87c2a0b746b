"""Keys in the terminal that `vector-tl find` runs in. Ctrl-C works as ever."""

import contextlib
import os
import re
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator

from vector_tl.find.live.board import Board

HELP = "keys: Space or q stop at once, p pause, Enter go on"
SEQUENCE = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]")  # what arrows and the like send; Escape alone is a key


@contextlib.contextmanager
def keys(live: Board) -> Iterator[None]:
    """Take keys until the block ends, where standard input is a terminal and ours."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty() or not _in_front(sys.stdin.fileno()):
        yield
        return
    handle, ended = sys.stdin.fileno(), threading.Event()
    before = termios.tcgetattr(handle)
    thread = threading.Thread(target=_read, args=(live, handle, ended), name="keys", daemon=True)
    try:
        tty.setcbreak(handle)  # each key at once and not shown; Ctrl-C and Ctrl-Z stay what they are
        print(HELP, file=sys.stderr, flush=True)
        thread.start()
        yield
    finally:
        ended.set()
        thread.join(1.0)
        if _in_front(handle):
            termios.tcsetattr(handle, termios.TCSADRAIN, before)


def action(data: bytes, state: str) -> str | None:
    """What keys mean, the strongest first."""
    pressed = SEQUENCE.sub(b"", data).lower()
    if any(key in pressed for key in (b" ", b"q", b"\x1b")):
        return "stop"
    if b"p" in pressed:
        return "pause" if state == "running" else "start"
    return "start" if b"\n" in pressed or b"\r" in pressed else None


def _read(live: Board, handle: int, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            if not select.select([handle], [], [], 0.1)[0] or not _in_front(handle):
                ended.wait(0.02)
                continue
            data = os.read(handle, 64)
        except OSError:  # the terminal is gone
            return
        if not data:
            return
        if meant := action(data, live.state):
            live.press(meant)


def _in_front(handle: int) -> bool:
    """Whether the terminal listens to us: in the background, reading it or setting it up would freeze the program."""
    try:
        return os.tcgetpgrp(handle) == os.getpgrp()
    except OSError:  # not our controlling terminal: it freezes nobody
        return True
