"""Which of a robot's frames are worth keeping: those that are sharp, new, and of a kind still rare."""

from collections import deque
from statistics import median

import cv2
import numpy as np

from vector_tl.data.coverage import Coverage, Shot

HASH_WH = (25, 14)  # fine enough that a Vector far away moves it
# a step between neighbours that changed by less than this share of the image's spread of greys is noise
UNIT_SHARE, UNIT_GREYS = 0.12, (2.5, 6.0)
SHARP_SHARE, SHARP_FRAMES = 0.5, 90  # of the median sharpness of so many frames before
SETTLED = 5  # frames, before which every sharpness will do
# a frame of a rare kind must be half as new, one of a kind that is plenty twice as new
FILLS, FULL = 0.5, 2.0
PLENTY_FROM = 40  # images


def image_hash(grey: np.ndarray) -> np.ndarray:
    """A difference hash (dHash) of an image (H, W) that has the steps between neighbours: float32 (n,).

    Their signs alone, as in Krawetz's hash, change with the noise wherever a surface is even. The unit is the
    change that counts: less in a dark image.
    """
    small = cv2.resize(grey, HASH_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
    steps = np.concatenate([np.diff(small, axis=1).ravel(), np.diff(small, axis=0).ravel()])
    return steps / np.clip(UNIT_SHARE * small.std(), *UNIT_GREYS)


class Chooser:
    """Judges frames one after another, and remembers those that were kept."""

    def __init__(self, novelty: float, coverage: Coverage):
        self.novelty, self.coverage = novelty, coverage
        self._sharp: deque[float] = deque(maxlen=SHARP_FRAMES)
        self._hashes: dict[str, np.ndarray] = {}

    def objection(self, grey: np.ndarray, shot: Shot) -> str | None:
        """Why this frame is not worth keeping; None for one that is.

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
        """How much an image differs from the most similar one kept: a share of the hash, 1 without any."""
        if not self._hashes:
            return 1.0
        steps = np.stack(list(self._hashes.values())) - image_hash(grey)  # (kept, n)
        return float((np.abs(steps) > 1).mean(axis=1).min())

    def remember(self, name: str, grey: np.ndarray) -> None:
        """Remember an image that was kept."""
        self._hashes[name] = image_hash(grey)

    def forget(self, name: str) -> None:
        """Forget an image that was taken out again."""
        self._hashes.pop(name, None)
