"""What runs the network: PyTorch, the reference everywhere, or OpenVINO, which needs half its time or less on a CPU.

An engine takes pictures of the network's own size, uint8 (B, h, w, 3) RGB, and gives scores (B, A) and boxes_xyxy (B, A, 4) in 0..1.
"""

import importlib.util
import logging
import warnings
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vector_tl.errors import UserError
from vector_tl.nets.ssd import VectorSSD

log = logging.getLogger(__name__)
ENGINES = ("auto", "torch", "openvino")


class Engine(Protocol):
    """`name` is for people: the library and where it runs."""

    name: str

    def __call__(self, pictures: np.ndarray) -> tuple[Tensor, Tensor]: ...


class TorchEngine:
    """PyTorch, eager, BatchNorm folded."""

    def __init__(self, network: VectorSSD, device: torch.device):
        self.name = f"torch ({device})"
        self._network, self._device = network.to(device, memory_format=torch.channels_last), device

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)  # (B, 3, h, w), channels last in memory
        return self._network.scores_and_boxes(self._network.raw(pixels.float().div_(255)))


class OpenVinoEngine:
    """OpenVINO on the CPU in single precision, one picture at a time: batches gain nothing there.

    Where a processor has bfloat16, OpenVINO would use it, for half the time again; scores then move by up to 0.1, so it is told not to.
    """

    name = "openvino (cpu)"

    def __init__(self, network: VectorSSD):
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        width, height = network.size_wh
        shape = (1, height, width, 3)
        network.requires_grad_(False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sizes of feature maps become constants, as they should
            example = torch.zeros(shape, dtype=torch.uint8)
            traced = torch.jit.trace(_FromBytes(network).eval(), example, check_trace=False)
            front = FrontEndManager().load_by_framework("pytorch")  # not convert_model, which would look for a way to send usage data
            decoder = TorchScriptPythonDecoder(traced, example_input=example, trace_kwargs={})  # must outlive the conversion
            model = front.convert(front.load(decoder))
        model.reshape(list(shape))
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
        scores, boxes = [], []
        for picture in pictures:
            answer = self._request.infer([picture[None]])
            scores.append(torch.from_numpy(answer[0].copy()))
            boxes.append(torch.from_numpy(answer[1].copy()))
        return torch.cat(scores), torch.cat(boxes)


class _FromBytes(nn.Module):
    """The network from bytes to scores and boxes, as one graph."""

    def __init__(self, network: VectorSSD):
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.scores_and_boxes(self.network.raw(pictures.permute(0, 3, 1, 2).float() / 255))


def make_engine(network: VectorSSD, device: torch.device, engine: str = "auto") -> Engine:
    """The fastest engine for the device. It takes the network over: BatchNorm is folded into the convolutions, so it cannot be trained on.

    Raises:
        UserError: the engine that was asked for is not installed, or cannot run there.
    """
    network = fold_batch_norm(network.eval())
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and (device.type != "cpu" or not installed):
        raise UserError(f"OpenVINO {'is not installed; run scripts/setup' if device.type == 'cpu' else 'here runs on the CPU only; use --device cpu'}.")
    if engine == "torch" or device.type != "cpu" or not installed:
        return TorchEngine(network, device)
    try:
        return OpenVinoEngine(network)
    except Exception as error:  # of many kinds, all its own
        if engine == "openvino":
            raise UserError(f"OpenVINO cannot run this network ({type(error).__name__}); use --engine torch.") from error
        log.warning("OpenVINO cannot run this network (%s); PyTorch does", type(error).__name__)
        return TorchEngine(network, device)


def fold_batch_norm(model: VectorSSD) -> VectorSSD:
    """Merge each BatchNorm into the convolution before it (in place): the same outputs with fewer passes over memory."""
    for parent in model.modules():
        for first, second in pairwise(list(parent._modules)):
            conv, norm = parent._modules[first], parent._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = nn.utils.fuse_conv_bn_eval(conv, norm)
                parent._modules[second] = nn.Identity()
    return model
