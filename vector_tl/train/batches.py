"""Images decoded once and kept in memory, and the endless sequence of augmented batches made of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from vector_tl.data.dataset import Item
from vector_tl.data.images import decode_or_none
from vector_tl.errors import UsageError, UserError
from vector_tl.train.augment import boxes_in_window, draw_window, relight, resample_windows

# the size of the robot's camera; other images are stretched to it, as the network does anyway
KEPT_WH = (640, 360)


@dataclass(frozen=True)
class Images:
    """`pixels` uint8 (N, 3, H, W) and for each image its ground-truth boxes (n, 4) xyxy in 0..1."""

    pixels: Tensor
    boxes: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def with_boxes(self) -> int:
        """How many of them have a box."""
        return sum(len(boxes) > 0 for boxes in self.boxes)

    def part(self, which: slice | list[int]) -> "Images":
        """Some of the images."""
        boxes = self.boxes[which] if isinstance(which, slice) else [self.boxes[i] for i in which]
        return Images(self.pixels[which], boxes)

    def on(self, device: torch.device) -> "Images":
        """The same with their pixels on a device: 0.7 MB each, so that no batch has to travel there."""
        return Images(self.pixels.to(device), self.boxes)


def keep_images(items: list[Item]) -> Images:
    """Decode the labelled images of a dataset.

    Raises:
        UserError: one cannot be read.
        ValueError: one is not labelled.
    """
    boxes = []
    for item in items:
        if item.boxes_norm is None:
            raise ValueError(f"{item.image_path} is not labelled")
        boxes.append(item.boxes_norm.astype(np.float64))
    return Images(_stack([item.image() for item in items]), boxes)


def keep_folder(folder: Path) -> Images:
    """Decode all images below a folder, as images without a Vector.

    Raises:
        UserError: there is none.
    """
    paths = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    images = [image for path in paths if (image := decode_or_none(path.read_bytes())) is not None]
    if not images:
        raise UserError(f"{folder} holds no readable images; name a folder of photographs without a Vector.")
    return Images(_stack(images), [np.zeros((0, 4))] * len(images))


def _stack(images: list[np.ndarray]) -> Tensor:
    """Images (H, W, 3) of any sizes as uint8 (N, 3, 360, 640)."""
    out = torch.empty((len(images), 3, KEPT_WH[1], KEPT_WH[0]), dtype=torch.uint8)
    for i, image in enumerate(images):
        if (image.shape[1], image.shape[0]) != KEPT_WH:
            image = cv2.resize(image, KEPT_WH, interpolation=cv2.INTER_AREA)
        out[i] = torch.from_numpy(image).permute(2, 0, 1)
    return out


def own_images(batch_size: int, background_share: float) -> int:
    """How many images of a batch come from the dataset.

    The others are backgrounds, at least one unless the share is 0.

    Raises:
        UsageError: none would come from the dataset.
    """
    own = batch_size - (max(1, round(batch_size * background_share)) if background_share else 0)
    if own < 1:
        raise UsageError(
            f"--background-share {background_share:g} leaves no image of the dataset in a batch "
            f"of {batch_size}; give a smaller one."
        )
    return own


class Batches:
    """Augmented batches without end.

    Their state is a random generator and a place in the current order, so it can be saved.

    Args:
        images: of the dataset; each comes once in an epoch.
        backgrounds: images without a Vector that fill up each batch, or None.
        batch_size: B, backgrounds included.
        size_wh: the network's input size.
        seed: of order and augmentation.
        device: where batches are made.
        background_share: share of a batch that are backgrounds.
        rank: number of this process; each draws other numbers.
    """

    def __init__(
        self,
        images: Images,
        backgrounds: Images | None,
        batch_size: int,
        size_wh: tuple[int, int],
        seed: int,
        device: torch.device,
        background_share: float = 0.125,
        rank: int = 0,
    ):
        self.images, self.backgrounds = images.on(device), backgrounds and backgrounds.on(device)
        self.size_wh, self.device = size_wh, device
        self.own = own_images(batch_size, background_share if backgrounds is not None else 0.0)
        self.extra = batch_size - self.own
        self.rng = np.random.default_rng([seed, 11, rank] if rank else [seed, 11])
        self._order = np.zeros(0, np.int64)

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"rng": self.rng.bit_generator.state, "order": self._order.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.rng.bit_generator.state = state["rng"]
        self._order = np.asarray(state["order"], np.int64)

    def next_batch(self) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Images (B, 3, h, w) in 0..1, and of each its `boxes` (n, 4) in pixels and `labels` (n,), all 1."""
        while len(self._order) < self.own:
            self._order = np.concatenate([self._order, self.rng.permutation(len(self.images))])
        chosen, self._order = self._order[: self.own], self._order[self.own :]
        pixels = self.images.pixels[torch.from_numpy(chosen).to(self.device)]  # (own, 3, H, W)
        boxes = [self.images.boxes[i] for i in chosen]
        if self.backgrounds is not None:
            more = self.rng.integers(len(self.backgrounds), size=self.extra)
            extra = self.backgrounds.pixels[torch.from_numpy(more).to(self.device)]
            pixels = torch.cat([pixels, extra])  # (B, 3, H, W)
            boxes += [np.zeros((0, 4))] * self.extra

        windows = np.stack([draw_window(b, self.rng) for b in boxes])  # (B, 4)
        mirrored = self.rng.random(len(boxes)) < 0.5  # (B,)
        fill = torch.as_tensor(self.rng.random((len(boxes), 3), dtype=np.float32), device=self.device)
        batch = resample_windows(pixels, windows, mirrored, self.size_wh, fill)  # (B, 3, h, w)
        batch = relight(batch, self.rng)

        targets = []
        for box, window, flip in zip(boxes, windows, mirrored, strict=True):
            inside = torch.from_numpy(boxes_in_window(box, window, bool(flip), self.size_wh)).to(self.device)
            labels = torch.ones(len(inside), dtype=torch.int64, device=self.device)
            targets.append({"boxes": inside, "labels": labels})
        return batch.contiguous(memory_format=torch.channels_last), targets
