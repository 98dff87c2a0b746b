"""One Vector finds another, and shows what transfer learning is worth: capture, train, find, film."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vector_tl.api import Detections, Detector, Robot, load, record

__version__ = "0.1.0"
__all__ = ["Detections", "Detector", "Robot", "__version__", "load", "record"]
# OpenVINO reports each import to its makers. Where the package that sends is not to be had, it takes a stub
# of its own; said here, it holds for every process of this program.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    """The names of `vector_tl.api`, imported when they are first used: the rest of a start stays fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("vector_tl.api"), name)
