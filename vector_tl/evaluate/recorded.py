"""A recording as a dataset: its frames with the simulator's ground truth, or with labels beside it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.data.boxes import to_norm
from vector_tl.data.dataset import Dataset, Item
from vector_tl.data.images import decode_image, decode_or_none
from vector_tl.data.recording import read_recording
from vector_tl.data.sidecar_labels import label_of_frame, labels_beside
from vector_tl.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordedItem(Item):
    """A frame of a recording, as received."""

    jpeg: bytes = b""

    def image(self) -> np.ndarray:
        """The image (H, W, 3), RGB.

        Raises:
            UserError: the frame is damaged.
        """
        return decode_image(self.jpeg, f"frame {self.name} of {self.image_path}")


def recorded_dataset(path: Path) -> Dataset:
    """The frames of a recording that have ground truth; the others are counted as unlabelled.

    Where the recording itself is damaged, the log says so.

    Raises:
        UserError: no frame has ground truth.
    """
    recording, labels = read_recording(path), labels_beside(path)
    items: list[Item] = []
    unlabelled = 0
    for frame in recording:
        if labels is not None:
            boxes_norm = label_of_frame(labels, frame.index)
        else:
            boxes_norm = _norm(frame.truth_xyxy, frame.jpeg)
        if boxes_norm is None:
            unlabelled += 1
        else:
            items.append(RecordedItem(path.stem, f"{frame.index:06d}", path, boxes_norm, jpeg=frame.jpeg))
    if recording.note:
        log.warning("%s", recording.note)
    if not items:
        raise UserError(
            f"{path} holds no ground truth, and there is no folder {path.with_suffix('.labels')} with labels "
            "either; label some of its frames there."
        )
    if unlabelled:
        total = len(items) + unlabelled
        log.warning("%d of %d frames of %s are not labelled and are left out.", unlabelled, total, path)
    return Dataset(path, "all", items, unlabelled, "")


def _norm(boxes_xyxy: np.ndarray | None, jpeg: bytes) -> np.ndarray | None:
    """Boxes (N, 4) in 0..1; None without ground truth or for an image that cannot be read."""
    image = None if boxes_xyxy is None else decode_or_none(jpeg)
    if boxes_xyxy is None or image is None:
        return None
    return to_norm(boxes_xyxy, (image.shape[1], image.shape[0]))
