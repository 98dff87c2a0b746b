"""The options of `vector-tl export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vector_tl.errors import UsageError, refuse_outside, refuse_suffix

Format = Literal["onnx", "openvino", "tflite"]
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "tflite": ".tflite"}


@dataclass(frozen=True)
class ExportSettings:
    """Write a model for other programs, and compare what it sees with the original.

    docs/exports.md shows how to use each in ten lines. The file holds labels and confidence threshold.

    Example: vector-tl export best --format onnx --out best.onnx --suppression
    """

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="MODEL")]]
    """A model file, or a name in models/."""
    format: Format
    """onnx, openvino (which also writes FILE.bin), or tflite."""
    out: Path
    """The file to write: FILE.onnx, FILE.xml or FILE.tflite."""
    suppression: bool = False
    """With onnx: choose the boxes in the file, so that it gives those above the threshold only, best first,
    as vector-tl detect does."""
    threshold: float | None = None
    """The confidence threshold in the file, 0 to 1: the model's own when not given."""
    data: Path = Path("data")
    """Images to compare with the original on: 20 of this folder, or drawn ones where it has none."""
    overwrite: bool = False
    """Replace an existing file."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        refuse_suffix("--out", self.out, SUFFIXES[self.format])
        refuse_outside("--threshold", self.threshold, 0, 1)
        if self.suppression and self.format != "onnx":
            raise UsageError("--suppression is for --format onnx; the others give all boxes.")

    @property
    def files(self) -> list[Path]:
        """All that is written."""
        return [self.out, *[self.out.with_suffix(".bin")] * (self.format == "openvino")]
