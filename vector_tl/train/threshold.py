"""What a model says of its own scores: confidence threshold, calibration, whether it is hardly trained.

The threshold is the lowest at which images give almost no false positives. A model that then finds next to
nothing, as after a few steps of training, gets a lower one, at which its best boxes show, and says so.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.nn import functional as F

from vector_tl.evaluate.metrics import AP_SCORE, Outcome, match
from vector_tl.evaluate.platt import fit_calibration
from vector_tl.nets.calibration import UNCALIBRATED
from vector_tl.plain import counted
from vector_tl.train.batches import Images

# of the network's own scores; rendered images alone would give .16 to .28, at which real ones have many
# false positives
MIN_THRESHOLD, MAX_THRESHOLD = 0.5, 0.999
MAX_FALSE_POSITIVES = 0.01  # per image
MIN_RECALL = 0.1  # of the val sessions' Vectors; a model that finds fewer is hardly trained
NEARER = 0.8  # share of an image's width and height
# left and top of the part as shares of what is left of the image, the part's size, mirrored
VIEWS = (
    (0.0, 0.0, 1.0, False), (0.0, 0.0, 1.0, True), (0.5, 0.5, NEARER, False), (0.5, 0.5, NEARER, True),
    (0.0, 0.0, NEARER, False), (1.0, 0.0, NEARER, False),
    (0.0, 1.0, NEARER, False), (1.0, 1.0, NEARER, False),
)  # fmt: skip


def judge_scores(
    validation: list[Outcome], negatives: Sequence[list[Outcome]], views_each: int = 1
) -> dict[str, Any]:
    """What a model's metadata say of its scores.

    Args:
        validation: outcomes of the val images, with the network's own scores.
        negatives: of sets of real images without a Vector: they need a higher threshold than rendered ones.
        views_each: how many views of each image a set of negatives holds; for the calibration one in so many
            counts, or images without a Vector would be far more frequent than they are.

    Returns:
        {"thresholds": {"fp32": of calibrated scores}, "calibration": {"scale", "shift"} or None,
        "hardly_trained": a sentence, or None for a model that finds something}
    """
    own, note = choose_threshold(validation, negatives), None
    boxes = sum(len(outcome.boxes_xyxy) for outcome in validation)
    found = _found(validation, own)
    if boxes and found < MIN_RECALL * boxes:
        own = show_best_boxes(validation, boxes)
        note = (
            f"This model is hardly trained: with few false alarms it finds {found} of "
            f"{counted(boxes, 'Vector')} in the val sessions. So that something is seen at all, its "
            "confidence threshold is low, and most of its boxes may be wrong (it finds "
            f"{counted(_found(validation, own), 'Vector')} so). What helps: train it longer, with "
            "--backgrounds as well."
        )
    photos = [outcome for some in negatives for outcome in some[::views_each]]
    calibration = fit_calibration([*validation, *photos])
    return {
        "thresholds": {"fp32": float(calibration(own))},
        "calibration": None
        if calibration == UNCALIBRATED
        else {"scale": calibration.scale, "shift": calibration.shift},
        "hardly_trained": note,
    }


def choose_threshold(validation: list[Outcome], negatives: Sequence[list[Outcome]]) -> float:
    """The lowest threshold from .5 to .999 at which no set of images gives more than a few false positives.

    It is rounded up to a thousandth.

    Args:
        validation: of the val images.
        negatives: of sets of real images without a Vector.
    """
    lowest = max(_above_false_positives(outcomes) for outcomes in (validation, *negatives))
    return min(max(MIN_THRESHOLD, math.ceil(lowest * 1000) / 1000), MAX_THRESHOLD)


def _above_false_positives(outcomes: list[Outcome]) -> float:
    """The score above which there are at most `MAX_FALSE_POSITIVES` of these images; 0 without any."""
    wrong = np.sort(np.concatenate([o.scores[~match(o)[1]] for o in outcomes] or [np.zeros(0)]))[::-1]
    allowed = int(MAX_FALSE_POSITIVES * len(outcomes))
    return float(wrong[allowed]) if len(wrong) > allowed else 0.0


def show_best_boxes(validation: list[Outcome], boxes: int) -> float:
    """The threshold above which the val images show as many boxes as they have Vectors.

    There precision and recall are equal (the break-even point).
    """
    scores = np.sort(np.concatenate([outcome.scores for outcome in validation]))[::-1]
    return float(scores[boxes]) if len(scores) > boxes else AP_SCORE


def _found(outcomes: list[Outcome], threshold: float) -> int:
    return sum(int((match(outcome)[0] > threshold).sum()) for outcome in outcomes)


def views(images: Images) -> Iterator[Images]:
    """Images without a Vector, each as it is, mirrored, and nearer in six ways.

    Of some hundred images `MAX_FALSE_POSITIVES` is a single one, and the scores of the next doubtful ones are
    chance; eight views of each say more about rooms that were not photographed.
    """
    pixels = images.decoded(slice(None))  # (N, 3, H, W)
    height, width = pixels.shape[2:]
    for left, top, size, mirrored in VIEWS:
        h, w = round(size * height), round(size * width)
        y, x = round(top * (height - h)), round(left * (width - w))
        part = pixels[:, :, y : y + h, x : x + w]
        if size < 1:  # resized as bytes: thousands of images as floats would fill the memory
            part = F.interpolate(part, size=(height, width), mode="bilinear")
        yield Images(part.flip(3) if mirrored else part, images.boxes)
