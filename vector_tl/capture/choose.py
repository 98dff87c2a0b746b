"""Which of a robot's frames are worth keeping.

A frame must be sharp enough and differ from those kept before; less difference is asked of one that fills
what is missing.
"""

from collections import deque
from statistics import median

import cv2
import numpy as np

from vector_tl.data.coverage import Coverage, Shot

HASH_WH = (25, 14)  # fine enough that a Vector far away changes it
# A step of the hash counts as changed when it differs by more than this share of the spread of the image's
# greys, within these limits in grey levels: noise is nothing new.
UNIT_SHARE, UNIT_GREYS = 0.12, (2.5, 6.0)
SHARP_SHARE, SHARP_FRAMES = 0.5, 90  # of the median sharpness of so many frames before
SETTLED = 5  # frames, before which every sharpness will do
# How much less, or more, difference is asked of a frame that fills what is missing, or has plenty like it.
FILLS, FULL = 0.5, 2.0
NOTHING_NEW = "nothing new"  # the objection to a frame that is like a kept one
PLENTY_FROM = 40  # images


def image_hash(grey: np.ndarray) -> np.ndarray:
    """A difference hash of an image (H, W) with the size of the steps: float32 (n,).

    Krawetz's dHash keeps only the signs of the steps between neighbours, and those change with the noise
    wherever a surface is even. The unit here is the change that counts: less in a dark image.
    """
    small = cv2.resize(grey, HASH_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
    steps = np.concatenate([np.diff(small, axis=1).ravel(), np.diff(small, axis=0).ravel()])
    return steps / np.clip(UNIT_SHARE * small.std(), *UNIT_GREYS)


class Chooser:
    """Judges frames one after another; remembers those that were kept.

    Args:
        novelty: the share of the hash (0 to 1) in which a frame must differ from each kept one.
        coverage: what the kept ones cover.
    """

    def __init__(self, novelty: float, coverage: Coverage):
        self.novelty, self.coverage = novelty, coverage
        self._sharpness: deque[float] = deque(maxlen=SHARP_FRAMES)
        self._hashes: dict[str, np.ndarray] = {}

    def objection(self, grey: np.ndarray, shot: Shot) -> str | None:
        """Why not to keep this frame, None for a welcome one.

        Args:
            grey: the image (H, W).
            shot: what is known of it, with "sharpness" and what `Coverage` reads.
        """
        self._sharpness.append(shot["sharpness"])
        if len(self._sharpness) > SETTLED and shot["sharpness"] < SHARP_SHARE * median(self._sharpness):
            return "not sharp"
        wanted = self.novelty
        if self.coverage.lacks(shot):
            wanted *= FILLS
        elif self.coverage.total >= PLENTY_FROM and self.coverage.plenty(shot):
            wanted *= FULL
        return NOTHING_NEW if self.difference(grey) < wanted else None

    def difference(self, grey: np.ndarray) -> float:
        """The share of the hash in which an image (H, W) differs from the kept one most like it."""
        if not self._hashes:
            return 1.0  # everything is new
        steps = np.stack(list(self._hashes.values())) - image_hash(grey)  # (kept, n)
        return float((np.abs(steps) > 1).mean(axis=1).min())

    def remember(self, name: str, grey: np.ndarray) -> None:
        """An image was kept, whether or not there was an objection."""
        self._hashes[name] = image_hash(grey)

    def forget(self, name: str) -> None:
        """An image is no longer there."""
        self._hashes.pop(name, None)
