"""A run in words: meanwhile in one line on standard error, rewritten in a terminal, and at its end."""

import math
import shutil
import sys
import time
from typing import Any

from vector_tl.find.memory import MotionCommand
from vector_tl.find.track import Target
from vector_tl.plain import CLEAR_LINE, counted, rewrites_lines

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
            command_ms: latency, from the last frame to the command.
        """
        terminal, now_s = rewrites_lines(), time.monotonic()
        if now_s - self._printed_s < (TERMINAL_EVERY_S if terminal else LOG_EVERY_S):
            return
        self._printed_s, where = now_s, "    no Vector   "
        if target:
            where = f"{target.distance_mm:4.0f} mm {math.degrees(target.bearing_rad):+4.0f} deg"
        parts = [
            f"{seconds:5.1f} s {command.mode:8} {where}",
            f"wheels {command.left_mmps:+4.0f} {command.right_mmps:+4.0f} mm/s{self._dry}",
            f"{frames / seconds:4.1f} fps",
            f"latency {command_ms:3.0f} ms",
        ]
        if terminal:  # a line that were wrapped could not be written anew
            columns = shutil.get_terminal_size().columns
            while len(parts) > 1 and len(" ".join(parts)) >= columns:  # no half words
                parts.pop()
            print(f"{CLEAR_LINE}{' '.join(parts)[: columns - 1]}", end="", file=sys.stderr, flush=True)
        else:
            print(" ".join(parts), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away: what is printed next begins where it stood."""
        if rewrites_lines():
            print(CLEAR_LINE, end="", file=sys.stderr, flush=True)


def describe(result: dict[str, Any]) -> str:
    """The result of `find` for a person."""
    words = [f"found after {result['time_to_found_s']:.1f} s" if result["found"] else "not found"]
    if result["distance_mm"] is not None:
        words[0] += f", {result['distance_mm']:.0f} mm away"
    elif result["estimated_distance_mm"] is not None:
        words[0] += f", about {result['estimated_distance_mm']:.0f} mm away by its own estimate"
    words += [_count(result[key], key[:-1]) for key in ("collisions", "falls") if result[key] is not None]
    if stops := result["stops"]:
        times = "once" if len(stops) == 1 else f"{len(stops)} times"
        words.append(f"wheels stopped {times}: {', '.join(dict.fromkeys(stop['reason'] for stop in stops))}")
    lines = ["; ".join(words) + "."]
    speed = f"{_count(result['frames'], 'frame')}, {result['fps']:.1f} a second"
    if (latency_ms := result["latency_ms"])["p50"] is not None:
        speed += (
            f"; {latency_ms['p50']:.0f} ms from a frame to the wheels, {latency_ms['p95']:.0f} ms at most"
        )
        speed += " in 95 % of them"
    lines.append(f"{speed}.")
    if result.get("followed_share") is not None:
        lines.append(f"kept at the stop distance in {result['followed_share']:.0%} of the frames after that.")
    files = {"page": result.get("report"), "film": (result.get("live") or {}).get("film")}
    lines += [f"{what}: {path}" for what, path in files.items() if path]
    return "\n".join(lines)


def _count(count: int, what: str) -> str:
    """`no falls`, `1 fall`, `2 falls`."""
    return counted(count, what) if count else f"no {what}s"
