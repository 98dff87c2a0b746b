"""Which of a robot's frames are worth keeping: sharp enough, new enough, and rather those that fill what is missing."""

from collections import deque
from statistics import median

import cv2
import numpy as np

from vector_tl.data.coverage import Coverage

HASH_WH = (25, 14)  # fine enough that a Vector far away moves it
UNIT_SHARE, UNIT_GREYS = (
    0.12,
    (2.5, 6.0),
)  # of the image's spread of greys: steps that changed by no more count as the same, as noise is no news
SHARP_SHARE, SHARP_FRAMES = 0.5, 90  # of the median sharpness of so many frames before
SETTLED = 5  # frames, before which every sharpness will do
FILLS, FULL = (
    0.5,
    2.0,
)  # how much less, or more, news is wanted of a frame that fills what is missing, or has plenty like it
PLENTY_FROM = 40  # images


def image_hash(grey: np.ndarray) -> np.ndarray:
    """A difference hash (Krawetz's dHash) of an image (H, W) that keeps the steps between neighbours, not only their signs: float32 (n,).

    Signs alone change with the noise wherever a surface is even. The unit is the change that counts: less in a dark image.
    """
    small = cv2.resize(grey, HASH_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
    steps = np.concatenate([np.diff(small, axis=1).ravel(), np.diff(small, axis=0).ravel()])
    return steps / np.clip(UNIT_SHARE * small.std(), *UNIT_GREYS)


class Chooser:
    """Judges frames one after another; remembers what was kept."""

    def __init__(self, novelty: float, coverage: Coverage):
        self.novelty, self.coverage = novelty, coverage
        self._sharp: deque[float] = deque(maxlen=SHARP_FRAMES)
        self._hashes: dict[str, np.ndarray] = {}

    def objection(self, grey: np.ndarray, shot: dict) -> str | None:
        """Why not to keep this frame, None for a welcome one.

        Args:
            grey: the image (H, W).
            shot: what is known of it, with "sharpness" and what `Coverage` reads.
        """
        self._sharp.append(shot["sharpness"])
        if len(self._sharp) > SETTLED and shot["sharpness"] < SHARP_SHARE * median(self._sharp):
            return "not sharp"
        wanted = self.novelty
        if self.coverage.lacks(shot):
            wanted *= FILLS
        elif self.coverage.total >= PLENTY_FROM and self.coverage.plenty(shot):
            wanted *= FULL
        return "nothing new" if self.news(grey) < wanted else None

    def news(self, grey: np.ndarray) -> float:
        """The share of the hash in which an image differs from the kept one that is most like it; 1 when there is none."""
        if not self._hashes:
            return 1.0
        steps = np.stack(list(self._hashes.values())) - image_hash(grey)  # (kept, n)
        return float((np.abs(steps) > 1).mean(axis=1).min())

    def keep(self, name: str, grey: np.ndarray) -> None:
        """This one was kept, whatever was thought of it."""
        self._hashes[name] = image_hash(grey)

    def forget(self, name: str) -> None:
        """It is no longer there."""
        self._hashes.pop(name, None)
