"""Ctrl-C, SIGTERM, and a closed terminal: the wheels first, then the way out of the program."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vector_tl.robot.base import Robot

STOP_S = 1.0  # how long the way out waits for the wheels


@contextmanager
def wheels_first(robot: Robot) -> Iterator[None]:
    """Within the block, SIGINT raises KeyboardInterrupt and SIGTERM or SIGHUP raise SystemExit(128 + number), after the wheels were stopped.

    Only the main thread may have signal handlers; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number, _frame):
        # In a thread of its own: the interrupted code may hold a lock that stopping needs.
        stopping = threading.Thread(target=robot.stop, name="stopping", daemon=True)
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
