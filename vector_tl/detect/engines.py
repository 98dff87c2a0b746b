"""The backends that run the network.

PyTorch is the reference everywhere; OpenVINO takes half its time or less on a CPU; a CUDA graph is the
fastest on a GPU.
"""

import functools
import importlib.util
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vector_tl.detect.cuda_graph import CudaGraphEngine, resize_image
from vector_tl.errors import UserError
from vector_tl.nets.ssd import VectorSSD
from vector_tl.nets.suppression import select_boxes

log = logging.getLogger(__name__)


class Engine(Protocol):
    """A backend; `name` is for people: the library and where it runs."""

    name: str

    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes and scores of images, uint8 (H, W, 3) RGB of any sizes.

        Returns:
            For each image boxes (n, 4) xyxy in 0..1 and scores (n,) above the threshold, float32, best first.
        """


class NetworkEngine(ABC):
    """An engine that runs the network alone.

    Resizing before it and the choice of boxes after it are the same for all of these.
    """

    def __init__(self, network: VectorSSD):
        self._size_wh = network.size_wh

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


class BytesToBoxes(nn.Module):
    """The network from bytes to scores and boxes, as one graph."""

    def __init__(self, network: VectorSSD):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 (B, h, w, 3) to scores (B, A) and boxes (B, A, 4) in 0..1."""
        return self.network.predict(images.permute(0, 3, 1, 2).float() / 255)  # (B, 3, h, w), channels last


class TorchEngine(NetworkEngine):
    """PyTorch, eager, BatchNorm folded."""

    def __init__(self, network: VectorSSD, device: torch.device):
        super().__init__(network)
        self.name = f"torch ({device})"
        self._device = device
        self._network = BytesToBoxes(network.to(device, memory_format=torch.channels_last))

    @torch.inference_mode()
    def scores_and_boxes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `NetworkEngine`."""
        scores, boxes = self._network(torch.from_numpy(images).to(self._device))
        return scores.cpu().numpy(), boxes.cpu().numpy()


class OpenVinoEngine(NetworkEngine):
    """OpenVINO on the CPU in single precision, one image at a time: batches gain nothing there.

    Where a processor has bfloat16, OpenVINO would use it, for half the time again; scores then move by up to
    0.1, so single precision is demanded.
    """

    name = "openvino (cpu)"

    def __init__(self, network: VectorSSD):
        from openvino.frontend import FrontEndManager  # optional: PyTorch runs without it
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        super().__init__(network)
        width, height = network.size_wh
        shape = (1, height, width, 3)
        network.requires_grad_(False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sizes of feature maps become constants, as they should
            example = torch.zeros(shape, dtype=torch.uint8)
            traced: Any = torch.jit.trace(BytesToBoxes(network).eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
            # not convert_model, which would look for a way to send usage data
            front = FrontEndManager().load_by_framework("pytorch")
            # the decoder must outlive the conversion
            decoder = TorchScriptPythonDecoder(traced, example_input=example, trace_kwargs={})
            model = front.convert(front.load(decoder))
        model.reshape(list(shape))
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._request = _openvino_core().compile_model(model, "CPU", options).create_infer_request()

    def scores_and_boxes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `NetworkEngine`."""
        scores, boxes = [], []
        for image in images:
            answer = self._request.infer([image[None]])
            scores.append(answer[0].copy())
            boxes.append(answer[1].copy())
        return np.concatenate(scores), np.concatenate(boxes)


@functools.cache
def _openvino_core() -> Any:
    """OpenVINO's one core, kept until the process ends.

    When the last one goes, its CPU plugin frees the signal stack that it gave to the thread which made it,
    even if another thread drops it: the next signal then kills the process (seen with 2026.4), where Ctrl-C
    should stop the wheels.
    """
    import openvino  # optional: PyTorch runs without it

    return openvino.Core()


def make_engine(network: VectorSSD, device: torch.device, engine: str = "auto") -> Engine:
    """The fastest engine for the device, or a given one.

    Args:
        network: BatchNorm is folded into its convolutions, so it cannot be trained afterwards.
        device: where to run.
        engine: one of `detect.settings.ENGINES`.

    Raises:
        UserError: the engine that was asked for is not installed, or cannot run there.
    """
    network = fold_batch_norm(network.eval())
    on_cpu, on_cuda = device.type == "cpu", device.type == "cuda"
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not on_cpu:
        raise UserError("OpenVINO here runs on the CPU only; use --device cpu.")
    if engine == "openvino" and not installed:
        raise UserError("OpenVINO is not installed; run scripts/setup.")
    if engine == "cudagraph" and not on_cuda:
        raise UserError("A CUDA graph needs a CUDA device; use --engine auto.")
    fast = "cudagraph" if on_cuda else "openvino" if on_cpu and installed else "torch"
    if engine == "torch" or fast == "torch":
        return TorchEngine(network, device)
    try:
        return CudaGraphEngine(network, device) if on_cuda else OpenVinoEngine(network)
    except Exception as error:  # of many kinds, all its own
        if engine == fast:
            raise UserError(
                f"{fast} cannot run this network ({type(error).__name__}: {error}); use --engine torch."
            ) from error
        log.warning(
            "%s cannot run this network (%s: %s); PyTorch runs it instead", fast, type(error).__name__, error
        )
        return TorchEngine(network, device)


def fold_batch_norm(model: VectorSSD) -> VectorSSD:
    """Merge each BatchNorm into the convolution before it, in place: the same outputs, sooner."""
    for parent in model.modules():
        for first, second in pairwise(list(parent._modules)):
            conv, norm = parent._modules[first], parent._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = nn.utils.fuse_conv_bn_eval(conv, norm)
                parent._modules[second] = nn.Identity()
    return model
