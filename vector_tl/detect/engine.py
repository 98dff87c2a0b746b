"""What the backends that run the network have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from vector_tl.nets.model_file import Precision
from vector_tl.nets.suppression import select_boxes


class Engine(Protocol):
    """A backend.

    Attributes:
        name: for people: the library, where it runs, and in which precision.
        lanes: how many threads may call it at once, to be done sooner.
    """

    name: str
    lanes: int

    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes and scores of images, uint8 (H, W, 3) RGB of any sizes.

        Returns:
            For each image boxes (n, 4) xyxy in 0..1 and scores (n,) above the threshold, float32, best first.
        """


@dataclass(frozen=True)
class OnCpu:
    """How OpenVINO runs a network; see `OpenVinoEngine`."""

    threads: int | None = None
    precision: Precision = "fp32"
    side_by_side: bool = False


class NetworkEngine(ABC):
    """An engine that runs the network alone, whose input size is given.

    Resizing before it and the choice of boxes after it are the same for all of these.
    """

    lanes = 1

    def __init__(self, size_wh: tuple[int, int]):
        self._size_wh = size_wh

    @abstractmethod
    def scores_and_boxes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the network.

        Args:
            images: of the network's size, uint8 (B, h, w, 3) RGB.

        Returns:
            Scores (B, A) and boxes_xyxy (B, A, 4) in 0..1.
        """

    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """See `Engine`."""
        resized = np.stack([resize_image(image, self._size_wh) for image in images])  # (B, h, w, 3)
        return [
            select_boxes(scores, boxes, threshold)
            for scores, boxes in zip(*self.scores_and_boxes(resized), strict=True)
        ]


def resize_image(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) at the network's size, without anti-aliasing; itself where it has that size."""
    if image.shape[1::-1] == size_wh:
        return image
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_LINEAR)
