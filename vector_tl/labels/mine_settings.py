"""Settings of `vector-tl label mine`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from vector_tl.errors import UsageError, refuse_outside


@dataclass(frozen=True)
class MineSettings:
    """Add what a model wrongly sees in your rooms to a dataset, as images without a Vector to train on.

    By this command you say that no Vector is in the INPUTs. The images in which the model sees one all the
    same are shown on a page for one look, and those that you keep become a session of the dataset.

    Example: vector-tl label mine best --data data photos/kitchen kitchen.mp4
    """

    model: Positional[Annotated[str, arg(metavar="MODEL")]]
    """A model file, or a name in models/."""
    inputs: Positional[Annotated[tuple[Path, ...], arg(metavar="INPUT...")]]
    """Images, folders of images, videos or recordings, none of which shows a Vector."""
    data: Path = Path("data")
    """Dataset folder; it need not exist."""
    yes: bool = False
    """Show no page: add all that are found."""
    session: str | None = None
    """Name of the new session; by default mined, or mined-2 and so on."""
    split: Literal["train", "val", "test"] = "train"
    """Split of the new session: val lets its images help to choose the confidence threshold instead."""
    threshold: float | None = None
    """Confidence threshold above which a box is a reason to add an image; by default half of the model's own,
    since what nearly counts in one light may count in another."""
    count: int = 200
    """Add so many images at most, those with the highest scores."""
    novelty: int = 8
    """How different an image must be from those added: 0 takes all but doubles, higher takes fewer. It is the
    number, 0 to 64, of light-dark comparisons that must differ."""
    every_s: float = 0.5
    """Seconds between the frames of a video or recording that are looked at."""
    device: str = "auto"
    """Where the model runs: auto, cpu or cuda (an NVIDIA GPU)."""
    port: int = 0
    """Port of the page on this computer (127.0.0.1); 0 takes a free one."""
    open: bool = False
    """Open the page in this computer's browser."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if not self.inputs:
            raise UsageError("Name at least one image, folder, video or recording without a Vector.")
        refuse_outside("--threshold", self.threshold, 0, 1)
        refuse_outside("--count", self.count, 1, 5000)
        refuse_outside("--novelty", self.novelty, 0, 64)
        refuse_outside("--every-s", self.every_s, 0, 3600)
        refuse_outside("--port", self.port, 0, 65535)
