"""A detector: image in, boxes out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vector_tl.data.images import read_image
from vector_tl.detect.engines import make_engine
from vector_tl.detect.interface import Detections
from vector_tl.nets.calibration import UNCALIBRATED, Calibration, calibration_of
from vector_tl.nets.devices import pick_device
from vector_tl.nets.model_file import Weights, read_weights, resolve, threshold_of

log = logging.getLogger(__name__)


class Detector:
    """A network ready to detect Vectors in images. Calls are not thread-safe; give each thread its own.

    Attributes:
        name: of the model, for people.
        threshold: the model's confidence threshold.
        calibration: from the network's own scores to those that are given.
        arch: name of the network.
        init: where its initial weights came from.
        device: where it runs.
        engine: the backend that runs the network, in words.
    """

    def __init__(
        self,
        weights: Weights,
        name: str,
        threshold: float,
        device: str,
        engine: str = "auto",
        calibration: Calibration = UNCALIBRATED,
        threads: int | None = None,
    ):
        self.name, self.threshold, self.calibration = name, threshold, calibration
        self.arch, self.init, self.device = weights.arch, weights.init, device
        self._engine = make_engine(weights, device, engine, threads)
        self.engine = self._engine.name
        self(np.zeros((360, 640, 3), np.uint8))  # the first call prepares kernels: not on a robot's time

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """Vectors in one image, uint8 (H, W, 3) RGB, above `threshold` (the model's own when None)."""
        return self.batch([image], threshold)[0]

    def detect(self, image: np.ndarray | str | Path, threshold: float | None = None) -> Detections:
        """Vectors in one image.

        Args:
            image: uint8 (H, W, 3) RGB, or a file of any format that `vector-tl detect` reads.
            threshold: 0 to 1; only boxes with a higher score are given. The model's own when None.

        Raises:
            UserError: there is no such file, or it is no image.
            ValueError: an array of another form.
        """
        if isinstance(image, str | Path):
            image = read_image(Path(image))
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"an image is uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}; of an image with "
                "transparency give image[..., :3]"
            )
        return self(image, threshold)

    def batch(self, images: Sequence[np.ndarray], threshold: float | None = None) -> list[Detections]:
        """Vectors in each of several images, which may differ in size."""
        if not images:
            return []
        found = []
        asked = self.threshold if threshold is None else threshold
        chosen = self._engine(images, float(self.calibration.own_scores(asked)))
        for image, (boxes, scores) in zip(images, chosen, strict=True):
            boxes_xyxy = boxes * np.array([*image.shape[1::-1]] * 2, np.float32)
            calibrated = self.calibration(scores).astype(np.float32)
            found.append(Detections(boxes_xyxy.astype(np.float32), calibrated))
        return found


def load(
    model: str | Path, device: str = "auto", engine: str = "auto", threads: int | None = None
) -> Detector:
    """The detector of a model file or a name in `models/`.

    Args:
        model: the file, or its name.
        device: where it runs, see `pick_device`.
        engine: one of `detect.settings.ENGINES`.
        threads: of the CPU; one for each core when None.

    Raises:
        UserError: no such model, not readable, or no such device.
    """
    weights, metadata = read_weights(model)
    name, threshold = resolve(model).stem, threshold_of(metadata)
    if note := metadata.get("hardly_trained"):
        log.warning("%s: %s", name, note)
    where, calibration = pick_device(device), calibration_of(metadata)
    return Detector(weights, name, threshold, where, engine, calibration, threads)
