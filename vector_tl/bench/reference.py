"""The plain forms of the field, to measure against: torchvision's own detector call and training loop.

The training is as in torchvision's references/detection, for the same network, batch and machine: images are
decoded again in every epoch by DataLoader workers, transformed one at a time (the `ssd` preset: photometric
distortion, zoom-out, IoU crop, flip), and the network is called with a list of images, which its
GeneralizedRCNNTransform resizes and batches.
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
from vector_tl.detect.interface import Detections
from vector_tl.nets.checkpoint import load
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.step import CLIP_NORM, make_optimizer

Example = tuple[bytes, np.ndarray]
"""An image's JPEG and its boxes (N, 4) xyxy in 0..1."""


EAGER = "torchvision's eager model([image])"


class EagerDetector:
    """torchvision's `model([image])` behind the interface of a detector."""

    def __init__(self, model: str, device: torch.device):
        network = load(model)[0].eval().to(device)
        self.name, self.arch, self.init, self.threshold = model, network.arch, network.init, 0.5
        self._network, self._device = network, device

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """Vectors in one image, uint8 (H, W, 3) RGB, above `threshold`."""
        pixels = torch.from_numpy(image).to(self._device).permute(2, 0, 1).float() / 255
        found = self._network([pixels])[0]
        sure = found["scores"] > (self.threshold if threshold is None else threshold)
        return Detections(found["boxes"][sure].cpu().numpy(), found["scores"][sure].cpu().numpy())


class ReferenceDataset(Dataset):
    """Decoded and transformed one at a time, as often as they are asked for."""

    def __init__(self, examples: list[Example]):
        self.examples = examples
        self.transforms = v2.Compose(
            [
                v2.ToImage(),
                v2.RandomPhotometricDistort(),
                v2.RandomZoomOut(fill=127),
                v2.RandomIoUCrop(),
                v2.RandomHorizontalFlip(),
                v2.SanitizeBoundingBoxes(),
                v2.ToDtype(torch.float32, scale=True),
                v2.ToPureTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        data, boxes_norm = self.examples[index]
        image = decode_image(data, "an example")
        height, width = image.shape[:2]
        boxes = tv_tensors.BoundingBoxes(
            torch.from_numpy(to_pixels(boxes_norm, (width, height))).float(),
            format="XYXY",
            canvas_size=(height, width),
        )
        targets = {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64)}
        return self.transforms(torch.from_numpy(image).permute(2, 0, 1), targets)


def _together(batch: list[tuple]) -> tuple[tuple, ...]:
    return tuple(zip(*batch, strict=True))


class Reference:
    """One training by the plain form; `step` trains on a batch."""

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
        loader: DataLoader = DataLoader(
            images,
            batch_size,
            sampler=endless,
            num_workers=workers,
            collate_fn=_together,
            multiprocessing_context="spawn" if workers else None,
            pin_memory=device.type == "cuda",
        )
        self._batches: Iterator = iter(loader)
        self.optimizer = make_optimizer(self.network, lr)

    def step(self, lr_share: float = 1.0) -> float:
        """Train on one more batch at a share of the full learning rate; its loss."""
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
