"""`vector-tl stop`: the rule of stopping as one command, for when all else hangs."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from vector_tl.errors import UserError
from vector_tl.robot.stop_settings import StopSettings
from vector_tl.robot.stopping import Stopping, shout
from vector_tl.robot.wire import Wire


def stop(settings: StopSettings) -> dict[str, Any]:
    """Stop a robot, whoever drives it.

    Returns:
        {"stopped": True, "confirmed_ms", "how"}.

    Raises:
        UserError: it has not been seen to stand; `result` has the same keys.
    """
    settings.check()
    home = Path(os.environ.get("HOME") or Path.home())
    stopping = Stopping(
        lambda: Wire(settings.robot, home),
        give_up_s=settings.seconds,
        shout=partial(shout, settings.robot),
    )
    result = stopping.run()
    about = {"stopped": result.stopped, "confirmed_ms": result.confirmed_ms, "how": result.how}
    if result.stopped:
        return about
    error = UserError(
        f"{settings.robot} has not been seen to stand within {settings.seconds:g} s: PICK IT UP. Is it on, "
        "and on this network?"
    )
    error.result = about
    raise error
