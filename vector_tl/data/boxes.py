"""Bounding boxes as arrays: areas, overlap, clipping, and the forms in which others write them.

`boxes_xyxy` are corners `(N, 4)`, x1 y1 x2 y2 in pixels from the image's top left corner, x2 and y2
exclusive. `boxes_norm` are the same corners in 0..1 of the image. All functions compute in float64 and also
take lists of boxes, and no boxes at all.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def as_boxes(boxes: ArrayLike) -> Floats:
    """The same boxes as an array (N, 4), float64; an empty list becomes (0, 4)."""
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def sides(boxes_xyxy: ArrayLike) -> Floats:
    """Width and height of each box: (N, 2)."""
    boxes = as_boxes(boxes_xyxy)
    return boxes[:, 2:] - boxes[:, :2]


def areas(boxes_xyxy: ArrayLike) -> Floats:
    """The area of each box: (N,)."""
    return _product(sides(boxes_xyxy))


def intersections(a: ArrayLike, b: ArrayLike) -> Floats:
    """The area that each box of `a` (N, 4) shares with each of `b` (M, 4): (N, M)."""
    a, b = as_boxes(a), as_boxes(b)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    return _product(np.clip(high - low, 0, None))


def iou_matrix(a: ArrayLike, b: ArrayLike) -> Floats:
    """Intersection over union of boxes `a` (N, 4) and `b` (M, 4): (N, M)."""
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def share_inside(a: ArrayLike, b: ArrayLike) -> Floats:
    """Which share of the area of each box of `a` (N, 4) lies inside each of `b` (M, 4): (N, M)."""
    return np.asarray(intersections(a, b) / np.maximum(areas(a), 1e-12)[:, None])


def clip_boxes(boxes_xyxy: ArrayLike, size_wh: tuple[float, float]) -> Floats:
    """The part of each box that lies in an image of `size_wh`; (1, 1) for boxes in 0..1."""
    return np.clip(as_boxes(boxes_xyxy), 0, [*size_wh, *size_wh])


def to_pixels(boxes_norm: ArrayLike, size_wh: tuple[int, int]) -> Floats:
    """Boxes (N, 4) in 0..1 of an image of `size_wh`, in its pixels."""
    return as_boxes(boxes_norm) * np.array([*size_wh, *size_wh], np.float64)


def rescaled(boxes_xyxy: ArrayLike, size_wh: tuple[int, int], new_wh: tuple[int, int]) -> Floats:
    """Boxes (N, 4) in pixels of an image of `size_wh`, in those of the same image at `new_wh`."""
    scale = np.array([*new_wh, *new_wh], np.float64) / np.array([*size_wh, *size_wh], np.float64)
    return np.asarray(as_boxes(boxes_xyxy) * scale)


def to_norm(boxes_xyxy: ArrayLike, size_wh: tuple[int, int]) -> Floats:
    """Boxes (N, 4) in pixels of an image of `size_wh`, in 0..1 of it."""
    return as_boxes(boxes_xyxy) / np.array([*size_wh, *size_wh], np.float64)


def from_cxcywh(boxes: ArrayLike) -> Floats:
    """Corners (N, 4) of boxes given by their centre, width and height (YOLO's form)."""
    centre, half = as_boxes(boxes)[:, :2], as_boxes(boxes)[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def to_cxcywh(boxes_xyxy: ArrayLike) -> Floats:
    """Centre, width and height (N, 4) of boxes given by their corners."""
    boxes = as_boxes(boxes_xyxy)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, sides(boxes)], axis=1)


def from_xywh(boxes: ArrayLike) -> Floats:
    """Corners (N, 4) of boxes given by their upper left corner, width and height (COCO's form)."""
    corner, size = as_boxes(boxes)[:, :2], as_boxes(boxes)[:, 2:]
    return np.concatenate([corner, corner + size], axis=1)


def to_xywh(boxes_xyxy: ArrayLike) -> Floats:
    """Upper left corner, width and height (N, 4) of boxes given by their corners."""
    return np.concatenate([as_boxes(boxes_xyxy)[:, :2], sides(boxes_xyxy)], axis=1)


def _product(sides_wh: Floats) -> Floats:
    return np.asarray(sides_wh[..., 0] * sides_wh[..., 1])
