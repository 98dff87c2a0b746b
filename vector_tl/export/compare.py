"""Compares what an exported file sees with what the original sees, image by image."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.images import is_image_file
from vector_tl.data.media import read_frames
from vector_tl.detect.engine import NetworkEngine, resize_image
from vector_tl.detect.engines import make_engine
from vector_tl.export.runtimes import Run
from vector_tl.nets.archs import describe
from vector_tl.nets.calibration import Calibration
from vector_tl.nets.model_file import Weights
from vector_tl.nets.suppression import select_boxes

IMAGES = 20
DRAWN_WH, DRAWN_BLUR = (640, 360), 9


def images_to_compare(folder: Path) -> tuple[str, Iterator[np.ndarray]]:
    """Where images come from, and the images (H, W, 3) RGB, evenly spread over a folder's."""
    files = sorted(path for path in folder.rglob("*") if is_image_file(path) and path.is_file())
    files = [path for path in files if "masks" not in path.parts]
    if not files:
        return "drawn images", _drawn()
    chosen = tuple(files[round(i)] for i in np.linspace(0, len(files) - 1, min(IMAGES, len(files))))
    return str(folder), (frame.image for frame in read_frames(chosen) if frame.image is not None)


def _drawn() -> Iterator[np.ndarray]:
    """Soft spots of colour, the same each time."""
    random = np.random.default_rng(0)
    for _ in range(IMAGES):
        noise = random.integers(0, 256, (DRAWN_WH[1], DRAWN_WH[0], 3), np.uint8)
        soft = cv2.GaussianBlur(noise, (0, 0), DRAWN_BLUR)
        yield cv2.normalize(soft, soft.copy(), 0, 255, cv2.NORM_MINMAX)


class Original:
    """The model as `vector-tl detect` runs it in single precision.

    Args:
        weights: of the model.
        calibration: of its scores.
        threshold: of the choice of boxes; all boxes are compared when None.
    """

    def __init__(self, weights: Weights, calibration: Calibration, threshold: float | None):
        engine = make_engine(weights, "cpu")
        assert isinstance(engine, NetworkEngine)
        self._engine, self._calibration, self._threshold = engine, calibration, threshold
        self.size_wh = describe(weights.arch).size_wh

    def differences(self, run: Run, image: np.ndarray) -> tuple[float, float]:
        """The largest difference of a score, and of a box's side in pixels of the image (H, W, 3).

        A box that only one of the two chooses counts as a difference of 1.
        """
        resized = np.ascontiguousarray(resize_image(image, self.size_wh)[None])
        own_scores, own_boxes = self._engine.scores_and_boxes(resized)
        own_scores, own_boxes = own_scores[0], own_boxes[0]
        if self._threshold is not None:
            lowest = float(self._calibration.own_scores(self._threshold))
            own_boxes, own_scores = select_boxes(own_scores, own_boxes, lowest)
        scores, boxes = run(resized)
        scores, boxes = scores.reshape(-1), boxes.reshape(-1, 4)
        if len(scores) != len(own_scores):
            return 1.0, 0.0
        if self._threshold is not None:  # scores that are equal but for rounding may have changed places
            order = _pairs(boxes, own_boxes)
            scores, boxes = scores[order], boxes[order]
        size = np.array([*image.shape[1::-1]] * 2, np.float32)
        score = np.abs(scores - self._calibration(own_scores)).max(initial=0)
        return float(score), float((np.abs(boxes - own_boxes) * size).max(initial=0))


def _pairs(boxes: np.ndarray, own_boxes: np.ndarray) -> np.ndarray:
    """Which of `boxes` (N, 4) lies nearest to each of `own_boxes` (N, 4): (N,)."""
    apart = np.abs(boxes[None] - own_boxes[:, None]).sum(axis=2)  # (N, N), rows are our own
    return np.asarray(apart.argmin(axis=1)) if len(apart) else np.zeros(0, int)
