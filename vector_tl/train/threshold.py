"""The score from which on a model's boxes count: the lowest at which images hardly give a false alarm."""

from collections.abc import Iterator

import torch.nn.functional as F

from vector_tl.evaluate.metrics import Outcome, count_false_positives
from vector_tl.train.batches import Images

# renders alone ask for .16 to .28, which real images punish with false alarms
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.99)
ALARM_SHARE = 0.02  # false alarms an image that a threshold may give where there is no Vector
NEARER = 0.8  # share of an image's width and height
# left and top of the part in the room it has, its size, mirrored
VIEWS = (
    (0.0, 0.0, 1.0, False), (0.0, 0.0, 1.0, True), (0.5, 0.5, NEARER, False), (0.5, 0.5, NEARER, True),
    (0.0, 0.0, NEARER, False), (1.0, 0.0, NEARER, False), (0.0, 1.0, NEARER, False), (1.0, 1.0, NEARER, False),
)  # fmt: skip


def choose_threshold(validation: list[Outcome], negatives: list[list[Outcome]]) -> float:
    """The lowest of `THRESHOLDS` at which images hardly give a false alarm.

    Counted on the val images and, where given, on sets of real images without a Vector, which ask for more than renders do.
    """
    for threshold in THRESHOLDS:
        if all(
            count_false_positives(some, threshold) <= ALARM_SHARE * len(some)
            for some in (validation, *negatives)
        ):
            break
    return threshold


def views(images: Images) -> Iterator[Images]:
    """Images without a Vector, each as it is, mirrored, and nearer in six ways.

    Of some fifty images ALARM_SHARE is a single one, and where the next doubtful ones score is chance; their views tell more of other rooms.
    """
    height, width = images.pixels.shape[2:]
    for left, top, size, mirrored in VIEWS:
        h, w = round(size * height), round(size * width)
        y, x = round(top * (height - h)), round(left * (width - w))
        part = images.pixels[:, :, y : y + h, x : x + w]
        if size < 1:
            part = F.interpolate(
                part, size=(height, width), mode="bilinear"
            )  # of bytes: thousands of images as floats would fill the memory
        yield Images(part.flip(3) if mirrored else part, images.boxes)
