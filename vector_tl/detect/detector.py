"""A detector: image in, boxes out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vector_tl.data.images import read_image
from vector_tl.detect.engine import OnCpu
from vector_tl.detect.engines import has_openvino, make_engine
from vector_tl.detect.interface import Detections
from vector_tl.errors import UserError
from vector_tl.nets.calibration import UNCALIBRATED, Calibration, calibration_of
from vector_tl.nets.devices import pick_device
from vector_tl.nets.model_file import Precision, Weights, read_weights, resolve, threshold_of

log = logging.getLogger(__name__)


class Detector:
    """A network ready to detect Vectors in images. As many threads as it has lanes may call it at once.

    Attributes:
        name: of the model, for people.
        threshold: the model's confidence threshold.
        calibration: from the network's own scores to those that are given.
        arch: name of the network.
        init: where its initial weights came from.
        device: where it runs.
        engine: the backend that runs the network, in words.
        precision: in which a CPU computes.
        lanes: see `Engine`; 1 unless it works on images side by side.
    """

    def __init__(
        self,
        weights: Weights,
        name: str,
        threshold: float,
        device: str,
        engine: str = "auto",
        calibration: Calibration = UNCALIBRATED,
        on_cpu: OnCpu | None = None,
    ):
        self.name, self.threshold, self.calibration = name, threshold, calibration
        self.arch, self.init, self.device = weights.arch, weights.init, device
        self.precision: Precision = (on_cpu or OnCpu()).precision
        self._engine = make_engine(weights, device, engine, on_cpu)
        self.engine, self.lanes = self._engine.name, self._engine.lanes
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
    model: str | Path,
    device: str = "auto",
    engine: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    side_by_side: bool = False,
    measure: bool = True,
) -> Detector:
    """The detector of a model file or a name in `models/`.

    Args:
        model: the file, or its name.
        device: where it runs, see `pick_device`.
        engine: one of `detect.settings.ENGINES`.
        threads: of the CPU; one for each core when None.
        precision: in which a CPU computes, see `choose_precision`.
        side_by_side: several threads will give it images, to be done with many of them sooner.
        measure: whether to measure first which precision is the fastest here, where that is not known yet.

    Raises:
        UserError: no such model, not readable, no such device, or no such precision there.
    """
    weights, metadata = read_weights(model)
    name, where = resolve(model).stem, pick_device(device)
    if note := metadata.get("hardly_trained"):
        log.warning("%s: %s", name, note)
    chosen: Precision = "fp32"
    if where == "cpu" and engine != "torch" and has_openvino():
        from vector_tl.detect.precision import choose_precision  # brings OpenVINO

        choice = choose_precision(precision, weights, metadata, threads, measure)
        chosen = choice.precision
        log.log(
            logging.INFO if choice.held_back else logging.DEBUG,
            "%s computes in %s: %s",
            name,
            chosen,
            choice.why,
        )
    elif precision not in ("auto", "fp32"):
        raise UserError(
            f"--precision {precision} is for OpenVINO on a CPU; leave it out, or use --device cpu."
        )
    threshold, on_cpu = threshold_of(metadata, chosen), OnCpu(threads, chosen, side_by_side)
    return Detector(weights, name, threshold, where, engine, calibration_of(metadata), on_cpu)
