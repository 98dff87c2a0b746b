"""What happened when, and the ground truth of which image."""

import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

LOG_ENTRIES = 50_000
TRUTHS_PER_ROBOT, MASKS_PER_ROBOT = 2_000, 8


class WorldJournal:
    """The simulator's log and the ground truth of the newest images, both of bounded size."""

    def __init__(self, now_ms: Callable[[], int]):
        self._now_ms = now_ms
        self._entries: deque[dict] = deque(maxlen=LOG_ENTRIES)
        self._truths: dict[str, OrderedDict[int, dict]] = {}
        self._ids: dict[str, OrderedDict[int, np.ndarray]] = {}

    def add(self, kind: str, serial: str | None = None, **details: Any) -> None:
        """Log one thing at the world's present time.

        NaN and infinity become None, as JSON has no word for them.
        """
        entry: dict[str, Any] = {"t_ms": self._now_ms(), "kind": kind}
        if serial is not None:
            entry["serial"] = serial
        self._entries.append(entry | {key: _finite(value) for key, value in details.items()})

    def since(self, t_ms: float) -> list[dict]:
        """Entries at or after `t_ms`, oldest first."""
        newest_first = itertools.takewhile(lambda entry: entry["t_ms"] >= t_ms, reversed(self._entries))
        return list(newest_first)[::-1]

    def keep_truth(self, serial: str, image_id: int, truth: dict) -> None:
        """Keep the ground truth of a robot's image."""
        _keep(self._truths.setdefault(serial, OrderedDict()), image_id, truth, TRUTHS_PER_ROBOT)

    def keep_ids(self, serial: str, image_id: int, ids: np.ndarray) -> None:
        """Keep where the Vectors are seen in a robot's image: (H, W), number n as n + 1."""
        _keep(self._ids.setdefault(serial, OrderedDict()), image_id, ids, MASKS_PER_ROBOT)

    def truth(self, serial: str, image_id: int) -> dict | None:
        """The ground truth of an image, None when it is unknown or too old."""
        return self._truths.get(serial, OrderedDict()).get(image_id)

    def mask(self, serial: str, image_id: int) -> np.ndarray | None:
        """The instance mask of an image, uint8 (H, W): 0, or n + 1 where the truth has a box of Vector n.

        It is kept for the newest few images only; None when it is unknown or too old.
        """
        ids, truth = self._ids.get(serial, OrderedDict()).get(image_id), self.truth(serial, image_id)
        if ids is None or truth is None:
            return None
        return np.where(np.isin(ids, [box["vector"] + 1 for box in truth["boxes"]]), ids, 0).astype(np.uint8)


def _keep(newest: OrderedDict[int, Any], image_id: int, value: Any, max_count: int) -> None:
    newest[image_id] = value
    while len(newest) > max_count:
        newest.popitem(last=False)


def _finite(value: Any) -> Any:
    """The same with None instead of NaN and infinity, also within a list."""
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
