"""The choice of the backend that runs the network.

PyTorch is the reference everywhere; OpenVINO takes half its time or less on a CPU; a CUDA graph is the
fastest on a GPU. Each is imported only where it runs.
"""

import importlib.util
import logging

from vector_tl.detect.engine import Engine, OnCpu
from vector_tl.errors import UserError
from vector_tl.nets.model_file import Weights

log = logging.getLogger(__name__)


def make_engine(weights: Weights, device: str, engine: str = "auto", on_cpu: OnCpu | None = None) -> Engine:
    """The fastest engine for the device, or a given one.

    Args:
        weights: of the network.
        device: where to run: cpu, cuda or cuda:N.
        engine: one of `detect.settings.ENGINES`.
        on_cpu: how OpenVINO runs it.

    Raises:
        UserError: the engine that was asked for is not installed, or cannot run there.
    """
    is_cpu, installed = device == "cpu", has_openvino()
    if engine == "openvino" and not is_cpu:
        raise UserError("OpenVINO here runs on the CPU only; use --device cpu.")
    if engine == "openvino" and not installed:
        raise UserError("OpenVINO is not installed; run scripts/setup.")
    if engine == "cudagraph" and is_cpu:
        raise UserError("A CUDA graph needs a CUDA device; use --engine auto.")
    fast = "torch" if is_cpu and not installed else "openvino" if is_cpu else "cudagraph"
    if engine == "torch" or fast == "torch":
        return _torch(weights, device)
    try:
        return _openvino(weights, on_cpu) if is_cpu else _cuda_graph(weights, device)
    except Exception as error:  # of many kinds, all its own
        if engine == fast or importlib.util.find_spec("torch") is None:
            raise UserError(
                f"{fast} cannot run this network ({type(error).__name__}: {error}); use --engine torch."
            ) from error
        log.warning(
            "%s cannot run this network (%s: %s); PyTorch runs it instead", fast, type(error).__name__, error
        )
        return _torch(weights, device)


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def _openvino(weights: Weights, how: OnCpu | None) -> Engine:
    from vector_tl.detect.openvino_engine import OpenVinoEngine  # optional: PyTorch runs without it

    return OpenVinoEngine(weights, how)


def _cuda_graph(weights: Weights, device: str) -> Engine:
    from vector_tl.detect.torch_engine import cuda_graph_engine  # brings PyTorch, which a CPU does without

    return cuda_graph_engine(weights, device)


def _torch(weights: Weights, device: str) -> Engine:
    from vector_tl.detect.torch_engine import torch_engine  # brings PyTorch, which a CPU does without

    return torch_engine(weights, device)
