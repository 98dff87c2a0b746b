"""The boxes of an image: what its label files say together, checked and clipped to it."""

import numpy as np

from vector_tl.data.boxes import as_boxes, clip_boxes, iou_matrix, sides, to_pixels
from vector_tl.errors import UserError
from vector_tl.labels.sources.classes import Choice
from vector_tl.labels.sources.records import ImageLabel, LabelBox

SAME_IOU, OTHER_IOU = 0.9, 0.5  # boxes of one thing, and of two, where two files label one image
EDGE_PX, EDGE_SHARE = 1.0, 0.05  # how far a box may reach over the edge of an image of unknown size
MIN_SIDE_PX = 1.0
PER_IMAGE_FORMS = ("yolo", "voc", "labelme")


def vectors_of(label: ImageLabel, choice: Choice) -> list[LabelBox]:
    """The boxes of single Vectors, without regions of several."""
    return [box for box in label.boxes if box.class_name in choice.vector and not box.crowd]


def _pixels(boxes: list[LabelBox], size_wh: tuple[int, int]) -> np.ndarray:
    """Boxes (N, 4) in pixels, float64."""
    corners = [to_pixels(b.corners, size_wh)[0] if b.normalised else np.array(b.corners) for b in boxes]
    return as_boxes(corners)


def disagreement(labels: list[ImageLabel], choice: Choice) -> str:
    """What two label files say of one image that cannot both be so; empty when they agree."""
    for index, first in enumerate(labels):
        for second in labels[index + 1 :]:
            size_wh = first.size_wh or second.size_wh
            a, b = vectors_of(first, choice), vectors_of(second, choice)
            both = {box.normalised for box in (*a, *b)}
            if len(both) > 1 and size_wh is None:
                continue  # the image's size is not known yet; see `boxes_of_image`
            ious = iou_matrix(_pixels(a, size_wh or (1, 1)), _pixels(b, size_wh or (1, 1)))
            two = f"{first.where} and {second.where} label it differently"
            if first.form != second.form or first.form in (*PER_IMAGE_FORMS, "labelstudio"):
                if len(a) != len(b) or (len(a) and not _same(ious)):
                    return two
            elif ious.size and ((ious > OTHER_IOU) & (ious < SAME_IOU)).any():
                return two
    return ""


def _same(ious: np.ndarray) -> bool:
    return bool((ious.max(axis=0) >= SAME_IOU).all() and (ious.max(axis=1) >= SAME_IOU).all())


def boxes_of_image(
    labels: list[ImageLabel], choice: Choice, size_wh: tuple[int, int], stored_wh: tuple[int, int], name: str
) -> np.ndarray:
    """The boxes (N, 4) of an image in its pixels, clipped to it, float64.

    Args:
        labels: what label files say of the image.
        choice: which classes mean a Vector.
        size_wh: of the image, upright.
        stored_wh: of the image without the turn that its camera noted.
        name: of the image, for messages.

    Raises:
        UserError: the labels were made for another size, or a box does not lie in the image.
    """
    boxes = np.zeros((0, 4))
    for label in labels:
        if label.size_wh and label.size_wh != size_wh:
            wide, high = label.size_wh
            turned = (
                " as it is stored, lying; whether its boxes were drawn on the upright image is not known"
                if label.size_wh == stored_wh
                else ""
            )
            raise UserError(
                f"{label.where} was made for an image of {wide} x {high}{turned}, but {name} has "
                f"{size_wh[0]} x {size_wh[1]}; use the image that was labelled, or label it again."
            )
        vectors = vectors_of(label, choice)
        certain = label.size_wh is not None or all(box.normalised for box in vectors)
        own = checked_boxes(_pixels(vectors, size_wh), size_wh, label.where, certain)
        if len(boxes) and len(own):
            ious = iou_matrix(boxes, own).max(axis=0)
            if ((ious > OTHER_IOU) & (ious < SAME_IOU)).any():
                raise UserError(f"{name}: {labels[0].where} and {label.where} label it differently.")
            own = own[ious < SAME_IOU]
        boxes = np.concatenate([boxes, own])
    return boxes


def checked_boxes(boxes: np.ndarray, size_wh: tuple[int, int], where: str, certain: bool) -> np.ndarray:
    """Boxes (N, 4) clipped to the image, exact doubles left out.

    Args:
        boxes: in pixels.
        size_wh: of the image.
        where: names the label in messages.
        certain: the label was made for an image of this size; otherwise a box far over the edge shows that it
            was not.

    Raises:
        UserError: numbers that are not finite, or a box without area or outside the image.
    """
    boxes = as_boxes(boxes)
    if not np.isfinite(boxes).all():
        raise UserError(f"{where} has a box with a number that is not finite; correct it.")
    if (sides(boxes) <= 0).any():
        raise UserError(f"{where} has a box without width or height; correct or delete it.")
    clipped = clip_boxes(boxes, size_wh)
    if (sides(clipped) <= 0).any():
        raise UserError(f"{where} has a box outside the image; correct or delete it.")
    if (sides(clipped).max(axis=1, initial=0) <= MIN_SIDE_PX).any():
        raise UserError(
            f"{where} has a box that is no larger than a pixel; correct or delete it, and write pixels if "
            "its numbers are shares of the image."
        )
    over = np.abs(clipped - boxes).max(initial=0.0)
    if not certain and over > max(EDGE_PX, EDGE_SHARE * max(size_wh)):
        raise UserError(
            f"{where} has a box {over:.0f} px over the edge of an image of {size_wh[0]} x {size_wh[1]}, and "
            "does not say for which size it was made; add width and height to it."
        )
    return as_boxes(list(dict.fromkeys(map(tuple, clipped.tolist()))))
