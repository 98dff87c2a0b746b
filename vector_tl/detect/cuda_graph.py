"""The whole way from an image to its boxes as one CUDA graph.

It costs one call of the driver instead of several hundred launches. A graph needs shapes that do not depend
on the image, so the best boxes are chosen without leaving any out: those that are dropped are marked. The CPU
then lets all of them vote on the few that are shown.
"""

import copy
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vector_tl.detect.engine import resize_image
from vector_tl.nets.ssd import VectorSSD
from vector_tl.nets.suppression import BEST_SCORES, MAX_BOXES, drop_matrix, select_boxes, vote

# images of the robot's camera are uploaded as they are and resized on the device; others are resized before
ROBOT_HW = (360, 640)
BATCHES = (1, 8)  # graphs are made for so many images at a time; a smaller batch is filled up
# the longest chain of boxes, each of which drops the next, that the graph follows; longer ones are marked.
# `best` and `scratch` needed 4 rounds at most above a score of .1, 6 above .01, 10 above .001 (86 images)
ROUNDS = 10
# what half precision may change in a score or, as a share of the image's side, in a box's corner
TOLERANCE = 0.02


class ImageToBoxes(nn.Module):
    """Images (B, H, W, 3) uint8 RGB of any size to their best boxes; no shape depends on their content."""

    def __init__(self, network: VectorSSD, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.network, self.dtype = network, dtype
        for parameter in network.parameters():  # not .half(): anchors stay in single precision
            parameter.data = parameter.data.to(dtype)

    def forward(self, images: Tensor, threshold: Tensor) -> Tensor:
        """Give (B, K, 6), best first: x1, y1, x2, y2 in 0..1, score, and a mark.

        The mark is 1 for a box to show, 0 for one that is dropped, and -1 for all boxes of an image with a
        chain longer than `ROUNDS`.
        """
        pixels = images.permute(0, 3, 1, 2).to(self.dtype)  # (B, 3, H, W), channels last in memory
        width, height = self.network.size_wh
        if pixels.shape[2:] != (height, width):
            pixels = F.interpolate(pixels, (height, width), mode="bilinear", align_corners=False)
        scores, boxes = self.network.predict(pixels / 255)  # (B, A) and (B, A, 4)
        # stable, as `select_boxes` sorts: of boxes that score alike the same one is better
        scores, order = (each[:, :BEST_SCORES] for each in scores.sort(dim=1, descending=True, stable=True))
        boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))  # (B, K, 4)
        marks = _mark_boxes(scores, boxes, threshold)  # (B, K)
        return torch.cat([boxes, scores[..., None], marks[..., None]], dim=2)


def _mark_boxes(scores: Tensor, boxes: Tensor, threshold: Tensor) -> Tensor:
    """What `select_boxes` does before the vote, in fixed shapes and for all images at once.

    Args:
        scores: (..., K), best first.
        boxes: (..., K, 4).
        threshold: only boxes with a higher score are shown.

    Returns:
        Float (..., K): 1 to show, 0 to drop, -1 for not settled.
    """
    count = scores.shape[-1]
    drops = drop_matrix(boxes, xp=torch).float().reshape(-1, count, count)  # (B, K, K)
    candidates = (scores > threshold).float().reshape(-1, 1, count)  # (B, 1, K)
    kept = before = candidates
    for _ in range(ROUNDS):
        # `suppression.keep_again` in two kernels: 1 less how many kept ones drop it, and no less than 0
        before, kept = kept, torch.baddbmm(candidates, kept, drops, alpha=-1).relu()
    settled = (kept == before).all(-1, keepdim=True)
    shown = kept * (kept.cumsum(-1) <= MAX_BOXES)
    return torch.where(settled, shown, -1.0).view_as(scores)


