"""What both networks share: torchvision's SSD with sigmoid scores, a loss in which images without boxes count, and the choice of boxes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou, generalized_box_iou_loss, nms

POSITIVE_IOU, IGNORED_IOU = 0.5, 0.4
NEGATIVES_PER_POSITIVE, MIN_NEGATIVES = 3, 24
GIOU_WEIGHT = 2.0  # as in DETR (Carion et al., 2020, arXiv:2005.12872)
NMS_IOU, NESTED_SHARE = 0.5, 0.7
BEST_SCORES, MAX_BOXES = 400, 100  # boxes of an image that are looked at, and that are shown
VOTE_SPREAD, VOTE_POWER = (
    0.05,
    4,
)  # how fast a box's vote falls with its IoU to the one it votes for, and with its score


class VectorSSD(SSD):
    """An SSD whose classes are independent yes-or-no questions (no background class).

    `model([image])` is torchvision's own call; `raw`, `compute_loss`, `scores_and_boxes` and `select` are its parts in batches.
    """

    def __init__(
        self,
        arch: str,
        backbone: nn.Module,
        anchor_generator: DefaultBoxGenerator,
        head: nn.Module,
        size_wh: tuple[int, int],
        classes: tuple[str, ...],
        mean: float,
        std: float,
        map_sizes: list[tuple[int, int]],
    ):
        super().__init__(
            backbone,
            anchor_generator,
            size_wh,
            len(classes),
            image_mean=[mean] * 3,
            image_std=[std] * 3,
            head=head,
            score_thresh=0.01,
            nms_thresh=NMS_IOU,
            detections_per_img=MAX_BOXES,
        )
        self.arch, self.size_wh, self.classes, self.init = arch, size_wh, classes, "scratch"
        self._mean, self._std = mean, std
        boxes = anchor_generator._grid_default_boxes(
            [list(size) for size in map_sizes], [size_wh[1], size_wh[0]]
        )  # (A, 4) cx cy w h, normalised
        corners = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], dim=1)
        self.register_buffer("anchors_xyxy", corners, persistent=False)

    def raw(self, batch: Tensor) -> dict[str, Tensor]:
        """Network outputs for images (B, 3, h, w), RGB 0..1, already of the network's size.

        Returns:
            `bbox_regression` (B, A, 4) and `cls_logits` (B, A, K).
        """
        features = self.backbone((batch - self._mean) / self._std)
        own = next(self.head.parameters()).dtype
        with torch.autocast(
            batch.device.type, enabled=False
        ):  # bfloat16 is too coarse for the codes of boxes
            return self.head([feature.to(own) for feature in features.values()])

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
        """The boxes to show for each image, best first: (n, 4) in 0..1 and their scores (n,).

        A box is dropped when it overlaps a better one by IoU, and also when most of its own area lies inside a better one
        (a head inside its robot), which IoU alone forgives. What is left is drawn where its neighbours see it, too (`vote`).
        """
        chosen = []
        for image_scores, image_boxes in zip(scores, boxes, strict=True):
            s, order = image_scores.topk(min(BEST_SCORES, len(image_scores)))
            b = image_boxes[order]
            candidates = int((s > score_threshold).sum())
            kept = nms(b[:candidates], s[:candidates], NMS_IOU)
            kept = kept[_not_nested(b[kept])][:max_boxes]
            chosen.append((vote(b[kept], s[kept], b, s), s[kept]))
        return chosen

    def compute_loss(
        self,
        targets: list[dict[str, Tensor]],
        head_outputs: dict[str, Tensor],
        anchors=None,
        matched_idxs=None,
    ) -> dict[str, Tensor]:
        """Detection loss of a batch; images without boxes add their hardest negatives.

        torchvision's own loss takes 3 negatives per positive of each image, so an image without boxes teaches nothing.
        Here each image gives its hardest max(3 x positives, 24) negatives, and the sum is divided by max(positives, images).
        Boxes cost the smooth L1 of their codes, and twice what their generalized IoU lacks to 1 (Rezatofighi et al., 2019, arXiv:1902.09630).

        Args:
            targets: for each image `boxes` (n, 4) in pixels of the network's input and `labels` (n,) counted from 1.
            head_outputs: as from `raw`.
            anchors, matched_idxs: what torchvision passes; matching is done here instead.
        """
        logits, codes = head_outputs["cls_logits"].float(), head_outputs["bbox_regression"].float()
        boxes, labels = self._padded(targets, logits.device)
        positive, ignored, box = self._match(boxes, labels > 0)  # (B, A)
        shape = (*box.shape, 4)
        wanted_boxes = torch.where(
            positive[..., None], boxes.gather(1, box[..., None].expand(shape)), self.anchors_xyxy
        )  # (B, A, 4)
        box_loss = F.smooth_l1_loss(
            codes, self._encode(wanted_boxes, self.anchors_xyxy), reduction="none"
        ).sum(dim=2)
        box_loss = box_loss + GIOU_WEIGHT * generalized_box_iou_loss(self._decode(codes), wanted_boxes)
        classes = torch.arange(1, logits.shape[2] + 1, device=logits.device)
        wanted = (labels.gather(1, box)[..., None] == classes) & positive[..., None]  # (B, A, K)
        class_loss = F.binary_cross_entropy_with_logits(logits, wanted.float(), reduction="none").sum(
            dim=2
        )  # (B, A)
        free = ~(positive | ignored)  # may serve as a negative
        count = (NEGATIVES_PER_POSITIVE * positive.sum(dim=1)).clamp(min=MIN_NEGATIVES)  # (B,)
        hardest = class_loss.detach().masked_fill(~free, -1.0).sort(dim=1, descending=True).indices
        rank = torch.arange(logits.shape[1], device=logits.device).expand_as(free)
        taken = torch.zeros_like(free).scatter_(1, hardest, rank < count[:, None]) & free
        share = positive.sum().clamp(min=len(targets))
        return {
            "bbox_regression": (box_loss * positive).sum() / share,
            "classification": (class_loss * (positive | taken)).sum() / share,
        }

    def _padded(self, targets: list[dict[str, Tensor]], device: torch.device) -> tuple[Tensor, Tensor]:
        """Boxes (B, n, 4) in 0..1 and labels (B, n), 0 where an image has fewer than n >= 1: every image alike, so that a GPU never waits."""
        most = max(1, *(len(target["boxes"]) for target in targets))
        boxes, labels = (
            torch.zeros(len(targets), most, 4, device=device),
            torch.zeros(len(targets), most, dtype=torch.int64, device=device),
        )
        for i, target in enumerate(targets):
            boxes[i, : len(target["boxes"])] = target["boxes"].to(boxes) / boxes.new_tensor(
                [*self.size_wh, *self.size_wh]
            )
            labels[i, : len(target["labels"])] = target["labels"].to(device)
        return boxes, labels

    def _match(self, boxes: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which anchors stand for which of the boxes (B, n, 4) that are `there` (B, n): masks (B, A) of those that do, of the doubtful, and the box of each."""
        iou = torch.stack([box_iou(some, self.anchors_xyxy) for some in boxes]).masked_fill(
            ~there[..., None], -1.0
        )  # (B, n, A)
        best_iou, best_box = iou.max(dim=1)
        anchors, number = iou.shape[2], torch.arange(iou.shape[1], device=boxes.device).expand(iou.shape[:2])
        best_anchor = torch.where(
            there, iou.argmax(dim=2), anchors
        )  # one beyond the last for what is not there
        best_iou = F.pad(best_iou, (0, 1)).scatter(1, best_anchor, 1.0)[
            :, :anchors
        ]  # every box has at least the anchor that fits it best
        best_box = F.pad(best_box, (0, 1)).scatter(1, best_anchor, number)[:, :anchors]
        return best_iou >= POSITIVE_IOU, (best_iou >= IGNORED_IOU) & (best_iou < POSITIVE_IOU), best_box

    def postprocess_detections(self, head_outputs, image_anchors, image_shapes):
        """Torchvision's hook behind `model([image])`: boxes in pixels of the resized image, with class labels from 1."""
        scores, boxes = self.scores_and_boxes(head_outputs)
        best = head_outputs["cls_logits"].argmax(dim=2)
        detections = []
        for i, (height, width) in enumerate(image_shapes):
            ((chosen, score),) = self.select(scores[i : i + 1], boxes[i : i + 1], self.score_thresh)
            where = (boxes[i][None] - chosen[:, None]).abs().sum(dim=2).argmin(dim=1)
            detections.append(
                {
                    "boxes": chosen * chosen.new_tensor([width, height, width, height]),
                    "scores": score,
                    "labels": best[i][where] + 1,
                }
            )
        return detections


