"""Ctrl-C, Ctrl-Z, SIGQUIT, SIGTERM and a closed terminal: the wheels stop first, then the program does."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

STOP_S = 3.5  # how long a signal waits for the wheels: a stop is confirmed, or has called for help, by then
FIRST_S = 0.5  # of it, within what was interrupted, which may hold a lock that stopping needs
ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


class Stoppable(Protocol):
    """A robot, as far as it matters here."""

    def stop(self) -> None:
        """Stop the wheels now."""


@contextmanager
def wheels_first(*robots: Stoppable) -> Iterator[None]:
    """Within the block, stop the wheels of all `robots` before a signal ends or suspends the program.

    Then SIGINT raises KeyboardInterrupt, and SIGTERM, SIGHUP (a closed terminal) or SIGQUIT raise
    SystemExit(128 + number); SIGTSTP (Ctrl-Z) suspends the program. Wheels stand still after that until they
    are asked for anew. Only the main thread may have signal handlers; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopping: list[threading.Thread] = []

    def stop(wait_s: float) -> None:
        """Stop all, each in a thread of its own: this one may hold a lock that stopping needs."""
        stopping[:] = [
            threading.Thread(target=robot.stop, name="stopping by a signal", daemon=True) for robot in robots
        ]
        for thread in stopping:
            thread.start()
        wait(wait_s)

    def wait(wait_s: float) -> None:
        for thread in stopping:
            thread.join(wait_s)

    def end(number: int, _frame: FrameType | None) -> None:
        stop(FIRST_S)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    def suspend(number: int, _frame: FrameType | None) -> None:
        stop(STOP_S)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # the program stands still here, until SIGCONT
        signal.signal(number, suspend)

    before = {signal.Signals[name]: end for name in ENDING if hasattr(signal, name)}
    if hasattr(signal, "SIGTSTP"):
        before[signal.SIGTSTP] = suspend
    handlers = {number: signal.signal(number, handler) for number, handler in before.items()}
    try:
        yield
    finally:
        wait(STOP_S)
        for number, handler in handlers.items():
            signal.signal(number, handler)
