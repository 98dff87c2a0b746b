"""A video or recording at its own pace, and a folder image by image."""

import time
from collections.abc import Iterator
from pathlib import Path

from vector_tl.data.images import encode_jpeg
from vector_tl.data.media import MediaFrame, media_files, open_media
from vector_tl.errors import UserError
from vector_tl.watch.sight import JPEG_QUALITY, Sight

IMAGE_S = 1.0  # for which an image of a folder is shown
# How long frames that are late may be read and left out before one is shown, and how late it may be then.
CATCH_UP_S, LATE_S = 0.1, 0.5


class MediaSource:
    """See `Source`: a video or recording at its own pace, a folder image by image.

    Frames are left out where the models are too slow for it, and it is shown slower where reading is.

    Args:
        path: the file or folder.
        again: begin again at the end.

    Raises:
        UserError: there is no such file, or no image in it.
    """

    kind, word = "file", "watch"

    def __init__(self, path: Path, again: bool = True):
        if not path.exists():
            raise UserError(
                f"There is no {path}; name a webcam's number, a video, a folder of images, screen, a robot's "
                "serial (8 digits and letters a to f), or sim."
            )
        self.name, self._again = path.name or str(path), again
        self._paths = media_files(path) if path.is_dir() else [path]
        self._frames = self._all_frames()
        self._start_s: float | None = None
        self._next = self._take()  # fails at once where nothing can be shown

    def look(self) -> Sight | None:
        """See `Source.look`."""
        if self._start_s is None:
            self._start_s = time.monotonic()
        now_s = time.monotonic() - self._start_s
        if self._next is None:
            raise StopIteration
        due_s, frame = self._next
        if due_s > now_s:
            time.sleep(min(due_s - now_s, 1.0))
            return None
        self._next = self._take()
        until_s = time.monotonic() + CATCH_UP_S
        while self._next is not None and self._next[0] <= now_s and time.monotonic() < until_s:
            (due_s, frame), self._next = self._next, self._take()  # late: the newest that is due
        if now_s - due_s > LATE_S:  # reading alone takes longer than the video lasts: it is shown slower
            self._start_s += now_s - due_s
        image = frame.image
        if image is None:  # not of these frames
            return None
        jpeg = frame.recorded.jpeg if frame.recorded else encode_jpeg(image, JPEG_QUALITY)
        return Sight(image, jpeg, frame.path.name if len(self._paths) > 1 else "")

    def _take(self) -> tuple[float, MediaFrame] | None:
        return next(self._frames, None)

    def _all_frames(self) -> Iterator[tuple[float, MediaFrame]]:
        """Frames, each with the time at which it is due, without those that cannot be read."""
        begin_s = 0.0
        while True:
            shown_before = begin_s
            for path in self._paths:
                first_s: float | None = None
                due_s, gap_s = begin_s, 0.0
                for frame in self._readable(path):
                    first_s = frame.t_s if first_s is None else first_s
                    gap_s = max(begin_s + frame.t_s - first_s - due_s, 0.0)
                    due_s += gap_s
                    yield due_s, frame
                if first_s is not None:
                    begin_s = due_s + (gap_s or IMAGE_S)
            if begin_s == shown_before:
                raise UserError(f"Nothing in {self.name} can be shown as an image; name another source.")
            if not self._again:
                return

    def _readable(self, path: Path) -> Iterator[MediaFrame]:
        try:
            yield from (frame for frame in open_media(path).frames() if frame.image is not None)
        except UserError:
            if len(self._paths) == 1:
                raise