def vote(chosen: Tensor, chosen_scores: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
    """Chosen boxes (n, 4), of scores (n,) above 0, each at the mean of all boxes (K, 4), of scores (K,), that nearly cover it.

    The anchors around a robot err in different directions. A weight is exp(-(1 - IoU)^2 / .05) times the fourth power of the score as a share of the chosen
    one's, at most 1, so that a better neighbour does not draw another robot's box to itself: variance voting (He et al., 2019, arXiv:1809.08545) without the
    network's own guess of its error. A box without an area stays as it is.
    """
    iou = box_iou(chosen, boxes).nan_to_num(0.0)  # (n, K)
    share = (scores / chosen_scores[:, None]).clamp(max=1.0)
    weights = torch.where(iou > 0, torch.exp(-((1 - iou) ** 2) / VOTE_SPREAD) * share**VOTE_POWER, 0.0)
    total = weights.sum(dim=1, keepdim=True)
    return torch.where(total > 0, weights @ boxes / total, chosen)


def _not_nested(boxes: Tensor) -> Tensor:
    """Mask (n,) of boxes, given best first, of which no more than `NESTED_SHARE` lies inside a better kept one."""
    if len(boxes) < 2:
        return torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    inside = (share_inside(boxes) > NESTED_SHARE).tolist()  # [i][j]: i lies inside j
    keep: list[bool] = []
    for i, row in enumerate(inside):
        keep.append(not any(row[j] and keep[j] for j in range(i)))
    return torch.tensor(keep, device=boxes.device)


def share_inside(boxes: Tensor) -> Tensor:
    """(n, n), [i][j]: which share of the area of box i lies inside box j."""
    low, high = (
        torch.maximum(boxes[:, None, :2], boxes[None, :, :2]),
        torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:]),
    )
    shared = (high - low).clamp(min=0).prod(dim=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1e-9)
    return shared / area[:, None]
