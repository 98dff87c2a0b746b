"""Settings of `vector-tl label suggest` and `vector-tl label review`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class SuggestSettings:
    """Suggest boxes for images: from a model, or from labels carried through the frames beside them. They are labels only once you accept them.

    Example: vector-tl label suggest --data data --model transfer
    """

    data: Path = Path("data")
    """Folder of the dataset."""
    model: str | None = None
    """A model file, or a name in models/."""
    carry: int | None = None
    """Carry the boxes of labelled images to so many unlabelled frames before and after each, in the order of names."""
    session: str | None = None
    """Only this session."""
    threshold: float | None = None
    """Score above which a box is suggested; the model's own when not given."""
    device: str = "auto"
    """cpu, cuda or auto."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.model is None and self.carry is None:
            raise UsageError(
                "Say where suggestions are to come from: --model MODEL, or --carry FRAMES from the labels that are there."
            )
        if self.carry is not None and not 1 <= self.carry <= 1000:
            raise UsageError(f"--carry must be from 1 to 1000 frames, not {self.carry}.")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise UsageError(f"--threshold must be above 0 and below 1, not {self.threshold:g}.")


@dataclass(frozen=True)
class ReviewSettings:
    """Look through images in the browser and accept, correct or draw their boxes by keyboard and mouse; ? shows the keys.

    Every decision is on disk before the next image shows, and can be undone later, also after a restart. End it with Ctrl-C.

    Example: vector-tl label review --data data --filter suggested
    """

    data: Path = Path("data")
    """Folder of the dataset."""
    filter: Literal["all", "unlabelled", "suggested", "disagreement", "bin"] = "unlabelled"
    """Which images to show first: those without a label, with a suggestion waiting, where model and label disagree, in the bin, or all."""
    session: str | None = None
    """Only this session."""
    port: int = 0
    """Port on 127.0.0.1; 0 takes a free one."""
    open: bool = False
    """Open the page in the browser of this machine."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port must be from 0 to 65535, not {self.port}.")
