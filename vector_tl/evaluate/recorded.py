"""A recording as a dataset: its frames, with the simulator's truth that is kept in it, or labels in the folder beside it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.data.boxes import to_norm
from vector_tl.data.dataset import Dataset, Item
from vector_tl.data.images import decode_image, decode_or_none
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
    """The frames of a recording of which it is known what they show; the others are counted as unlabelled. What is damaged is told of.

    Raises:
        UserError: of no frame is it known.
    """
    from vector_tl.data.recording import read_recording
    from vector_tl.data.sidecar_labels import label_of_frame, labels_beside

    recording, labels, items, unlabelled = read_recording(path), labels_beside(path), [], 0
    for frame in recording:
        if labels is not None:
            norm = label_of_frame(labels, frame.index)
        else:
            norm = (
                _norm(frame.truth_xyxy, decode_or_none(frame.jpeg)) if frame.truth_xyxy is not None else None
            )
        if norm is None:
            unlabelled += 1
            continue
        items.append(RecordedItem(path.stem, f"{frame.index:06d}", path, norm, frame.jpeg))
    if recording.note:
        log.warning("%s", recording.note)
    if not items:
        beside = path.with_suffix(".labels")
        raise UserError(
            f"{path} does not say what its frames show, and there is no folder {beside} with labels; label some of them there."
        )
    if unlabelled:
        log.warning(
            "%d of %d frames of %s are not labelled and are left out.",
            unlabelled,
            len(items) + unlabelled,
            path,
        )
    return Dataset(path, "all", items, unlabelled, "")


def _norm(boxes_xyxy: np.ndarray, image: np.ndarray | None) -> np.ndarray | None:
    """Boxes (N, 4) in 0..1; None for an image that cannot be read."""
    if image is None:
        return None
    return to_norm(boxes_xyxy, image.shape[1::-1])
