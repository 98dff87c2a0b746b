"""Settings of `python -m vector_tl.bulk`."""

from dataclasses import dataclass
from pathlib import Path

from vector_tl.capture.settings import CaptureSettings


@dataclass(frozen=True)
class BulkSettings:
    """Draw labelled simulated images into a dataset, many times as fast as `vector-tl capture`.

    Images that are there already are kept and counted, so what was interrupted continues where it stopped.
    """

    data: Path
    """Folder of the dataset; it is made when missing, and extended when not."""
    count: int
    """Number of images wanted, of this seed in the dataset."""
    seed: int = 0
    """The same seed gives the same images; another seed adds new rooms to the dataset."""
    images_per_room: int = 4
    """Number of images in each room. Furnishing one takes as long as drawing a few images of it."""
    negative_share: float = 0.16
    """Share of images without a Vector in view (0 to 1)."""
    moving: float = 0.25
    """Share of images taken while driving, with motion blur (0 to 1)."""
    val: float = 0.15
    """Share of the sessions in split val (0 to 1)."""
    test: float = 0.15
    """Share of the sessions in split test (0 to 1); all others are in train."""
    kinds: tuple[str, ...] = ()
    """As with `vector-tl capture`: every room is of all these kinds, or with mixed of some at random."""
    backgrounds: Path | None = None
    """Draw the Vectors in front of the photographs in this folder."""
    negatives: bool = False
    """No Vector is in view in any of these images."""
    held_out: bool = False
    """As with `vector-tl capture`: rooms, things and looks to measure by, all in split test."""
    masks: bool = False
    """Also write where each Vector is seen in an image (masks/), for train --paste."""

    def as_capture(self) -> CaptureSettings:
        """The same for `vector-tl capture`.

        Raises:
            UsageError: values that make no sense.
        """
        same = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "images_per_room"}
        settings = CaptureSettings(images_per_session=self.images_per_room, **same)
        settings.check()
        return settings
