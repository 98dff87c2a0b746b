"""One Vector finds another, and shows what transfer learning is worth: capture, train, find, film."""

import sys

__version__ = "0.1.0"
# OpenVINO reports each import to its makers. Where the package that sends is not to be had, it takes a stub
# of its own; said here, it holds for every process of this program.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
