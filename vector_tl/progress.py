"""How far a command is, in one line on standard error: what is done, the time left, the rate.

In a terminal the line is written anew and taken away at the end. Elsewhere (a file, `TERM=dumb`) whole lines
come, ever more rarely, so that a log stays short.
"""

import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from vector_tl.plain import CLEAR_LINE, counted, one_line, rewrites_lines

T = TypeVar("T")
TERMINAL_FIRST_S, TERMINAL_EVERY_S = 0.5, 0.2
LOG_FIRST_S, LOG_GROWTH, LOG_EVERY_S = 5.0, 1.5, 300.0  # the last: however long it takes
SECONDS = "s"  # the unit of what has a length of its own, such as a film


class Progress:
    """One piece of work; use it in a `with` block.

    Args:
        what: the word that the line begins with, such as a command's name.
        total: how much there is to do; None where nobody knows.
        unit: what is counted, in the plural, or `SECONDS`.
        done: how much was done before, by a run that was stopped.
    """

    def __init__(self, what: str, total: float | None = None, unit: str = "images", done: float = 0):
        self.what, self.total, self.unit = what, total, unit
        self.done = self._before = done
        self._began_s = time.monotonic()
        self._wait_s = TERMINAL_FIRST_S if rewrites_lines() else LOG_FIRST_S
        self._printed_s: float | None = None
        self._advancing = threading.Lock()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_exc: object) -> None:
        """Take the line away: what is printed next begins where it stood."""
        if self._printed_s is not None and rewrites_lines():
            print(CLEAR_LINE, end="", file=sys.stderr, flush=True)

    def advance(self, count: float = 1, note: str = "") -> None:
        """So much more is done; print the line if it is time for it. `note` stands at its end.

        Several threads may do the work.
        """
        with self._advancing:
            self.reach(self.done + count, note)

    def reach(self, done: float, note: str = "") -> None:
        """As `advance`, with how much is done by now."""
        self.done, now_s = done, time.monotonic()
        since_s = self._began_s if self._printed_s is None else self._printed_s
        if now_s - since_s < self._wait_s:
            return
        self._printed_s = now_s
        line = self.line(now_s - self._began_s, note)
        if rewrites_lines():
            self._wait_s = TERMINAL_EVERY_S
            print(f"{CLEAR_LINE}{line}", end="", file=sys.stderr, flush=True)
        else:
            self._wait_s = min(self._wait_s * LOG_GROWTH, LOG_EVERY_S)
            print(line, file=sys.stderr, flush=True)

    def line(self, spent_s: float, note: str = "") -> str:
        """The line after so many seconds; in a terminal as many of its parts as fit into its columns."""
        so_far, unit = self.done - self._before, "" if self.unit == SECONDS else f" {self.unit}"
        per_s = so_far / spent_s if spent_s else 0.0
        last = self.done if self.total is None else self.total
        count = f"{self.done:.0f} of " * (self.total is not None)
        named = counted(round(last), self.unit.removesuffix("s"), self.unit) if unit else f"{last:.0f} s"
        parts = [f"{self.what}: {count}{named}"]
        if self.total is not None and per_s:
            parts.append(f"{in_words(max(0.0, self.total - self.done) / per_s)} left")
        if per_s:
            parts.append(f"{per_s:.3g}{unit}/s" if unit else f"{per_s:.2g} times real time")
        parts += [one_line(note)] if note else []
        if rewrites_lines():  # a line that were wrapped could not be written anew
            room = shutil.get_terminal_size().columns - 1
            while len(parts) > 1 and len(", ".join(parts)) > room:
                parts.pop()
            return ", ".join(parts)[:room]
        return ", ".join(parts)


def track(items: Iterable[T], what: str, total: float | None = None, unit: str = "images") -> Iterator[T]:
    """Each of the items, and the line while they are worked on."""
    with Progress(what, total, unit) as progress:
        for item in items:
            yield item
            progress.advance()


def in_words(seconds: float) -> str:
    """A length of time as a person says it: `12 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
