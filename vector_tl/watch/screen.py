"""The screen or a part of it, by mss (optional: `pip install mss`)."""

from typing import Self

import numpy as np

from vector_tl.data.images import encode_jpeg
from vector_tl.errors import UserError
from vector_tl.limits import refuse_pixels
from vector_tl.watch.sight import JPEG_QUALITY, Sight


class Screen:
    """See `sight.Source`.

    Args:
        part: left, top, width, height in pixels; the first screen as a whole when None.

    Raises:
        UserError: mss is not installed, or there is no screen that programs may read.
    """

    kind, word = "screen", "watch-screen"

    def __init__(self, part: tuple[int, ...] | None = None):
        try:
            import mss  # optional
        except ImportError as error:
            raise UserError(
                "The screen is read by mss, which is not installed; run pip install mss."
            ) from error
        self._no_screen = mss.ScreenShotError
        try:
            self._mss = mss.MSS()
            names = ("left", "top", "width", "height")
            self._part = dict(zip(names, part, strict=True)) if part else self._mss.monitors[1]
            refuse_pixels(self._part["width"], self._part["height"], "This part of the screen")
            self.look()
        except (mss.ScreenShotError, IndexError, ValueError) as error:
            raise UserError(
                f"The screen cannot be read ({error}): is there one, is the part inside it, and is it not "
                "Wayland, which lets no program read it?"
            ) from error
        self.name = "the screen" if part is None else "screen {},{},{},{}".format(*part)

    def look(self) -> Sight | None:
        """See `Source.look`."""
        try:
            shot = self._mss.grab(self._part)
        except self._no_screen as error:
            raise UserError(f"The screen cannot be read any more ({error}).") from error
        image = np.ascontiguousarray(np.asarray(shot)[..., 2::-1])  # BGRA to RGB
        return Sight(image, encode_jpeg(image, JPEG_QUALITY))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._mss.close()
