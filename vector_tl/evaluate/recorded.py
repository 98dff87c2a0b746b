"""A recording as a dataset: its frames with the simulator's ground truth, or with labels beside it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from vector_tl.data.boxes import to_norm
from vector_tl.data.dataset import Item
from vector_tl.data.images import decode_image, decode_or_none, whole_jpeg_size
from vector_tl.data.recording import Place, RecordedFrame, read_jpeg, read_recording
from vector_tl.data.sidecar_labels import label_of_frame, labels_beside
from vector_tl.errors import UserError
from vector_tl.plain import counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordedItem(Item):
    """A frame of a recording; its image is read when it is asked for, as hours of them fill the memory."""

    place: Place | None = None

    def image(self) -> np.ndarray:
        """The image (H, W, 3), RGB.

        Raises:
            UserError: the frame is damaged, or the file was changed.
        """
        assert self.place is not None
        jpeg = read_jpeg(self.image_path, self.place)
        return decode_image(jpeg, f"frame {self.name} of {self.image_path}")


class RecordedItems(Sequence[Item]):
    """The frames with ground truth, found one after another as they are asked for.

    `len` reads the file to its end, and so does `unlabelled`.
    """

    def __init__(self, path: Path):
        self._path, self._labels, self._recording = path, labels_beside(path), read_recording(path)
        self._frames = iter(self._recording)
        self._found: list[Item] = []
        self._unlabelled, self._ended = 0, False

    def __iter__(self) -> Iterator[Item]:
        at = 0
        while at < len(self._found) or self._find_next():
            yield self._found[at]
            at += 1

    def __len__(self) -> int:
        while self._find_next():
            pass
        return len(self._found)

    @overload
    def __getitem__(self, which: int) -> Item: ...

    @overload
    def __getitem__(self, which: slice) -> list[Item]: ...

    def __getitem__(self, which: int | slice) -> Item | list[Item]:
        len(self)
        return self._found[which]

    @property
    def unlabelled(self) -> int:
        """How many frames have no ground truth."""
        len(self)
        return self._unlabelled

    def _find_next(self) -> bool:
        """Read on to the next frame with ground truth; False where there is none any more."""
        for frame in self._frames:
            boxes_norm = self._boxes(frame)
            if boxes_norm is not None:
                name = f"{frame.index:06d}"
                self._found.append(
                    RecordedItem(self._path.stem, name, self._path, boxes_norm, place=frame.place)
                )
                return True
            self._unlabelled += 1
        if not self._ended:
            self._ended = True
            self._say()
        return False

    def _boxes(self, frame: RecordedFrame) -> np.ndarray | None:
        if self._labels is not None:
            return label_of_frame(self._labels, frame.index)
        return _norm(frame.truth_xyxy, frame.jpeg)

    def _say(self) -> None:
        if self._recording.note:
            log.warning("%s", self._recording.note)
        if self._unlabelled:
            total = len(self._found) + self._unlabelled
            log.warning(
                "Not labelled, so left out: %d of %s of %s.",
                self._unlabelled,
                counted(total, "frame"),
                self._path,
            )


@dataclass(frozen=True)
class RecordedDataset:
    """A recording in place of a `Dataset`."""

    folder: Path
    items: RecordedItems
    split: str = "all"

    @property
    def unlabelled(self) -> int:
        """How many frames have no ground truth."""
        return self.items.unlabelled


def recorded_dataset(path: Path) -> RecordedDataset:
    """The frames of a recording that have ground truth; the others are counted as unlabelled.

    It is read up to the first of them; the others follow as they are asked for. Where the recording itself is
    damaged, the log says so then.

    Raises:
        UserError: no frame has ground truth.
    """
    dataset = RecordedDataset(path, RecordedItems(path))
    if next(iter(dataset.items), None) is None:
        raise UserError(
            f"{path} holds no ground truth, and there is no folder {path.with_suffix('.labels')} with labels "
            "either; label some of its frames there."
        )
    return dataset


def _norm(boxes_xyxy: np.ndarray | None, jpeg: bytes) -> np.ndarray | None:
    """Boxes (N, 4) in 0..1; None without ground truth or for an image that cannot be read."""
    if boxes_xyxy is None:
        return None
    size_wh = _size(jpeg)
    return None if size_wh is None else to_norm(boxes_xyxy, size_wh)


def _size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height; None for an image that cannot be read."""
    try:
        if (size_wh := whole_jpeg_size(jpeg, "the image")) is not None:
            return size_wh
    except UserError:
        return None
    image = decode_or_none(jpeg)
    return None if image is None else (image.shape[1], image.shape[0])
