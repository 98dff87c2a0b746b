"""Between a capture and its views: newest frame and status one way, keys the other way."""

import threading
from dataclasses import dataclass, field

from vector_tl.web.actions import Actions

KEYS = {
    "k": "keep",
    "x": "drop",
    "u": "undo",
    "p": "pause",
    " ": "pause",
    "q": "quit",
    "w": "forward",
    "s": "back",
    "a": "left",
    "d": "right",
    "up": "forward",
    "down": "back",
    "left": "left",
    "right": "right",
    "r": "head up",
    "f": "head down",
}
ACTIONS = frozenset(KEYS.values())


@dataclass(frozen=True)
class Status:
    """How the capture stands."""

    session: str = ""
    kept: int = 0
    goal: int = 0
    seen: int = 0
    camera_fps: float | None = None  # measured
    negatives: int = 0
    image_id: int = -1  # of the frame on show
    size_wh: tuple[int, int] = (640, 360)
    boxes_xyxy: tuple[tuple[float, ...], ...] = ()  # (N, 4)
    boxes_by: str = ""  # what found them: the simulator, a model; empty when nothing looks for Vectors
    verdict: str = ""  # on the frame: kept, not sharp, nothing new, paused
    answer: str = ""  # to the last key
    paused: bool = False
    over: bool = False
    hint: str = ""
    coverage: dict[str, dict[str, int]] = field(default_factory=dict)  # kind -> bin -> count
    lacking: dict[str, list[str]] = field(default_factory=dict)  # kind -> bins
    places: tuple[tuple[int, ...], ...] = ()  # (rows, columns) counts of where in the image boxes are


class CaptureBoard(Actions):
    """What one thread writes and others read. Keys come as actions, see `KEYS`."""

    def __init__(self) -> None:
        super().__init__(ACTIONS)
        self._lock = threading.Lock()
        self._status, self._jpeg = Status(), b""

    def post(self, status: Status, jpeg: bytes | None = None) -> None:
        """Show this from now on; without `jpeg`, the image stays."""
        with self._lock:
            self._status = status
            if jpeg is not None:
                self._jpeg = jpeg

    def look(self) -> tuple[Status, bytes]:
        """What is on show: the status and the image as JPEG, empty before the first."""
        with self._lock:
            return self._status, self._jpeg
