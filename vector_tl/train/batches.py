"""Images decoded once and kept as bytes, and the endless sequence of augmented batches made of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from vector_tl.data.dataset import Item
from vector_tl.data.images import decode_or_none
from vector_tl.errors import UsageError, UserError
from vector_tl.train.augment import boxes_in_window, cut, draw_window, relight

KEPT_WH = (
    640,
    360,
)  # images are kept at the robot's own size; other shapes are stretched to it, as the network does anyway


@dataclass(frozen=True)
class Images:
    """`pixels` uint8 (N, 3, H, W) and for each image its ground-truth boxes (n, 4) xyxy in 0..1."""

    pixels: Tensor
    boxes: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.boxes)

    def part(self, which: slice | list[int]) -> "Images":
        """Some of the images."""
        return Images(
            self.pixels[which],
            self.boxes[which] if isinstance(which, slice) else [self.boxes[i] for i in which],
        )

    def on(self, device: torch.device) -> "Images":
        """The same with their pixels there: 0.7 MB each, so that no batch has to travel."""
        return Images(self.pixels.to(device), self.boxes)


def keep_images(items: list[Item]) -> Images:
    """Decode the images of a dataset.

    Raises:
        UserError: one cannot be read.
    """
    return Images(
        _stack([item.image() for item in items]), [item.boxes_norm.astype(np.float64) for item in items]
    )


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
    out = torch.empty((len(images), 3, KEPT_WH[1], KEPT_WH[0]), dtype=torch.uint8)
    for i, image in enumerate(images):
        if (image.shape[1], image.shape[0]) != KEPT_WH:
            image = cv2.resize(image, KEPT_WH, interpolation=cv2.INTER_AREA)
        out[i] = torch.from_numpy(image).permute(2, 0, 1)
    return out


def own_images(batch_size: int, background_share: float) -> int:
    """How many images of a batch come from the dataset; the others, at least one unless the share is 0, are backgrounds.

    Raises:
        UsageError: none.
    """
    own = batch_size - (max(1, round(batch_size * background_share)) if background_share else 0)
    if own < 1:
        raise UsageError(
            f"--background-share {background_share:g} leaves no image of the dataset in a batch of {batch_size}; give a smaller one."
        )
    return own


class Batches:
    """Augmented batches without end. The state is a random generator and a place in the current order, so it can be saved."""

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
        self.extra = batch_size - own_images(batch_size, background_share if backgrounds is not None else 0.0)
        self.batch_size = batch_size
        self.rng = np.random.default_rng([seed, 11, rank] if rank else [seed, 11])
        self._order = np.zeros(0, np.int64)

    def state(self) -> dict:
        """What `restore` needs."""
        return {"rng": self.rng.bit_generator.state, "order": self._order.tolist()}

    def restore(self, state: dict) -> None:
        """Go on where `state` was taken."""
        self.rng.bit_generator.state = state["rng"]
        self._order = np.asarray(state["order"], np.int64)

    def __iter__(self) -> Iterator[tuple[Tensor, list[dict[str, Tensor]]]]:
        while True:
            yield self.next()

    def next(self) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Images (B, 3, h, w) in 0..1 and their targets: `boxes` (n, 4) in pixels, `labels` (n,) of ones."""
        own = self.batch_size - self.extra
        while len(self._order) < own:
            self._order = np.concatenate([self._order, self.rng.permutation(len(self.images))])
        chosen, self._order = self._order[:own], self._order[own:]
        pixels, boxes = (
            [self.images.pixels[torch.from_numpy(chosen).to(self.device)]],
            [self.images.boxes[i] for i in chosen],
        )
        if self.backgrounds is not None:
            more = self.rng.integers(len(self.backgrounds), size=self.extra)
            pixels.append(self.backgrounds.pixels[torch.from_numpy(more).to(self.device)])
            boxes += [np.zeros((0, 4))] * self.extra
        stacked = torch.cat(pixels)
        windows = np.stack([draw_window(b, self.rng) for b in boxes])
        mirrored = self.rng.random(len(boxes)) < 0.5
        fill = torch.as_tensor(self.rng.random((len(boxes), 3), dtype=np.float32), device=self.device)
        batch = relight(cut(stacked, windows, mirrored, self.size_wh, fill), self.rng)
        targets = []
        for box, window, flip in zip(boxes, windows, mirrored, strict=True):
            inside = torch.from_numpy(boxes_in_window(box, window, bool(flip), self.size_wh)).to(self.device)
            targets.append(
                {"boxes": inside, "labels": torch.ones(len(inside), dtype=torch.int64, device=self.device)}
            )
        return batch.contiguous(memory_format=torch.channels_last), targets
