"""What the loss of both networks is made of: a batch's targets in fixed shapes, and the cost of a box.

Nothing here waits for a GPU or has a shape that depends on the images, so that a whole step of a training can
be one CUDA graph.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vector_tl.plain import counted

EPS = 1e-7  # as torchvision's generalized_box_iou_loss has it


class Targets(NamedTuple):
    """Ground truth of a batch of B images with n places for boxes each.

    Attributes:
        boxes: (B, n, 4) xyxy in 0..1 of the network's input.
        labels: (B, n), counted from 1; 0 where an image has fewer boxes than n.
    """

    boxes: Tensor
    labels: Tensor


def pad_targets(
    boxes: Sequence[Tensor], labels: Sequence[Tensor], size_wh: tuple[int, int], places: int | None = None
) -> Targets:
    """Targets of images with different numbers of boxes, where the boxes are.

    Args:
        boxes: of each image (m, 4) in pixels of the network's input.
        labels: of each image (m,), counted from 1.
        size_wh: of the network's input.
        places: n; as many as an image of the batch has, and at least 1, when None.

    Raises:
        ValueError: an image has more boxes than places.
    """
    most = max((len(some) for some in boxes), default=0)
    places = max(1, most) if places is None else places
    if most > places:
        raise ValueError(f"an image has {counted(most, 'box', 'boxes')}, of which {places} have a place")
    device = boxes[0].device if len(boxes) else torch.device("cpu")
    padded = torch.zeros(len(boxes), places, 4, device=device)
    numbers = torch.zeros(len(boxes), places, dtype=torch.int64, device=device)
    for i, (some, of_some) in enumerate(zip(boxes, labels, strict=True)):
        padded[i, : len(some)] = some
        numbers[i, : len(of_some)] = of_some
    return Targets(padded / padded.new_tensor([*size_wh, *size_wh]), numbers)


def generalized_iou_loss(boxes: Tensor, wanted: Tensor) -> Tensor:
    """What the generalized IoU of each box (..., 4) and the one beside it lacks to 1: (...).

    Rezatofighi et al., 2019, arXiv:1902.09630. Values and gradients are torchvision's, whose indexing by a
    mask makes a GPU wait and cannot be captured.
    """
    shared, union = _shared_and_union(boxes, wanted)
    iou = shared / (union + EPS)
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    wanted_x1, wanted_y1, wanted_x2, wanted_y2 = wanted.unbind(dim=-1)
    wide = torch.max(x2, wanted_x2) - torch.min(x1, wanted_x1)
    high = torch.max(y2, wanted_y2) - torch.min(y1, wanted_y1)
    around = wide * high
    return 1 - (iou - (around - union) / (around + EPS))


def _shared_and_union(boxes: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The area that two boxes share, and that of both together, each (...)."""
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    wanted_x1, wanted_y1, wanted_x2, wanted_y2 = wanted.unbind(dim=-1)
    left, top = torch.max(x1, wanted_x1), torch.max(y1, wanted_y1)
    right, bottom = torch.min(x2, wanted_x2), torch.min(y2, wanted_y2)
    # relu: of boxes that only touch nothing flows back
    shared = torch.relu(right - left) * torch.relu(bottom - top)
    return shared, (x2 - x1) * (y2 - y1) + (wanted_x2 - wanted_x1) * (wanted_y2 - wanted_y1) - shared
