"""OpenVINO, the fastest backend on a CPU. PyTorch has no part in it."""

import functools
from typing import Any

import numpy as np
import openvino

from vector_tl.detect.engine import NetworkEngine
from vector_tl.nets.archs import describe
from vector_tl.nets.devices import cpu_threads
from vector_tl.nets.model_file import Weights
from vector_tl.nets.openvino_form import openvino_form


class OpenVinoEngine(NetworkEngine):
    """OpenVINO on the CPU in single precision, one image at a time: batches gain nothing there.

    Where a processor has bfloat16, OpenVINO would use it, for half the time again; scores then move by up to
    0.1, so single precision is demanded.
    """

    name = "openvino (cpu)"

    def __init__(self, weights: Weights, threads: int | None = None):
        """Prepare the network; `threads` of the CPU work on it (`cpu_threads` when None)."""
        description = describe(weights.arch)
        super().__init__(description.size_wh)
        model = openvino_form(description, weights.tensors, len(weights.classes))
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads or cpu_threads(),
        }
        self._request = _core().compile_model(model, "CPU", options).create_infer_request()

    def scores_and_boxes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `NetworkEngine`."""
        scores, boxes = [], []
        for image in images:
            answer = self._request.infer([image[None]])
            scores.append(answer[0].copy())
            boxes.append(answer[1].copy())
        return np.concatenate(scores), np.concatenate(boxes)


@functools.cache
def _core() -> Any:
    """OpenVINO's one core, kept until the process ends.

    When the last one goes, its CPU plugin frees the signal stack that it gave to the thread which made it,
    even if another thread drops it: the next signal then kills the process (seen with 2026.4), where Ctrl-C
    should stop the wheels.
    """
    return openvino.Core()
