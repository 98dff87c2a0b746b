"""Leaving a robot that somebody else drives.

The end of our control stream ends everybody's control. The robot then ignores the other program's commands,
its stops too, and its wheels turn on.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

from vector_tl.robot.guard import Guard
from vector_tl.robot.stopping import Stopping, shout
from vector_tl.robot.wire import Wire

log = logging.getLogger(__name__)
LEAVE_S = 10.0  # so long somebody else may drive on before control ends for them, too
STOP_S = 10.0


def wait_for_other_driver(serial: str, guard: Guard, changed: threading.Condition) -> bool:
    """Wait until wheels stand that somebody else turns; at once where nobody does. Ctrl-C ends the wait.

    Returns:
        Whether they still turn.
    """
    with changed:
        if not guard.other_driver or guard.is_quiet:
            return False
        log.warning(
            "%s is driven by somebody else, whose control ends when this program leaves: waiting up to "
            "%g s until it stands, then stopping it (Ctrl-C: now)",
            serial,
            LEAVE_S,
        )
        try:
            return not changed.wait_for(lambda: guard.is_quiet, LEAVE_S)
        except KeyboardInterrupt:
            return True


def stop_for_all(serial: str, connect: Callable[[], Wire]) -> None:
    """Stop wheels that turn on because everybody's control has just ended."""
    if not Stopping(connect, give_up_s=STOP_S, shout=partial(shout, serial)).run().stopped:
        shout(serial)
