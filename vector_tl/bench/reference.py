"""The plain form of the field, to measure against: torchvision's own reference training, for the same network, batch and machine.

As in torchvision's references/detection: images decoded again in every epoch by DataLoader workers, transforms one image at a time (the `ssd` preset:
photometric distortion, zoom-out, IoU crop, flip), and the network called with a list of images, which its GeneralizedRCNNTransform resizes and batches.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import tv_tensors
from torchvision.transforms import v2

from vector_tl.data.boxes import to_pixels
from vector_tl.data.images import decode_image
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.loop import CLIP_NORM, make_optimizer

Example = tuple[bytes, np.ndarray]
"""An image's JPEG and its boxes (N, 4) xyxy in 0..1."""


class ReferenceDataset(Dataset):
    """Decoded and transformed one at a time, as often as they are asked for."""

    def __init__(self, examples: list[Example]):
        self.examples = examples
        self.transforms = v2.Compose([
            v2.ToImage(), v2.RandomPhotometricDistort(), v2.RandomZoomOut(fill=127), v2.RandomIoUCrop(), v2.RandomHorizontalFlip(),
            v2.SanitizeBoundingBoxes(), v2.ToDtype(torch.float32, scale=True), v2.ToPureTensor(),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        data, boxes = self.examples[index]
        image = decode_image(data, "the image")
        height, width = image.shape[:2]
        pixels = tv_tensors.BoundingBoxes(
            torch.from_numpy(to_pixels(boxes, (width, height))).float(),
            format="XYXY",
            canvas_size=(height, width),
        )
        return self.transforms(
            torch.from_numpy(image).permute(2, 0, 1),
            {"boxes": pixels, "labels": torch.ones(len(boxes), dtype=torch.int64)},
        )


def _together(batch: list[tuple]) -> tuple[tuple, ...]:
    return tuple(zip(*batch, strict=True))


class Reference:
    """One training of the plain form; `step` trains on a batch."""

    def __init__(
        self,
        network: VectorSSD,
        examples: list[Example],
        batch_size: int,
        lr: float,
        device: torch.device,
        workers: int,
        seed: int = 0,
    ):
        self.network, self.device = network.to(device), device
        images, order = ReferenceDataset(examples), torch.Generator().manual_seed(seed)
        endless = RandomSampler(images, replacement=True, num_samples=1 << 30, generator=order)
        torch.manual_seed(seed)
        self._batches: Iterator = iter(DataLoader(
            images, batch_size, sampler=endless, num_workers=workers, collate_fn=_together, multiprocessing_context="spawn" if workers else None,
            pin_memory=device.type == "cuda",
        ))  # fmt: skip
        self.optimizer = make_optimizer(self.network, lr)

    def step(self, lr_share: float = 1.0) -> float:
        """The loss of one more batch."""
        images, targets = next(self._batches)
        images = [image.to(self.device) for image in images]
        targets = [{key: value.to(self.device) for key, value in target.items()} for target in targets]
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group.setdefault("peak", group["lr"]) * lr_share
        loss = sum(self.network(images, targets).values())
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        self.optimizer.step()
        return loss.item()

    def close(self) -> None:
        """End the workers."""
        self._batches = iter(())
