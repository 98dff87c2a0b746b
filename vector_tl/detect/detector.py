"""A detector: image in, boxes out."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vector_tl.detect.engines import make_engine
from vector_tl.detect.interface import Detections
from vector_tl.errors import UsageError, UserError
from vector_tl.nets.calibration import UNCALIBRATED, Calibration, calibration_of
from vector_tl.nets.checkpoint import load as load_model
from vector_tl.nets.checkpoint import resolve, threshold_of
from vector_tl.nets.ssd import VectorSSD

log = logging.getLogger(__name__)


def pick_device(device: str = "auto") -> torch.device:
    """The device of a name: cpu, cuda, cuda:1 for the second GPU, or auto, which is CUDA where there is one.

    Raises:
        UsageError: it is no device that this runs on.
        UserError: CUDA was asked for and is not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"--device is auto, cpu, cuda, or cuda:1 for the second GPU; not {device!r}.")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            "This machine has no CUDA device that PyTorch can use; leave out --device or use --device cpu."
        )
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UserError(f"There is no {device}: this machine has {count} CUDA devices, counted from 0.")
    return torch.device(device)


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
        model: VectorSSD,
        name: str,
        threshold: float,
        device: torch.device,
        engine: str = "auto",
        calibration: Calibration = UNCALIBRATED,
    ):
        self.name, self.threshold, self.calibration = name, threshold, calibration
        self.arch, self.init, self.device = model.arch, model.init, device
        self._engine = make_engine(model, device, engine)
        self.engine = self._engine.name
        self(np.zeros((360, 640, 3), np.uint8))  # the first call prepares kernels: not on a robot's time

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """Vectors in one image, uint8 (H, W, 3) RGB, above `threshold` (the model's own when None)."""
        return self.batch([image], threshold)[0]

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


def load(model: str | Path, device: str = "auto", engine: str = "auto") -> Detector:
    """The detector of a model file or a name in `models/`; `engine` is one of `detect.settings.ENGINES`.

    Raises:
        UserError: no such model, not readable, or no such device.
    """
    network, metadata = load_model(model)
    name, threshold = resolve(model).stem, threshold_of(metadata)
    if note := metadata.get("hardly_trained"):
        log.warning("%s: %s", name, note)
    return Detector(network, name, threshold, pick_device(device), engine, calibration_of(metadata))
