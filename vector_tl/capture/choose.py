"""Which of a robot's frames are worth keeping."""

import cv2
import numpy as np

THUMB_WH = (32, 18)


class Chooser:
    """Keeps a frame when it is new enough: when its thumbnail differs from the last one kept by `novelty` grey levels on average."""

    def __init__(self, novelty: float):
        self.novelty = novelty
        self._last: np.ndarray | None = None

    def keep(self, picture_rgb: np.ndarray) -> bool:
        """Whether to keep this picture, uint8 (H, W, 3)."""
        thumb = cv2.resize(cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2GRAY), THUMB_WH, interpolation=cv2.INTER_AREA).astype(np.int16)
        if self._last is not None and np.abs(thumb - self._last).mean() < self.novelty:
            return False
        self._last = thumb
        return True