class CudaGraphEngine:
    """The network in half precision, as CUDA graphs that are replayed, from one thread at a time.

    Graphs are made when they are first needed, in about a second; `Detector` does so before a robot waits for
    it.

    Attributes:
        name: library and device, for people.
        lanes: see `Engine`.

    Raises:
        RuntimeError: the device cannot, or its boxes differ from PyTorch's own by more than `TOLERANCE`.
    """

    lanes = 1

    def __init__(self, network: VectorSSD, device: torch.device):
        self.name = f"cuda graph ({torch.cuda.get_device_name(device)}, half precision)"
        self._device, self._size_wh = device, network.size_wh
        half = copy.deepcopy(network).to(device, memory_format=torch.channels_last)
        self._steps = ImageToBoxes(half, torch.float16).eval()
        self._threshold = torch.zeros((), device=device)
        self._graphs: dict[tuple[int, int, int], _ReplayedGraph] = {}
        self._compare_with_pytorch(network.to(device, memory_format=torch.channels_last))

    def __call__(self, images: Sequence[np.ndarray], threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (n, 4) in 0..1 of each image and their scores (n,), best first."""
        answers: list[np.ndarray] = []
        ready = images
        if any(image.shape[:2] != ROBOT_HW for image in images):
            ready = [resize_image(image, self._size_wh) for image in images]
        batch = BATCHES[0] if len(images) <= BATCHES[0] else BATCHES[-1]
        for at in range(0, len(ready), batch):
            some = ready[at : at + batch]
            answers += list(self._run_graph(some, batch, threshold)[: len(some)])
        return [self._shown_boxes(answer, threshold) for answer in answers]

    @torch.inference_mode()
    def _run_graph(self, images: Sequence[np.ndarray], batch: int, threshold: float) -> np.ndarray:
        """(B, K, 6), as `ImageToBoxes` gives it."""
        shape = (batch, *images[0].shape[:2])
        if shape not in self._graphs:
            self._graphs[shape] = _ReplayedGraph(self._steps, shape, self._threshold)
        self._threshold.fill_(threshold)
        return self._graphs[shape](images)

    def _shown_boxes(self, answer: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """From (K, 6) the boxes (n, 4) to show and their scores (n,)."""
        scores, boxes, marks = answer[:, 4], answer[:, :4], answer[:, 5]
        if marks[0] < 0:  # a chain longer than the graph follows
            return select_boxes(scores, boxes, threshold)
        shown = marks > 0
        return vote(boxes[shown], scores[shown], boxes, scores), scores[shown]

    @torch.inference_mode()
    def _compare_with_pytorch(self, reference: VectorSSD) -> None:
        """Compare scores and corners with single precision's, on an image of soft noise."""
        noise = np.random.default_rng(0).integers(0, 256, (18, 32, 3), dtype=np.uint8)
        image = cv2.resize(noise, ROBOT_HW[::-1], interpolation=cv2.INTER_CUBIC)
        answer = torch.from_numpy(self._run_graph([image], 1, 0.0)[0])  # (K, 6)
        pixels, threshold = (
            torch.from_numpy(image[None]).to(self._device),
            torch.zeros((), device=self._device),
        )
        exact = ImageToBoxes(reference)(pixels, threshold)[0].cpu()  # (K, 6)
        # boxes that score alike may change places: the nearest one counts
        near = (exact[:, None, :4] - answer[None, :20, :4]).abs().amax(dim=2).amin(dim=0)
        worst = max(float((exact[:, 4] - answer[:, 4]).abs().max()), float(near.max()))
        if not worst <= TOLERANCE:
            raise RuntimeError(f"half precision moves scores or boxes by {worst:.3f}")


class _ReplayedGraph:
    """One graph: image bytes up from pinned memory, the steps, boxes down to pinned memory."""

    def __init__(self, steps: ImageToBoxes, shape: tuple[int, int, int], threshold: Tensor):
        self._host = torch.empty((*shape, 3), dtype=torch.uint8).pin_memory()
        self._pixels = torch.zeros((*shape, 3), dtype=torch.uint8, device=threshold.device)
        aside = torch.cuda.Stream(threshold.device)  # type: ignore[no-untyped-call]
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
        """(B, K, 6), as `ImageToBoxes` gives it; a smaller batch is filled up with earlier images."""
        for place, image in zip(self._host.numpy(), images, strict=False):
            np.copyto(place, image)
        self._graph.replay()
        torch.cuda.current_stream(self._pixels.device).synchronize()
        return self._answer.numpy().copy()
