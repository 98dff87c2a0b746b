"""A second look, nearer: small Vectors that a detector doubts are looked at again at twice the scale.

The best box below the model's threshold becomes the middle of a tile of half the image's width and height,
and what the detector finds in the tile joins what it found in the image. That finds what tiles over the whole
image find, for a fraction of their time; docs/training.md has both.
"""

from collections.abc import Sequence

import numpy as np

from vector_tl.detect.detector import Detector
from vector_tl.detect.interface import Detections
from vector_tl.nets.calibration import expit, logit
from vector_tl.nets.suppression import select_boxes

# the network's own score above which a box is worth a second look, and how high it may be, as a share of the
# image: a higher one fills a tile
DOUBTFUL_SCORE, MAX_HEIGHT = 0.05, 0.35
# a box that ends so near a tile's edge inside the image, as a share of the tile, may be a part of a robot
EDGE = 0.03
# subtracted from a tile's log-odds, as two looks give more false positives than one
STRICTER = 0.5


class SecondLook:
    """A detector that looks twice; everything else is as in `Detector`."""

    def __init__(self, detector: Detector):
        self._detector = detector
        self.name, self.arch, self.init = detector.name, detector.arch, detector.init
        self.threshold, self.calibration = detector.threshold, detector.calibration
        self.lanes = getattr(detector, "lanes", 1)
        self.engine = f"{detector.engine}, with a second look"
        self._doubtful = float(detector.calibration(DOUBTFUL_SCORE))

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """Vectors in one image, uint8 (H, W, 3) RGB, above `threshold` (the model's own when None)."""
        return self.batch([image], threshold)[0]

    def batch(self, images: Sequence[np.ndarray], threshold: float | None = None) -> list[Detections]:
        """Vectors in each of several images, which may differ in size."""
        asked = self.threshold if threshold is None else threshold
        lowest = min(asked, self._doubtful)
        found = self._detector.batch(images, lowest)
        tiles = [self._tile(seen, image) for seen, image in zip(found, images, strict=True)]
        cut = [
            image[top:bottom, left:right]
            for image, tile in zip(images, tiles, strict=True)
            if tile is not None
            for left, top, right, bottom in [tile]
        ]
        nearer = iter(self._detector.batch(cut, lowest))
        return [
            _above(seen, asked) if tile is None else _joined(seen, next(nearer), tile, image, asked)
            for seen, tile, image in zip(found, tiles, images, strict=True)
        ]

    def _tile(self, found: Detections, image: np.ndarray) -> np.ndarray | None:
        """Corners (4,) in pixels of the tile to look at again; None where nothing is doubtful."""
        size_wh = np.array(image.shape[1::-1])
        heights = found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1]
        low, high = self._doubtful, self.threshold
        doubtful = (found.scores > low) & (found.scores <= high) & (heights < MAX_HEIGHT * size_wh[1])
        if not doubtful.any() or size_wh.min() < 2:
            return None
        return tile_around(found.boxes_xyxy[doubtful.argmax()], size_wh)  # the first is the best


def tile_around(box_xyxy: np.ndarray, size_wh: np.ndarray) -> np.ndarray:
    """Corners (4,) in whole pixels of a tile of half an image's size, with a box in its middle if it fits."""
    tile_wh = size_wh // 2
    middle = (box_xyxy[:2] + box_xyxy[2:]) / 2
    corner = np.clip(np.round(middle - tile_wh / 2).astype(int), 0, size_wh - tile_wh)
    return np.concatenate([corner, corner + tile_wh])


def _joined(
    found: Detections, nearer: Detections, tile: np.ndarray, image: np.ndarray, threshold: float
) -> Detections:
    """What was found in the image and, nearer, in its tile."""
    size = np.array([*image.shape[1::-1]] * 2, np.float32)
    whole = _uncut(nearer, tile, size)
    scores = expit(logit(nearer.scores[whole]) - STRICTER)
    boxes_xyxy = np.concatenate([found.boxes_xyxy, nearer.boxes_xyxy[whole] + np.tile(tile[:2], 2)])
    boxes, chosen = select_boxes(
        np.concatenate([found.scores, scores]).astype(np.float32),
        (boxes_xyxy / size).astype(np.float32),
        threshold,
    )
    return Detections((boxes * size).astype(np.float32), chosen)


def _uncut(nearer: Detections, tile: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Which boxes (N,) of a tile end before its edges, where these lie inside the image."""
    margin = EDGE * np.tile(tile[2:] - tile[:2], 2)
    distances = np.abs(nearer.boxes_xyxy + np.tile(tile[:2], 2) - tile)  # (N, 4), to each edge
    inside = np.concatenate([tile[:2] > 0, tile[2:] < size[2:]])
    return np.asarray(((distances >= margin) | ~inside).all(axis=1))


def _above(found: Detections, threshold: float) -> Detections:
    shown = found.scores > threshold
    return Detections(found.boxes_xyxy[shown], found.scores[shown])
