"""Keys in the terminal, each as it is pressed, while a command runs. Ctrl-C and Ctrl-Z work as ever."""

import contextlib
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

termios: ModuleType | None
tty: ModuleType | None
try:
    import termios
    import tty
except ImportError:  # Windows
    termios = tty = None

ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
TOKEN = re.compile(
    rb"\x1b[\[O][0-9;]*([A-Za-z~])|(\x1b)|([\r\n])|([^\x1b\r\n]+)"
)  # what arrows and the like send; Escape alone; Enter; the rest
POLL_S, PAUSE_S, END_S = 0.1, 0.02, 1.0


@contextlib.contextmanager
def terminal_keys(pressed: Callable[[list[str]], None], help: str = "") -> Iterator[None]:
    """Call `pressed` with the names of keys, see `parse_keys`, until the block ends.

    Nothing happens where standard input is not a terminal, or not ours, or on Windows. Keys are not shown
    meanwhile; the terminal is as it was when the block ends.

    Args:
        pressed: called in a thread of its own with what was pressed since the call before.
        help: a line on standard error that says which keys there are.
    """
    if termios is None or tty is None or not _has_keys():
        yield
        return
    handle, ended = sys.stdin.fileno(), threading.Event()
    before = termios.tcgetattr(handle)
    thread = threading.Thread(target=_read, args=(pressed, handle, ended), name="keys", daemon=True)
    try:
        tty.setcbreak(handle)  # each key at once and not shown
        if help:
            print(help, file=sys.stderr, flush=True)
        thread.start()
        yield
    finally:
        ended.set()
        thread.join(END_S)
        if _in_front(handle):
            termios.tcsetattr(handle, termios.TCSADRAIN, before)


def enter_pressed() -> bool:
    """Ask for Enter before something begins; whether it was pressed, and nothing else was typed before it."""
    print("Press Enter to begin, or anything else and Enter to leave it.", file=sys.stderr, flush=True)
    return sys.stdin.readline() == "\n"


def parse_keys(data: bytes) -> list[str]:
    """What a terminal sends, as names of keys.

    Letters come in lower case; the others are `up`, `down`, `left`, `right`, `enter`, `escape`. Other keys
    with a sequence of their own are left out.
    """
    keys: list[str] = []
    for match in TOKEN.finditer(data):
        end, escape, enter, text = match.groups()
        if end in ARROWS:
            keys.append(ARROWS[end])
        elif escape or enter:
            keys.append("escape" if escape else "enter")
        elif text:
            keys += text.decode(errors="ignore").lower()
    return keys


def _read(pressed: Callable[[list[str]], None], handle: int, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            if not select.select([handle], [], [], POLL_S)[0] or not _in_front(handle):
                ended.wait(PAUSE_S)
                continue
            data = os.read(handle, 64)
        except OSError:  # the terminal is gone
            return
        if not data:
            return
        if keys := parse_keys(data):
            pressed(keys)


def _has_keys() -> bool:
    listens = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    return listens and _in_front(sys.stdin.fileno())


def _in_front(handle: int) -> bool:
    """Whether the terminal listens to us: in the background, reading it or setting it up would freeze us."""
    try:
        return os.tcgetpgrp(handle) == os.getpgrp()
    except OSError:  # not our controlling terminal: it freezes nobody
        return True
