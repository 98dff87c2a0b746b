"""What both networks share: torchvision's SSD with its own scores, loss, and choice of boxes.

Scores are sigmoids, one for each class; images without boxes count in the loss.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD

from vector_tl.nets.description import Description
from vector_tl.nets.loss import Targets, generalized_iou_loss, pad_targets
from vector_tl.nets.suppression import MAX_BOXES, MAX_IOU, pairwise_iou, select_boxes

POSITIVE_IOU, IGNORED_IOU = 0.5, 0.4  # anchors that stand for a box, and those that count neither way
NEGATIVES_PER_POSITIVE, MIN_NEGATIVES = 3, 24
GIOU_WEIGHT = 2.0  # as in DETR (Carion et al., 2020, arXiv:2005.12872)
# a class head's first bias, a score of .05: hardly any anchor holds a Vector, and with higher scores the many
# negatives would swamp the first steps
CLASS_BIAS = -3.0


class AnchorBoxes(DefaultBoxGenerator):
    """A description's anchors for torchvision's own call of the network."""

    def __init__(self, anchors_wh: list[list[tuple[float, float]]]) -> None:
        self._anchors_wh = anchors_wh
        super().__init__([[] for _ in anchors_wh], clip=False)

    def _generate_wh_pairs(
        self, num_outputs: int, dtype: torch.dtype = torch.float32, device: Any = None
    ) -> list[Tensor]:
        return [torch.tensor(sizes, dtype=dtype, device=device) for sizes in self._anchors_wh]

    def num_anchors_per_location(self) -> list[int]:
        """How many boxes each place of a map has, for each of the maps."""
        return [len(sizes) for sizes in self._anchors_wh]


class VectorSSD(SSD):
    """An SSD whose classes are independent yes-or-no questions (no background class).

    `model([image])` is torchvision's own call; `raw`, `compute_loss`, `scores_and_boxes` and `select` are its
    parts for batches, of B images with A anchors and K classes.

    Attributes:
        arch: name of the network.
        size_wh: its input size.
        classes: names of the K classes.
        init: where its initial weights came from.
        anchors_xyxy: (A, 4) in 0..1 of the image.
    """

    anchors_xyxy: Tensor

    def __init__(
        self, description: Description, backbone: nn.Module, head: nn.Module, classes: tuple[str, ...]
    ):
        super().__init__(
            backbone,
            AnchorBoxes(description.anchors_wh),
            description.size_wh,
            len(classes),
            image_mean=[description.mean] * 3,
            image_std=[description.std] * 3,
            head=head,
            score_thresh=0.01,
            nms_thresh=MAX_IOU,
            detections_per_img=MAX_BOXES,
        )
        self.arch, self.size_wh = description.arch, description.size_wh
        self.classes, self.init = classes, "scratch"
        self._mean, self._std = description.mean, description.std
        self.register_buffer("anchors_xyxy", torch.from_numpy(description.anchors_xyxy()), persistent=False)

    def raw(self, batch: Tensor) -> dict[str, Tensor]:
        """The network's outputs for images (B, 3, h, w), RGB in 0..1, already of the network's size.

        Returns:
            `bbox_regression` (B, A, 4) and `cls_logits` (B, A, K).
        """
        features = self.backbone((batch - self._mean) / self._std)
        own = next(self.head.parameters()).dtype
        # the head in its own precision: bfloat16 is too coarse for the codes of boxes
        with torch.autocast(batch.device.type, enabled=False):
            return cast(dict[str, Tensor], self.head([feature.to(own) for feature in features.values()]))

    def predict(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, A) and boxes (B, A, 4) in 0..1 for images (B, 3, h, w), as `raw` takes them."""
        return self.scores_and_boxes(self.raw(batch))

    def scores_and_boxes(self, head_outputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Scores (B, A) of the best class and boxes_xyxy (B, A, 4) in 0..1 of the image, clipped."""
        scores = head_outputs["cls_logits"].float().amax(dim=2).sigmoid()
        return scores, self._decode(head_outputs["bbox_regression"].float()).clamp(0, 1)

    def _decode(self, codes: Tensor) -> Tensor:
        """(..., A, 4) codes (tx, ty, tw, th) with scales 10, 10, 5, 5 to corners in 0..1."""
        anchors = self.anchors_xyxy
        size = anchors[:, 2:] - anchors[:, :2]
        center = anchors[:, :2] + size / 2 + codes[..., :2] / 10 * size
        half = size * torch.exp((codes[..., 2:] / 5).clamp(max=4.0)) / 2
        return torch.cat([center - half, center + half], dim=-1)

    def _encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Corners (..., A, 4) in 0..1 to codes relative to their anchors (A, 4)."""
        anchor_size, size = anchors[:, 2:] - anchors[:, :2], boxes[..., 2:] - boxes[..., :2]
        shift = (boxes[..., :2] + size / 2 - anchors[:, :2] - anchor_size / 2) / anchor_size
        return torch.cat([shift * 10, torch.log(size / anchor_size) * 5], dim=-1)

    def select(
        self, scores: Tensor, boxes: Tensor, score_threshold: float, max_boxes: int = MAX_BOXES
    ) -> list[tuple[Tensor, Tensor]]:
        """Choose each image's boxes, best first: `suppression.select_boxes`, of tensors.

        Args:
            scores: (B, A).
            boxes: (B, A, 4) xyxy in 0..1.
            score_threshold: only boxes with a higher score are chosen.
            max_boxes: of an image.

        Returns:
            For each image boxes (n, 4) in 0..1 and their scores (n,), where `boxes` are.
        """
        images = zip(scores.detach().cpu().numpy(), boxes.detach().cpu().numpy(), strict=True)
        chosen = [select_boxes(*image, score_threshold, max_boxes) for image in images]
        return [(torch.from_numpy(b).to(boxes), torch.from_numpy(s).to(scores)) for b, s in chosen]

    def compute_loss(
        self,
        targets: list[dict[str, Tensor]] | Targets,
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor] | None = None,
        matched_idxs: list[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Detection loss of a batch; images without boxes add their hardest negatives.

        torchvision's own loss takes 3 negatives per positive of each image, so an image without boxes teaches
        nothing. Here each image gives its hardest max(3 x positives, 24) negatives, and the sum is divided by
        max(positives, images). Boxes cost the smooth L1 of their codes, and twice what their generalized IoU
        lacks to 1 (Rezatofighi et al., 2019, arXiv:1902.09630).

        Args:
            targets: padded ones; or as torchvision gives them, for each image `boxes` (n, 4) in pixels of the
                network's input and `labels` (n,) counted from 1.
            head_outputs: as from `raw`.
            anchors: torchvision passes them; `anchors_xyxy` are the same.
            matched_idxs: torchvision passes them; matching is done here instead.

        Returns:
            `bbox_regression` and `classification`, whose sum is the loss.
        """
        logits, codes = head_outputs["cls_logits"].float(), head_outputs["bbox_regression"].float()
        if not isinstance(targets, Targets):
            listed = [[each[name].to(logits.device) for each in targets] for name in ("boxes", "labels")]
            targets = pad_targets(listed[0], listed[1], self.size_wh)
        boxes, labels = targets  # (B, n, 4) and (B, n)
        positive, ignored, box = self._match(boxes, labels > 0)  # (B, A)
        matched = boxes.gather(1, box[..., None].expand(*box.shape, 4))
        wanted_boxes = torch.where(positive[..., None], matched, self.anchors_xyxy)  # (B, A, 4)
        wanted_codes = self._encode(wanted_boxes, self.anchors_xyxy)
        box_loss = F.smooth_l1_loss(codes, wanted_codes, reduction="none").sum(dim=2)  # (B, A)
        box_loss = box_loss + GIOU_WEIGHT * generalized_iou_loss(self._decode(codes), wanted_boxes)

        classes = torch.arange(1, logits.shape[2] + 1, device=logits.device)
        wanted = (labels.gather(1, box)[..., None] == classes) & positive[..., None]  # (B, A, K)
        class_loss = F.binary_cross_entropy_with_logits(logits, wanted.float(), reduction="none")
        class_loss = class_loss.sum(dim=2)  # (B, A)
        free = ~(positive | ignored)  # may serve as a negative
        count = (NEGATIVES_PER_POSITIVE * positive.sum(dim=1)).clamp(min=MIN_NEGATIVES)  # (B,)
        hardest = class_loss.detach().masked_fill(~free, -1.0).sort(dim=1, descending=True).indices
        rank = torch.arange(logits.shape[1], device=logits.device).expand_as(free)
        negative = torch.zeros_like(free).scatter_(1, hardest, rank < count[:, None]) & free

        share = positive.sum().clamp(min=len(boxes))
        return {
            "bbox_regression": (box_loss * positive).sum() / share,
            "classification": (class_loss * (positive | negative)).sum() / share,
        }

    def _match(self, boxes: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Match anchors to boxes.

        Args:
            boxes: (B, n, 4) xyxy in 0..1.
            there: (B, n), which of them are boxes and not padding.

        Returns:
            Masks (B, A) of the anchors that stand for a box and of those that count neither way, and the box
            of each.
        """
        iou = pairwise_iou(boxes, self.anchors_xyxy, torch)  # (B, n, A)
        iou = iou.masked_fill(~there[..., None], -1.0)
        best_iou, best_box = iou.max(dim=1)  # (B, A)
        # every box has at least the anchor that fits it best; the anchor of padding is one beyond the last
        anchors, number = iou.shape[2], torch.arange(iou.shape[1], device=boxes.device).expand(iou.shape[:2])
        best_anchor = torch.where(there, iou.argmax(dim=2), anchors)  # (B, n)
        best_iou = F.pad(best_iou, (0, 1)).scatter(1, best_anchor, 1.0)[:, :anchors]
        best_box = F.pad(best_box, (0, 1)).scatter(1, best_anchor, number)[:, :anchors]
        return best_iou >= POSITIVE_IOU, (best_iou >= IGNORED_IOU) & (best_iou < POSITIVE_IOU), best_box

    def postprocess_detections(
        self, head_outputs: dict[str, Tensor], image_anchors: Any, image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """Torchvision's hook behind `model([image])`.

        Returns:
            For each image `boxes` (n, 4) in pixels of the resized image, `scores` (n,) and `labels` (n,) from
            1.
        """
        scores, boxes = self.scores_and_boxes(head_outputs)
        best = head_outputs["cls_logits"].argmax(dim=2)
        detections = []
        for i, (height, width) in enumerate(image_shapes):
            ((chosen, score),) = self.select(scores[i : i + 1], boxes[i : i + 1], self.score_thresh)
            where = (boxes[i][None] - chosen[:, None]).abs().sum(dim=2).argmin(dim=1)
            size = chosen.new_tensor([width, height, width, height])
            detections.append({"boxes": chosen * size, "scores": score, "labels": best[i][where] + 1})
        return detections
