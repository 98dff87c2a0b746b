"""The interface of a detector, without the engines behind it (and so without PyTorch)."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Detections:
    """The boxes found in an image.

    Attributes:
        boxes_xyxy: float32 (N, 4) in pixels of the image, clipped to it, best first.
        scores: float32 (N,), calibrated where the model is: of boxes with .8 about 80 % are right.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


class ImageDetector(Protocol):
    """Image in, boxes out: `detect.detector.Detector`, or what tests put in its place."""

    name: str
    arch: str
    init: str
    threshold: float

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """Vectors in one image, uint8 (H, W, 3) RGB, above `threshold` (the model's own when None)."""
