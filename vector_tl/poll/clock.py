"""The time of a poll, which never goes back: a clock that is set back cannot reopen it."""

import time


class Clock:
    """This computer's clock, or later where that was ahead before.

    Attributes:
        latest_s: the latest time that was seen, in seconds since 1970.
    """

    def __init__(self, latest_s: float = 0.0):
        """`latest_s` is what an earlier program saw."""
        self.latest_s = latest_s
        self._began_s, self._began_steadily_s = time.time(), time.monotonic()

    def now_s(self) -> float:
        """The latest of: what the clock says, what it said at first and the time since, what was seen."""
        steadily_s = self._began_s + time.monotonic() - self._began_steadily_s
        self.latest_s = max(self.latest_s, time.time(), steadily_s)
        return self.latest_s


def stamp(time_s: float | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    return None if time_s is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))
