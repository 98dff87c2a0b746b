"""PyTorch, the reference backend everywhere, and what GPUs run on."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from vector_tl.detect.cuda_graph import CudaGraphEngine
from vector_tl.detect.engine import Engine, NetworkEngine
from vector_tl.nets.checkpoint import network_of
from vector_tl.nets.model_file import Weights
from vector_tl.nets.ssd import VectorSSD


class BytesToBoxes(nn.Module):
    """The network from bytes to scores and boxes, as one graph."""

    def __init__(self, network: VectorSSD):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 (B, h, w, 3) to scores (B, A) and boxes (B, A, 4) in 0..1."""
        return self.network.predict(images.permute(0, 3, 1, 2).float() / 255)  # (B, 3, h, w), channels last


class TorchEngine(NetworkEngine):
    """PyTorch, eager, of a network whose BatchNorm is folded."""

    def __init__(self, network: VectorSSD, device: torch.device):
        super().__init__(network.size_wh)
        self.name = f"torch ({device})"
        self._device = device
        self._network = BytesToBoxes(network.to(device, memory_format=torch.channels_last))

    @torch.inference_mode()
    def scores_and_boxes(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `NetworkEngine`."""
        scores, boxes = self._network(torch.from_numpy(images).to(self._device))
        return scores.cpu().numpy(), boxes.cpu().numpy()


def torch_engine(weights: Weights, device: str) -> Engine:
    """PyTorch on a device."""
    return TorchEngine(fold_batch_norm(network_of(weights)), torch.device(device))


def cuda_graph_engine(weights: Weights, device: str) -> Engine:
    """A CUDA graph.

    Raises:
        RuntimeError: see `CudaGraphEngine`.
    """
    return CudaGraphEngine(fold_batch_norm(network_of(weights)), torch.device(device))


def fold_batch_norm(model: VectorSSD) -> VectorSSD:
    """Merge each BatchNorm into the convolution before it, in place: the same outputs, sooner."""
    for parent in model.modules():
        for first, second in pairwise(list(parent._modules)):
            conv, norm = parent._modules[first], parent._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = nn.utils.fuse_conv_bn_eval(conv, norm)
                parent._modules[second] = nn.Identity()
    return model
