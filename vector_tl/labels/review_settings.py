"""Settings of `vector-tl label suggest` and `vector-tl label review`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class SuggestSettings:
    """Suggest boxes for images: from a model, or copied from labels to the frames beside them.

    A suggestion becomes a label once you accept it in `vector-tl label review`.

    Example: vector-tl label suggest --data data --model transfer
    """

    data: Path = Path("data")
    """Folder of the dataset."""
    model: str | None = None
    """A model file, or a name in models/."""
    carry: int | None = None
    """Copy the boxes of labelled images to so many unlabelled frames before and after each, where they follow
    the Vector."""
    session: str | None = None
    """Suggest only for this session."""
    threshold: float | None = None
    """Confidence threshold above which a box is suggested; by default the model's own."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.model is None and self.carry is None:
            raise UsageError(
                "Name what should suggest: --model MODEL, or --carry FRAMES to copy boxes from labelled "
                "images."
            )
        if self.carry is not None and not 1 <= self.carry <= 1000:
            raise UsageError(f"--carry must be from 1 to 1000 frames, not {self.carry}.")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise UsageError(f"--threshold must be above 0 and below 1, not {self.threshold:g}.")


@dataclass(frozen=True)
class ReviewSettings:
    """Review images in the browser: accept, correct or draw boxes by keyboard and mouse; ? shows the keys.

    Every decision is saved before the next image is shown, and can be undone later, also after a restart.
    Ctrl-C ends the review.

    Example: vector-tl label review --data data --filter suggested
    """

    data: Path = Path("data")
    """Folder of the dataset."""
    filter: Literal["all", "unlabelled", "suggested", "disagreement", "bin"] = "unlabelled"
    """Which images to show first: all, those without a label (unlabelled), those with a suggestion that you
    have not answered (suggested), those where model and label differ (disagreement), or those in the bin."""
    session: str | None = None
    """Show only this session."""
    port: int = 0
    """Port of the page on this computer; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address to serve the page at; with 0.0.0.0 or this machine's own one, other computers that have the
    page's address with its token can see the images and change their labels."""
    open: bool = False
    """Open the page in this computer's browser."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port must be from 0 to 65535, not {self.port}.")
