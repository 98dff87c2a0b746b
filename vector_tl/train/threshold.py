"""The confidence threshold of a model: the lowest at which images give almost no false positives."""

from collections.abc import Iterator

from torch.nn import functional as F

from vector_tl.evaluate.metrics import Outcome, count_false_positives
from vector_tl.train.batches import Images

# rendered images alone would give .16 to .28, at which real images have many false positives
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.99)
MAX_FALSE_POSITIVES = 0.02  # per image
NEARER = 0.8  # share of an image's width and height
# left and top of the part as shares of what is left of the image, the part's size, mirrored
VIEWS = (
    (0.0, 0.0, 1.0, False), (0.0, 0.0, 1.0, True), (0.5, 0.5, NEARER, False), (0.5, 0.5, NEARER, True),
    (0.0, 0.0, NEARER, False), (1.0, 0.0, NEARER, False),
    (0.0, 1.0, NEARER, False), (1.0, 1.0, NEARER, False),
)  # fmt: skip


def choose_threshold(validation: list[Outcome], negatives: list[list[Outcome]]) -> float:
    """The lowest of `THRESHOLDS` at which no set of images gives more than a few false positives.

    Args:
        validation: of the val images.
        negatives: sets of real images without a Vector, which need a higher threshold than rendered ones.
    """
    for threshold in THRESHOLDS:
        if all(
            count_false_positives(outcomes, threshold) <= MAX_FALSE_POSITIVES * len(outcomes)
            for outcomes in (validation, *negatives)
        ):
            break
    return threshold


def views(images: Images) -> Iterator[Images]:
    """Images without a Vector, each as it is, mirrored, and nearer in six ways.

    Of some fifty images `MAX_FALSE_POSITIVES` is a single one, and the scores of the next doubtful ones are
    chance; eight views of each say more about rooms that were not photographed.
    """
    height, width = images.pixels.shape[2:]
    for left, top, size, mirrored in VIEWS:
        h, w = round(size * height), round(size * width)
        y, x = round(top * (height - h)), round(left * (width - w))
        part = images.pixels[:, :, y : y + h, x : x + w]
        if size < 1:  # resized as bytes: thousands of images as floats would fill the memory
            part = F.interpolate(part, size=(height, width), mode="bilinear")
        yield Images(part.flip(3) if mirrored else part, images.boxes)
