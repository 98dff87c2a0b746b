"""What happened when, and what was to be seen in which image."""

import math
from collections import OrderedDict, deque
from collections.abc import Callable

LOG_ENTRIES = 50_000
TRUTHS_PER_ROBOT = 2_000


class Journal:
    """The simulator's log and the truth about the newest images, both of bounded size."""

    def __init__(self, now_ms: Callable[[], int]):
        self._now_ms = now_ms
        self._entries: deque[dict] = deque(maxlen=LOG_ENTRIES)
        self._truths: dict[str, OrderedDict[int, dict]] = {}

    def add(self, kind: str, serial: str | None = None, **details) -> None:
        """Log one thing at the world's present time. A number that is none (NaN or infinite) becomes None: JSON has no word for it."""
        entry = {"t_ms": self._now_ms(), "kind": kind}
        if serial is not None:
            entry["serial"] = serial
        self._entries.append(entry | {key: _finite(value) for key, value in details.items()})

    def since(self, t_ms: float) -> list[dict]:
        """Entries at or after `t_ms`, oldest first."""
        return [entry for entry in self._entries if entry["t_ms"] >= t_ms]

    def keep_truth(self, serial: str, image_id: int, truth: dict) -> None:
        truths = self._truths.setdefault(serial, OrderedDict())
        truths[image_id] = truth
        while len(truths) > TRUTHS_PER_ROBOT:
            truths.popitem(last=False)

    def truth(self, serial: str, image_id: int) -> dict | None:
        """The truth about an image, None when it is unknown or too old."""
        return self._truths.get(serial, {}).get(image_id)


def _finite(value):
    """The same with None in place of NaN and infinity, also within a list."""
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
