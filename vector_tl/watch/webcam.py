"""A webcam, by OpenCV; a thread empties its buffer, so that what is shown is what is there now."""

import threading
import time
from typing import Self

import cv2
import numpy as np

from vector_tl.data.images import encode_jpeg
from vector_tl.errors import UserError
from vector_tl.watch.sight import JPEG_QUALITY, Sight

FIRST_S, SILENT_S = 8.0, 5.0  # until the first image; without one a camera is gone


class Webcam:
    """See `sight.Source`.

    Args:
        number: of the camera, 0 for the first.

    Raises:
        UserError: there is none, or another program has it.
    """

    kind = "webcam"

    def __init__(self, number: int):
        self.name, self.word = f"webcam {number}", f"watch-webcam{number}"
        before = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our sentence says it
        self._camera = cv2.VideoCapture(number)
        cv2.utils.logging.setLogLevel(before)
        self._changed = threading.Condition()
        self._image: np.ndarray | None = None
        self._heard_s = time.monotonic()
        self._ended = not self._camera.isOpened()
        if self._ended:
            raise UserError(
                f"Webcam {number} cannot be opened; is it plugged in, free of other programs, and may this "
                "user read it (on Linux: group video)? Other cameras have the numbers 0, 1, 2."
            )
        self._thread = threading.Thread(target=self._read, name="webcam", daemon=True)
        self._thread.start()

    def look(self) -> Sight | None:
        """See `Source.look`."""
        with self._changed:
            self._changed.wait_for(lambda: self._image is not None, 1.0)
            image, self._image = self._image, None
        if image is None:
            if time.monotonic() - self._heard_s > SILENT_S:
                raise UserError(f"{self.name} sends no images any more; plug it in again, then start again.")
            return None
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return Sight(rgb, encode_jpeg(rgb, JPEG_QUALITY))

    def _read(self) -> None:
        while not self._ended:
            there, image = self._camera.read()
            if not there:
                time.sleep(0.05)
                continue
            with self._changed:
                self._image, self._heard_s = image, time.monotonic()
                self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended = True
        self._thread.join(2.0)
        self._camera.release()
