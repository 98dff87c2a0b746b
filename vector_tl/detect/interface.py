"""The interface of a detector, without the engines behind it (and so without PyTorch)."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vector_tl.errors import UserError


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

    def to_supervision(self) -> Any:
        """The same boxes as `supervision.Detections`, whose class 0 is the Vector; needs supervision.

        Raises:
            UserError: supervision is not installed.
        """
        try:
            import supervision  # optional: for those who use its drawing and tracking
        except ImportError as error:
            raise UserError("supervision is not installed; run pip install supervision.") from error
        return supervision.Detections(
            xyxy=self.boxes_xyxy.astype(np.float32).reshape(-1, 4),
            confidence=self.scores.astype(np.float32),
            class_id=np.zeros(len(self), int),
            data={"class_name": np.array(["vector"] * len(self))},
        )


class ImageDetector(Protocol):
    """Image in, boxes out: `detect.detector.Detector`, or what tests put in its place."""

    name: str
    arch: str
    init: str
    threshold: float

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """Vectors in one image, uint8 (H, W, 3) RGB, above `threshold` (the model's own when None)."""
