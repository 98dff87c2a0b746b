"""Between whoever takes images and whoever looks on: the newest frame and how things stand one way, keys the other way."""

import queue
import threading
from dataclasses import dataclass, field

KEYS = {
    "k": "keep", "x": "drop", "u": "undo", "p": "pause", " ": "pause", "q": "quit",
    "w": "forward", "s": "back", "a": "left", "d": "right", "up": "forward", "down": "back", "left": "left", "right": "right",
    "r": "head up", "f": "head down",
}  # fmt: skip
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
    boxes_xyxy: tuple = ()
    boxes_by: str = ""  # who says so: the simulator, a model; empty when nobody looks
    word: str = ""  # what became of the frame: kept, not sharp, nothing new, paused
    said: str = ""  # the answer to the last key
    paused: bool = False
    over: bool = False
    hint: str = ""
    coverage: dict = field(default_factory=dict)  # kind -> bin -> count
    lacking: dict = field(default_factory=dict)  # kind -> bins
    places: tuple = ()  # rows of counts: where in the image the largest boxes had their middle


class Live:
    """A board that one thread writes and others read. Keys come as actions, see `KEYS`."""

    def __init__(self):
        self._lock = threading.Lock()
        self._status, self._jpeg = Status(), b""
        self._actions: queue.SimpleQueue[str] = queue.SimpleQueue()

    def post(self, status: Status, jpeg: bytes | None = None) -> None:
        """Show this from now on."""
        with self._lock:
            self._status = status
            if jpeg is not None:
                self._jpeg = jpeg

    def look(self) -> tuple[Status, bytes]:
        """What is on show."""
        with self._lock:
            return self._status, self._jpeg

    def press(self, action: str) -> bool:
        """A key was pressed somewhere; False for one that means nothing."""
        if action not in ACTIONS:
            return False
        self._actions.put(action)
        return True

    def pressed(self) -> list[str]:
        """The actions since the last call, oldest first."""
        actions = []
        while True:
            try:
                actions.append(self._actions.get_nowait())
            except queue.Empty:
                return actions
