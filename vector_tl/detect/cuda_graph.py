"""The whole way from an image to its boxes as one CUDA graph: one call of the driver instead of several
hundred launches.

A graph needs shapes that do not depend on what is seen, so the best boxes are chosen without leaving anything
out: what is dropped is marked. The host lets all of them vote on the few that are shown.
"""

import copy
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou

from vector_tl.nets.ssd import BEST_SCORES, MAX_BOXES, NESTED_SHARE, NMS_IOU, VectorSSD, share_inside, vote

ROBOT_HW = (360, 640)
"""What a robot's camera sends is uploaded as it is and resized on the device; other images are resized
before."""
BATCHES = (1, 8)
"""Graphs are made for so many images at a time; a smaller batch is filled up."""
ROUNDS = 24
"""Longest chain of boxes, each of which drops the next, that the graph follows; where that is not enough, it
says so."""
TOLERANCE = 0.02
"""What half precision may change in a score or, as a share of the image's side, in a box's corner."""


class ImageToBoxes(nn.Module):
    """Images (B, H, W, 3) uint8 RGB of any size to their best boxes; no shape depends on their content.

    `forward` gives (B, K, 6), best first: x0, y0, x1, y1 in 0..1, score, and 1 for a box to show, 0 for one
    that is dropped, -1 for all boxes of an image with a chain longer than `ROUNDS`.
    """

    def __init__(self, network: VectorSSD, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.network, self.dtype = network, dtype
        for parameter in network.parameters():  # not .half(): anchors stay in single precision
            parameter.data = parameter.data.to(dtype)

    def forward(self, images: Tensor, threshold: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2).to(self.dtype)  # channels last in memory
        width, height = self.network.size_wh
        if pixels.shape[2:] != (height, width):
            pixels = F.interpolate(pixels, (height, width), mode="bilinear", align_corners=False)
        scores, boxes = self.network.scores_and_boxes(self.network.raw(pixels / 255))
        scores, order = scores.topk(min(BEST_SCORES, scores.shape[1]), dim=1)
        boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
        shown = torch.stack([_choose(s, b, threshold) for s, b in zip(scores, boxes, strict=True)])
        return torch.cat([boxes, scores[..., None], shown[..., None]], dim=2)


def _choose(scores: Tensor, boxes: Tensor, threshold: Tensor) -> Tensor:
    """`VectorSSD.select`, but for the vote, for boxes (K, 4) that are sorted by their scores (K,): 1 to show,
    0 to drop, -1 for not settled; (K,) float."""
    alone, settled = _greedy(box_iou(boxes, boxes) > NMS_IOU, scores > threshold)
    outer, settled_too = _greedy(share_inside(boxes).T > NESTED_SHARE, alone)
    shown = outer & (outer.cumsum(0) <= MAX_BOXES)
    return torch.where(settled & settled_too, shown.float(), -torch.ones_like(scores))


def _greedy(drops: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Best first, keep a candidate unless a kept one before it drops it: `drops` (K, K), [i, j] for i drops
    j. Mask (K,), and whether it is final.

    Every round settles at least one more link of each chain; what a round leaves unchanged is the answer that
    one after another would give.
    """
    drops = drops.triu(1)
    keep = before = candidates
    for _ in range(ROUNDS):
        before, keep = keep, candidates & ~(drops & keep[:, None]).any(dim=0)
    return keep, (keep == before).all()


class CudaGraphEngine:
    """Half precision, replayed. Graphs are made when they are first needed: about a second, on no robot's
    time (see `Detector`).

    Raises:
        RuntimeError: the device cannot, or what it finds differs from PyTorch's own by more than `TOLERANCE`.
    """

    def __init__(self, network: VectorSSD, device: torch.device):
        self.name = f"cuda graph ({torch.cuda.get_device_name(device)}, half precision)"
        self._device, self._size_wh, self._select = device, network.size_wh, network.select
        half = copy.deepcopy(network).to(device, memory_format=torch.channels_last)
        self._steps = ImageToBoxes(half, torch.float16).eval()
        self._threshold = torch.zeros((), device=device)
        self._graphs: dict[tuple[int, int, int], _Replayed] = {}
        self._compare(network.to(device, memory_format=torch.channels_last))

    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (n, 4) in 0..1 of each image and their scores (n,), best first."""
        answers = []
        same = all(image.shape[:2] == ROBOT_HW for image in images)
        ready = (
            images
            if same
            else [cv2.resize(image, self._size_wh, interpolation=cv2.INTER_LINEAR) for image in images]
        )
        most = BATCHES[0] if len(images) <= BATCHES[0] else BATCHES[-1]
        for at in range(0, len(ready), most):
            some = ready[at : at + most]
            answers += list(self._run(some, most, threshold)[: len(some)])
        return [self._shown(answer, threshold) for answer in answers]

    @torch.inference_mode()
    def _run(self, images: Sequence[np.ndarray], batch: int, threshold: float) -> np.ndarray:
        shape = (batch, *images[0].shape[:2])
        if shape not in self._graphs:
            self._graphs[shape] = _Replayed(self._steps, shape, self._threshold)
        self._threshold.fill_(threshold)
        return self._graphs[shape](images)

    def _shown(self, answer: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """From (K, 6) the boxes and scores to show."""
        scores, boxes = torch.from_numpy(answer[:, 4]), torch.from_numpy(answer[:, :4])
        if answer[0, 5] < 0:  # a chain longer than the graph follows: one after another instead
            boxes, scores = self._select(scores[None], boxes[None], threshold)[0]
            return boxes.numpy(), scores.numpy()
        shown = torch.from_numpy(answer[:, 5] > 0)
        return vote(boxes[shown], scores[shown], boxes, scores).numpy(), scores[shown].numpy()

    @torch.inference_mode()
    def _compare(self, reference: VectorSSD) -> None:
        """Against PyTorch in single precision, on an image of soft noise: all scores, and the corners of what
        scores best."""
        noise = np.random.default_rng(0).integers(0, 256, (18, 32, 3), dtype=np.uint8)
        image = cv2.resize(noise, ROBOT_HW[::-1], interpolation=cv2.INTER_CUBIC)
        answer = torch.from_numpy(self._run([image], 1, 0.0)[0])
        exact = ImageToBoxes(reference)(
            torch.from_numpy(image[None]).to(self._device), torch.zeros((), device=self._device)
        )[0].cpu()
        near = (
            (exact[:, None, :4] - answer[None, :20, :4]).abs().amax(dim=2).amin(dim=0)
        )  # those that score alike may change places
        worst = max(float((exact[:, 4] - answer[:, 4]).abs().max()), float(near.max()))
        if not worst <= TOLERANCE:
            raise RuntimeError(f"half precision moves scores or boxes by {worst:.3f}")


class _Replayed:
    """One graph: pinned bytes up, the steps, pinned numbers down."""

    def __init__(self, steps: ImageToBoxes, shape: tuple[int, int, int], threshold: Tensor):
        self._host = torch.empty((*shape, 3), dtype=torch.uint8).pin_memory()
        self._pixels = torch.zeros((*shape, 3), dtype=torch.uint8, device=threshold.device)
        aside = torch.cuda.Stream(threshold.device)
        aside.wait_stream(torch.cuda.current_stream(threshold.device))
        with torch.cuda.stream(aside):  # libraries choose their kernels before the capture
            for _ in range(3):
                answer = steps(self._pixels, threshold)
        torch.cuda.current_stream(threshold.device).wait_stream(aside)
        self._answer = torch.empty(answer.shape).pin_memory()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._pixels.copy_(self._host, non_blocking=True)
            self._answer.copy_(steps(self._pixels, threshold), non_blocking=True)

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(B, K, 6), as `ImageToBoxes` gives it; images that are missing leave the last ones in their
        place."""
        for place, image in zip(self._host.numpy(), images, strict=False):
            np.copyto(place, image)
        self._graph.replay()
        torch.cuda.current_stream(self._pixels.device).synchronize()
        return self._answer.numpy().copy()
