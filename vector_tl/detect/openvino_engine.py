"""OpenVINO, the fastest backend on a CPU. PyTorch has no part in it."""

import queue
from typing import Any

import numpy as np

from vector_tl.detect.compiled import compile_network
from vector_tl.detect.engine import NetworkEngine, OnCpu
from vector_tl.nets.archs import describe
from vector_tl.nets.devices import cpu_threads
from vector_tl.nets.model_file import Weights


class OpenVinoEngine(NetworkEngine):
    """OpenVINO on the CPU, one image at a time, or several side by side.

    All threads work on one image, which is the soonest for a robot that waits; or each on an image of its
    own, which is the most images a second. Several threads may call it at once.
    """

    def __init__(self, weights: Weights, how: OnCpu | None = None):
        """Prepare the network.

        Args:
            weights: of the network.
            how: `threads` of the CPU work on it, `cpu_threads` when None, in a `precision`; with
                `side_by_side` on as many images at a time.
        """
        super().__init__(describe(weights.arch).size_wh)
        how = how or OnCpu()
        threads = how.threads or cpu_threads()
        self.lanes = threads if how.side_by_side else 1
        self.name = f"openvino (cpu, {how.precision})"
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT" if how.side_by_side else "LATENCY",
            "NUM_STREAMS": self.lanes,
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled = compile_network(weights, how.precision, options)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.lanes):
            self._free.put(compiled.create_infer_request())

    def scores_and_boxes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `NetworkEngine`."""
        scores, boxes = [], []
        for image in images:
            request = self._free.get()
            try:
                answer = request.infer([image[None]])
                scores.append(answer[0].copy())
                boxes.append(answer[1].copy())
            finally:
                self._free.put(request)
        return np.concatenate(scores), np.concatenate(boxes)
