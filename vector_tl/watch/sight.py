"""What every source gives: the newest image, as pixels and as a JPEG."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

JPEG_QUALITY = 90  # of images that do not come as JPEG


@dataclass(frozen=True)
class Sight:
    """One image: its pixels, and the file's bytes that are shown and kept."""

    image_rgb: np.ndarray  # (H, W, 3) uint8
    jpeg: bytes
    about: str = ""  # a file's name

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image_rgb.shape[1], self.image_rgb.shape[0]


class Source(Protocol):
    """Where images come from.

    Attributes:
        name: for people.
        kind: webcam, file, screen or robot.
        word: what names of sessions begin with.
    """

    name: str
    kind: str
    word: str

    def look(self) -> Sight | None:
        """The newest image, if there is one that was not given yet; waits for it, for a second at most.

        Raises:
            UserError: the source is gone.
            StopIteration: it has ended.
        """
