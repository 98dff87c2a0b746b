"""What `label check` looks at in one image: whether it can be read, its label, and what tells it from others.

The file is read once and nothing of its pixels is kept but small means (11 kB), so that a large dataset fits
into memory.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import iou_matrix, sides
from vector_tl.data.images import decode_image, image_bytes, perceptual_hash
from vector_tl.errors import UserError

LINES = 360  # heights are those in an image of so many lines
MIN_SIDE_PX = 3.0  # of LINES: nobody could see a smaller Vector
SAME_BOX_IOU = 0.9
SMALL_WH, BLOCKS_WH = (64, 36), (32, 18)


@dataclass(frozen=True)
class Problem:
    """`kind` in a few words; `where` a file or session; `what` a sentence."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class CheckedImage:
    """An image that could be read, as the report shows it."""

    session: str
    name: str
    split: str
    path: Path
    size_wh: tuple[int, int]
    boxes_norm: np.ndarray | None  # (N, 4) in 0..1; None: not labelled
    brightness: float  # mean grey level
    digest: bytes  # SHA-256 of the file
    bits: np.uint64  # perceptual hash
    small: np.ndarray = field(repr=False)  # (36, 64) grey levels, or less
    blocks: np.ndarray = field(repr=False)  # (18, 32) means of grey levels

    @property
    def key(self) -> str:
        """How problems name it."""
        return f"{self.session}/{self.name}"


def check_image(
    folder: Path, session: str, name: str, path: Path, split: str
) -> tuple[CheckedImage | None, list[Problem]]:
    """An image with its label, None if the image cannot be read; and what is wrong with it."""
    where, label = str(path.relative_to(folder)), dataset.label_path(folder, session, name)
    boxes, problems = None, []
    try:
        boxes = dataset.read_labels(label)
    except UserError as error:
        problems.append(Problem("broken label", str(label.relative_to(folder)), str(error)))
    try:
        data = image_bytes(path)
        image = decode_image(data, str(path))
    except UserError as error:
        return None, [*problems, Problem("broken image", where, str(error))]
    size_wh = (image.shape[1], image.shape[0])
    if boxes is not None and len(boxes):
        problems += _check_boxes(boxes, size_wh, where)
    small, blocks = _small(image), _blocks(image)
    brightness = sum(cv2.mean(image)[:3]) / 3
    digest, bits = hashlib.sha256(data).digest(), perceptual_hash(image)
    one = CheckedImage(session, name, split, path, size_wh, boxes, brightness, digest, bits, small, blocks)
    return one, problems


def _check_boxes(boxes: np.ndarray, size_wh: tuple[int, int], where: str) -> list[Problem]:
    problems = []
    smallest_px = (sides(boxes) * size_wh).min() * LINES / size_wh[1]
    if smallest_px < MIN_SIDE_PX:
        what = f"A box is {smallest_px:.1f} px wide or high in an image of {LINES} lines."
        problems.append(Problem("tiny box", where, what))
    if (np.triu(iou_matrix(boxes, boxes), 1) > SAME_BOX_IOU).any():
        problems.append(Problem("double box", where, "Two boxes lie on the same place."))
    return problems


def _small(image: np.ndarray) -> np.ndarray:
    """Grey levels of every so manieth pixel of (H, W, 3): (36, 64), less for a small image."""
    width, height = SMALL_WH
    down, across = max(1, image.shape[0] // height), max(1, image.shape[1] // width)
    return image[::down, ::across][:height, :width].mean(axis=2, dtype=np.float32)


def _blocks(image: np.ndarray) -> np.ndarray:
    """Means (18, 32) of the grey levels of (H, W, 3): of sums, as a third of a grey level counts."""
    red, green, blue = cv2.split(image)
    total = cv2.add(cv2.add(red, green, dtype=cv2.CV_16U), blue, dtype=cv2.CV_16U)
    return cv2.resize(total, BLOCKS_WH, interpolation=cv2.INTER_AREA).astype(np.float32) / 3
