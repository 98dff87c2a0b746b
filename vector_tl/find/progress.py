"""What a run does, in one line on standard error: rewritten in a terminal, every 5 s in a log."""

import math
import sys
import time

from vector_tl.find.memory import MotionCommand
from vector_tl.find.track import Target

TERMINAL_EVERY_S, LOG_EVERY_S = 0.2, 5.0


class ProgressLine:
    """Prints the line, and not more often than a reader can use it."""

    def __init__(self, dry_run: bool):
        self._dry, self._printed_s = " (dry run)" if dry_run else "", 0.0

    def show(
        self, seconds: float, command: MotionCommand, target: Target | None, frames: int, command_ms: float
    ) -> None:
        """Print where a run is.

        Args:
            seconds: since its beginning.
            command: the last one.
            target: where the other Vector was seen with it.
            frames: so far.
            command_ms: from the last frame to the command.
        """
        terminal, now_s = sys.stderr.isatty(), time.monotonic()
        if now_s - self._printed_s < (TERMINAL_EVERY_S if terminal else LOG_EVERY_S):
            return
        self._printed_s, where = now_s, "     no Vector   "
        if target:
            where = f"{target.distance_mm:4.0f} mm {math.degrees(target.bearing_rad):+4.0f} deg"
        line = (
            f"{seconds:5.1f} s  {command.mode:8}  {where}  "
            f"wheels {command.left_mmps:+4.0f} {command.right_mmps:+4.0f} mm/s{self._dry}  "
            f"{frames / seconds:4.1f} fps  {command_ms:4.0f} ms"
        )
        print(f"\r{line}  " if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
