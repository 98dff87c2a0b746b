"""What `vector-tl film` can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class FilmSettings:
    """Two detectors side by side on the same frames, as an MP4 that browsers play.

    Example: vector-tl film runs/first.mcap --left scratch --right transfer --out runs/first.mp4
    """

    input: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="INPUT")]]
    """A recording, a video, a folder of pictures or a picture."""
    left: str
    """The model on the left: a checkpoint's path, or a name in models/."""
    right: str
    """The model on the right."""
    out: Path
    """The film to write, FILE.mp4."""
    overwrite: bool = False
    """Replace an existing film."""
    fps: float | None = None
    """Frames a second of the film: the input's own when not given (2 for pictures)."""
    threshold: float | None = None
    """Show boxes from this score on: each model's own threshold when not given."""
    device: str = "auto"
    """Where the detectors run: auto, cpu or cuda."""
    width: int = 1280
    """Width of the film in pixels."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.out.suffix.lower() != ".mp4":
            raise UsageError(f"--out must name an .mp4 file, not {self.out}.")
        if self.fps is not None and not 0.1 <= self.fps <= 120:
            raise UsageError(f"--fps must be between 0.1 and 120, not {self.fps:g}.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be between 0 and 1, not {self.threshold:g}.")
        if not 320 <= self.width <= 3840:
            raise UsageError(f"--width must be between 320 and 3840, not {self.width}.")
