"""Pictures decoded once and kept as bytes, and the endless sequence of augmented batches made of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from vector_tl.data.dataset import Item, decode
from vector_tl.errors import UsageError, UserError
from vector_tl.train.augment import boxes_in_window, cut, draw_window, relight

KEPT_WH = (
    640,
    360,
)  # pictures are kept at the robot's own size; other shapes are stretched to it, as the network does anyway


@dataclass(frozen=True)
class Pictures:
    """`pixels` uint8 (N, 3, H, W) and for each picture its true boxes (n, 4) xyxy in 0..1."""

    pixels: Tensor
    boxes: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.boxes)

    def part(self, which: slice | list[int]) -> "Pictures":
        """Some of the pictures."""
        return Pictures(
            self.pixels[which],
            self.boxes[which] if isinstance(which, slice) else [self.boxes[i] for i in which],
        )

    def on(self, device: torch.device) -> "Pictures":
        """The same with their pixels there: 0.7 MB each, so that no batch has to travel."""
        return Pictures(self.pixels.to(device), self.boxes)


def keep(items: list[Item]) -> Pictures:
    """Decode the pictures of a data set.

    Raises:
        UserError: one cannot be read.
    """
    return Pictures(
        _stack([item.picture() for item in items]), [item.boxes_norm.astype(np.float64) for item in items]
    )


def keep_folder(folder: Path) -> Pictures:
    """Decode all pictures below a folder, as pictures without a Vector.

    Raises:
        UserError: there is none.
    """
    paths = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    pictures = [picture for path in paths if (picture := decode(path.read_bytes())) is not None]
    if not pictures:
        raise UserError(
            f"{folder} holds no readable pictures; name a folder of photographs without a Vector."
        )
    return Pictures(_stack(pictures), [np.zeros((0, 4))] * len(pictures))


def _stack(pictures: list[np.ndarray]) -> Tensor:
    out = torch.empty((len(pictures), 3, KEPT_WH[1], KEPT_WH[0]), dtype=torch.uint8)
    for i, picture in enumerate(pictures):
        if (picture.shape[1], picture.shape[0]) != KEPT_WH:
            picture = cv2.resize(picture, KEPT_WH, interpolation=cv2.INTER_AREA)
        out[i] = torch.from_numpy(picture).permute(2, 0, 1)
    return out


def own_pictures(batch_size: int, background_share: float) -> int:
    """How many pictures of a batch come from the data set; the others, at least one unless the share is 0, are backgrounds.

    Raises:
        UsageError: none.
    """
    own = batch_size - (max(1, round(batch_size * background_share)) if background_share else 0)
    if own < 1:
        raise UsageError(
            f"--background-share {background_share:g} leaves no picture of the data set in a batch of {batch_size}; give a smaller one."
        )
    return own


class Batches:
    """Augmented batches without end. The state is a random generator and a place in the current order, so it can be saved."""

    def __init__(
        self,
        pictures: Pictures,
        backgrounds: Pictures | None,
        batch_size: int,
        size_wh: tuple[int, int],
        seed: int,
        device: torch.device,
        background_share: float = 0.125,
        rank: int = 0,
    ):
        self.pictures, self.backgrounds = pictures.on(device), backgrounds and backgrounds.on(device)
        self.size_wh, self.device = size_wh, device
        self.extra = batch_size - own_pictures(
            batch_size, background_share if backgrounds is not None else 0.0
        )
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
        """Pictures (B, 3, h, w) in 0..1 and their targets: `boxes` (n, 4) in pixels, `labels` (n,) of ones."""
        own = self.batch_size - self.extra
        while len(self._order) < own:
            self._order = np.concatenate([self._order, self.rng.permutation(len(self.pictures))])
        chosen, self._order = self._order[:own], self._order[own:]
        pixels, boxes = (
            [self.pictures.pixels[torch.from_numpy(chosen).to(self.device)]],
            [self.pictures.boxes[i] for i in chosen],
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
