"""What runs the network: PyTorch, the reference everywhere; OpenVINO, which needs half its time or less on a
CPU; a CUDA graph on a GPU."""

import functools
import importlib.util
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vector_tl.detect.cuda_graph import CudaGraphEngine
from vector_tl.errors import UserError
from vector_tl.nets.ssd import VectorSSD

log = logging.getLogger(__name__)
ENGINES = ("auto", "torch", "openvino", "cudagraph")


class Engine(Protocol):
    """`name` is for people: the library and where it runs."""

    name: str

    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of images of any sizes, uint8 (H, W, 3) RGB, the boxes (n, 4) xyxy in 0..1 and their scores (n,),
        float32, best first."""


class NetworkEngine(ABC):
    """An engine that runs the network alone; resizing before it and the choice of boxes after it are the same
    for all such."""

    def __init__(self, network: VectorSSD):
        self._size_wh, self._select = network.size_wh, network.select

    @abstractmethod
    def scores_and_boxes(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        """Of images of the network's own size, uint8 (B, h, w, 3) RGB, scores (B, A) and boxes_xyxy (B, A, 4)
        in 0..1."""

    @torch.inference_mode()
    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        size = self._size_wh
        resized = np.stack(
            [
                p if (p.shape[1], p.shape[0]) == size else cv2.resize(p, size, interpolation=cv2.INTER_LINEAR)
                for p in images
            ]
        )
        return [
            (boxes.cpu().numpy(), scores.cpu().numpy())
            for boxes, scores in self._select(*self.scores_and_boxes(resized), threshold)
        ]


class TorchEngine(NetworkEngine):
    """PyTorch, eager, BatchNorm folded."""

    def __init__(self, network: VectorSSD, device: torch.device):
        super().__init__(network)
        self.name = f"torch ({device})"
        self._network, self._device = network.to(device, memory_format=torch.channels_last), device

    @torch.inference_mode()
    def scores_and_boxes(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        pixels = (
            torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)
        )  # (B, 3, h, w), channels last in memory
        return self._network.scores_and_boxes(self._network.raw(pixels.float().div_(255)))


class OpenVinoEngine(NetworkEngine):
    """OpenVINO on the CPU in single precision, one image at a time: batches gain nothing there.

    Where a processor has bfloat16, OpenVINO would use it, for half the time again; scores then move by up to
    0.1, so it is told not to.
    """

    name = "openvino (cpu)"

    def __init__(self, network: VectorSSD):
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        super().__init__(network)
        width, height = network.size_wh
        shape = (1, height, width, 3)
        network.requires_grad_(False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sizes of feature maps become constants, as they should
            example = torch.zeros(shape, dtype=torch.uint8)
            traced = torch.jit.trace(_FromBytes(network).eval(), example, check_trace=False)
            front = FrontEndManager().load_by_framework(
                "pytorch"
            )  # not convert_model, which would look for a way to send usage data
            decoder = TorchScriptPythonDecoder(
                traced, example_input=example, trace_kwargs={}
            )  # must outlive the conversion
            model = front.convert(front.load(decoder))
        model.reshape(list(shape))
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._request = _openvino_core().compile_model(model, "CPU", options).create_infer_request()

    def scores_and_boxes(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        scores, boxes = [], []
        for image in images:
            answer = self._request.infer([image[None]])
            scores.append(torch.from_numpy(answer[0].copy()))
            boxes.append(torch.from_numpy(answer[1].copy()))
        return torch.cat(scores), torch.cat(boxes)


@functools.cache
def _openvino_core():
    """OpenVINO's one core, kept until the process ends.

    When the last one goes, its CPU plugin frees the signal stack that it gave to the thread which made it,
    even if another thread drops it: the next signal then kills the process (seen with 2026.4), where Ctrl-C
    should stop the wheels.
    """
    import openvino

    return openvino.Core()


class _FromBytes(nn.Module):
    """The network from bytes to scores and boxes, as one graph."""

    def __init__(self, network: VectorSSD):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.scores_and_boxes(self.network.raw(images.permute(0, 3, 1, 2).float() / 255))


def make_engine(network: VectorSSD, device: torch.device, engine: str = "auto") -> Engine:
    """The fastest engine for the device. It takes the network over: BatchNorm is folded into the
    convolutions, so it cannot be trained on.

    Raises:
        UserError: the engine that was asked for is not installed, or cannot run there.
    """
    network = fold_batch_norm(network.eval())
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and (device.type != "cpu" or not installed):
        raise UserError(
            f"OpenVINO {'is not installed; run scripts/setup' if device.type == 'cpu' else 'here runs on the CPU only; use --device cpu'}."
        )
    if engine == "cudagraph" and device.type != "cuda":
        raise UserError("A CUDA graph needs a CUDA device; use --engine auto.")
    fast = (
        "cudagraph"
        if device.type == "cuda"
        else "openvino"
        if device.type == "cpu" and installed
        else "torch"
    )
    if engine == "torch" or fast == "torch":
        return TorchEngine(network, device)
    try:
        return CudaGraphEngine(network, device) if fast == "cudagraph" else OpenVinoEngine(network)
    except Exception as error:  # of many kinds, all its own
        if engine == fast:
            raise UserError(
                f"{fast} cannot run this network ({type(error).__name__}: {error}); use --engine torch."
            ) from error
        log.warning("%s cannot run this network (%s: %s); PyTorch does", fast, type(error).__name__, error)
        return TorchEngine(network, device)


def fold_batch_norm(model: VectorSSD) -> VectorSSD:
    """Merge each BatchNorm into the convolution before it (in place): the same outputs with fewer passes over
    memory."""
    for parent in model.modules():
        for first, second in pairwise(list(parent._modules)):
            conv, norm = parent._modules[first], parent._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = nn.utils.fuse_conv_bn_eval(conv, norm)
                parent._modules[second] = nn.Identity()
    return model
