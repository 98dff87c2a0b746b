"""What `label check` finds between images: files that are there twice, and images that show nearly the same.

All pairs are compared by 64-bit hashes (20,000 images: a second); in full each image is compared with a few
of those that are near, however many there are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from vector_tl.data.boxes import iou_matrix
from vector_tl.data.images import bits_apart
from vector_tl.labels.checked_image import SAME_BOX_IOU, CheckedImage, Problem

SAME_BLOCKS = 1.5  # grey levels that the means of an image's parts change at most when it is encoded anew
NEAR_BITS, NEAR_GRAY = 3, 6.0  # of the hash's 64 bits; mean difference in grey levels of the small images
MAX_COMPARED = 100  # near ones that one image is compared with in full: of dark rooms all hashes are near
MAX_NAMED = 5  # near doubles of one image


def find_doubles(checked: Sequence[CheckedImage]) -> list[Problem]:
    """Find files that are there twice, and images in two splits that show nearly the same."""
    return [*_same_files(checked), *_other_labels(checked), *_near_doubles(checked)]


def _same_files(checked: Sequence[CheckedImage]) -> Iterator[Problem]:
    by_content: dict[bytes, list[str]] = defaultdict(list)
    for one in checked:
        by_content[one.digest].append(one.key)
    for names in by_content.values():
        if len(names) > 1:
            yield Problem("same file", names[0], f"The same file is there as {', '.join(names)}.")


def _near_doubles(checked: Sequence[CheckedImage]) -> Iterator[Problem]:
    """Find images in two splits that show nearly the same; each is named with the first few of its like."""
    hashes = np.array([one.bits for one in checked], np.uint64)
    splits = np.unique([one.split for one in checked], return_inverse=True)[1]
    files = np.unique([one.digest.hex() for one in checked], return_inverse=True)[1]
    grays = np.array([one.small.mean() for one in checked])
    for i, one in enumerate(checked):
        near = np.flatnonzero(bits_apart(hashes[i + 1 :], hashes[i]) <= NEAR_BITS) + i + 1
        # means that are farther apart than this belong to images that are, too
        other = (splits[near] != splits[i]) & (files[near] != files[i])
        near = near[other & (np.abs(grays[near] - grays[i]) < NEAR_GRAY)]
        alike = (checked[j] for j in near[:MAX_COMPARED] if _look_alike(one.small, checked[j].small))
        for like in islice(alike, MAX_NAMED):
            what = (
                f"It shows nearly the same as {like.key}; one is in {one.split}, the other in {like.split}."
            )
            yield Problem("near double across splits", one.key, what)


def _look_alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and float(np.abs(one - other).mean()) < NEAR_GRAY


def _other_labels(checked: Sequence[CheckedImage]) -> Iterator[Problem]:
    """Find images that are there twice, even if encoded anew, and are labelled differently.

    Of images that are the same and labelled alike only the first is compared with later ones.
    """
    alike: dict[tuple[int, tuple[int, int]], list[CheckedImage]] = defaultdict(list)
    for one in checked:
        if one.boxes_norm is None:
            continue
        group = alike[int(one.bits), one.size_wh]
        same = [other for other in group[-MAX_COMPARED:] if _same_image(one, other)]
        if not any(_same_boxes(one, other) for other in same):
            group.append(one)
        if wrong := next((other for other in same if not _same_boxes(one, other)), None):
            what = f"It is the same image as {wrong.key}, but labelled differently; delete the wrong one."
            yield Problem("same image, other label", one.key, what)


def _same_image(one: CheckedImage, other: CheckedImage) -> bool:
    return bool(np.abs(one.blocks - other.blocks).max() < SAME_BLOCKS)


def _same_boxes(one: CheckedImage, other: CheckedImage) -> bool:
    a, b = one.boxes_norm, other.boxes_norm
    assert a is not None and b is not None
    if len(a) != len(b) or not len(a):
        return len(a) == len(b)
    ious = iou_matrix(a, b)
    return bool((ious.max(axis=0) >= SAME_BOX_IOU).all() and (ious.max(axis=1) >= SAME_BOX_IOU).all())
