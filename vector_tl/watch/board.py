"""Between the loop and a person: what the models see goes one way, keys go the other way."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from vector_tl.detect.interface import Detections
from vector_tl.watch.sight import Sight
from vector_tl.web.actions import Actions

KEYS = {"s": "keep", "r": "record", " ": "hold", "q": "quit", "escape": "quit"}
ACTIONS = frozenset(KEYS.values())
RATE_OVER = 30  # images


@dataclass(frozen=True)
class Look:
    """What one model sees in an image."""

    found: Detections
    ms: float  # from pixels to boxes


@dataclass(frozen=True)
class Moment:
    """An image, and what both models see in it."""

    number: int
    sight: Sight
    looks: tuple[Look, Look]  # left, right


class Board(Actions):
    """What one thread writes and others read.

    Attributes:
        about: what does not change, for the page.
        moment: the newest one.
        said: the answer to the last key.
        recording: whether a recording is being written.
        held: whether a person holds the image.
        kept: how many images were kept.
        ended: why nothing more comes; None while it lasts.
    """

    def __init__(self, about: dict[str, Any]):
        super().__init__(ACTIONS)
        self.about = about
        self.moment: Moment | None = None
        self.said, self.kept = "", 0
        self.recording = self.held = False
        self.ended: str | None = None
        self._times_s: deque[float] = deque(maxlen=RATE_OVER)
        self._lock = threading.Lock()

    def post(self, moment: Moment) -> None:
        """Show this from now on."""
        with self._lock:
            self._times_s.append(time.monotonic())
            self.moment = moment

    def fps(self) -> float | None:
        """Images per second, lately; None before there are two."""
        with self._lock:
            times_s = tuple(self._times_s)
        if len(times_s) < 2 or times_s[-1] <= times_s[0]:
            return None
        return (len(times_s) - 1) / (times_s[-1] - times_s[0])

    def news(self) -> dict[str, Any]:
        """Everything but the image, for the page."""
        moment, fps = self.moment, self.fps()
        news = {
            "about": self.about,
            "said": self.said,
            "kept": self.kept,
            "recording": self.recording,
            "held": self.held,
            "ended": self.ended,
            "fps": None if fps is None else round(fps, 1),
        }
        if moment is None:
            return news
        looks = [{"boxes": as_json(look.found), "ms": round(look.ms, 1)} for look in moment.looks]
        return news | {
            "number": moment.number,
            "size_wh": list(moment.sight.size_wh),
            "file": moment.sight.about,
            "looks": looks,
        }


def as_json(found: Detections) -> list[dict[str, Any]]:
    """Boxes as the page takes them."""
    return [
        {"xyxy": [round(float(v), 1) for v in box], "score": round(float(score), 3)}
        for box, score in zip(found.boxes_xyxy, found.scores, strict=True)
    ]
