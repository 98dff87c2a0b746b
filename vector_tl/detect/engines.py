"""The choice of the backend that runs the network.

PyTorch is the reference everywhere; OpenVINO takes half its time or less on a CPU; a CUDA graph is the
fastest on a GPU. Each is imported only where it runs.
"""

import importlib.util
import logging

from vector_tl.detect.engine import Engine
from vector_tl.errors import UserError
from vector_tl.nets.model_file import Weights

log = logging.getLogger(__name__)


def make_engine(weights: Weights, device: str, engine: str = "auto", threads: int | None = None) -> Engine:
    """The fastest engine for the device, or a given one.

    Args:
        weights: of the network.
        device: where to run: cpu, cuda or cuda:N.
        engine: one of `detect.settings.ENGINES`.
        threads: of the CPU, for OpenVINO; one for each core when None.

    Raises:
        UserError: the engine that was asked for is not installed, or cannot run there.
    """
    on_cpu, installed = device == "cpu", importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not on_cpu:
        raise UserError("OpenVINO here runs on the CPU only; use --device cpu.")
    if engine == "openvino" and not installed:
        raise UserError("OpenVINO is not installed; run scripts/setup.")
    if engine == "cudagraph" and on_cpu:
        raise UserError("A CUDA graph needs a CUDA device; use --engine auto.")
    fast = "torch" if on_cpu and not installed else "openvino" if on_cpu else "cudagraph"
    if engine == "torch" or fast == "torch":
        return _torch(weights, device)
    try:
        return _openvino(weights, threads) if on_cpu else _cuda_graph(weights, device)
    except Exception as error:  # of many kinds, all its own
        if engine == fast or importlib.util.find_spec("torch") is None:
            raise UserError(
                f"{fast} cannot run this network ({type(error).__name__}: {error}); use --engine torch."
            ) from error
        log.warning(
            "%s cannot run this network (%s: %s); PyTorch runs it instead", fast, type(error).__name__, error
        )
        return _torch(weights, device)


def _openvino(weights: Weights, threads: int | None) -> Engine:
    from vector_tl.detect.openvino_engine import OpenVinoEngine  # optional: PyTorch runs without it

    return OpenVinoEngine(weights, threads)


def _cuda_graph(weights: Weights, device: str) -> Engine:
    from vector_tl.detect.torch_engine import cuda_graph_engine  # brings PyTorch, which a CPU does without

    return cuda_graph_engine(weights, device)


def _torch(weights: Weights, device: str) -> Engine:
    from vector_tl.detect.torch_engine import torch_engine  # brings PyTorch, which a CPU does without

    return torch_engine(weights, device)
