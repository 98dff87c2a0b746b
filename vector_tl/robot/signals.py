"""Ctrl-C, SIGTERM and a closed terminal: the wheels stop first, then the program ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

STOP_S = 1.0  # how long the program's end waits for the wheels


class Stoppable(Protocol):
    """A robot, as far as it matters here."""

    def stop(self) -> None:
        """Stop the wheels now."""


@contextmanager
def wheels_first(*robots: Stoppable) -> Iterator[None]:
    """Within the block, stop the wheels of all `robots` before a signal ends the program.

    Then SIGINT raises KeyboardInterrupt, and SIGTERM or SIGHUP raise SystemExit(128 + number). Only the main
    thread may have signal handlers; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop() -> None:
        for robot in robots:
            robot.stop()

    def end(number: int, _frame: FrameType | None) -> None:
        # In a thread of its own: the interrupted code may hold a lock that stopping needs.
        stopping = threading.Thread(target=stop, name="stopping", daemon=True)
        stopping.start()
        stopping.join(STOP_S)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
