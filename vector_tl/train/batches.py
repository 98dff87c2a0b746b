"""Images decoded once and kept in memory, and the endless sequence of augmented batches made of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from vector_tl.data.dataset import Item
from vector_tl.data.images import image_bytes, read_image
from vector_tl.errors import UsageError, UserError
from vector_tl.nets.loss import Targets, pad_targets
from vector_tl.train.augment import boxes_in_window, draw_window, relight, resample_windows
from vector_tl.train.mosaic import FOUR, make_mosaic
from vector_tl.train.paste import MAX_PASTED, Cutout, paste
from vector_tl.train.pixels import (
    DECODED_AT_ONCE,
    THREADS,
    EncodedPixels,
    KeptFile,
    Which,
    decoded_bytes,
    room_bytes,
    stack,
)
from vector_tl.train.settings import MAX_DECODED, Variety
from vector_tl.train.upload import upload
from vector_tl.train.variety import vary

AS_EVER = Variety()
T = TypeVar("T")


@dataclass(frozen=True)
class Images:
    """Images in memory.

    Attributes:
        pixels: uint8 (N, 3, H, W), or the same encoded.
        boxes: of each image the ground-truth boxes (n, 4) xyxy in 0..1.
        folders: of each image the number of the folder that it came from; None when they do not matter.
    """

    pixels: Tensor | EncodedPixels
    boxes: list[np.ndarray]
    folders: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def max_boxes(self) -> int:
        """The most boxes that one of them has."""
        return max((len(boxes) for boxes in self.boxes), default=0)

    @property
    def with_boxes(self) -> int:
        """How many of them have a box."""
        return sum(len(boxes) > 0 for boxes in self.boxes)

    def part(self, which: slice | list[int]) -> "Images":
        """Some of the images."""
        boxes = self.boxes[which] if isinstance(which, slice) else [self.boxes[i] for i in which]
        return Images(self.pixels[which], boxes, None if self.folders is None else self.folders[which])

    def on(self, device: torch.device) -> "Images":
        """The same with their pixels on a device: 0.7 MB each, so that no batch has to travel there.

        Images kept as JPEG are decoded, too, where a GPU has room for all of them.
        """
        if isinstance(self.pixels, EncodedPixels) and decoded_bytes(len(self)) <= room_bytes(device):
            return replace(self, pixels=self.pixels.decode_all(device))
        return replace(self, pixels=self.pixels.to(device))

    def decoded(self, which: Which) -> Tensor:
        """The pixels of some of the images, uint8 (n, 3, H, W)."""
        if not isinstance(self.pixels, Tensor):
            return self.pixels.decode(which)
        if isinstance(which, slice):
            return self.pixels[which]
        return self.pixels[upload(which, self.pixels.device, torch.int64)]

    def in_decoded_parts(self) -> Iterator["Images"]:
        """The images with decoded pixels, so many at once as are worth it."""
        if isinstance(self.pixels, Tensor):
            yield self
            return
        for at in range(0, len(self), DECODED_AT_ONCE):
            which = slice(at, at + DECODED_AT_ONCE)
            yield Images(self.decoded(which), self.boxes[which])

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Numbers (count,) of images drawn evenly over the folders, and over the images in each of them."""
        if len(self._of_folder) == 1:
            return rng.integers(len(self), size=count)
        chosen = [self._of_folder[i] for i in rng.integers(len(self._of_folder), size=count)]
        return np.array([numbers[rng.integers(len(numbers))] for numbers in chosen])

    @cached_property
    def _of_folder(self) -> list[np.ndarray]:
        """For each folder the numbers of its images."""
        folders = np.zeros(len(self), int) if self.folders is None else self.folders
        return [np.flatnonzero(folders == folder) for folder in np.unique(folders)]


def keep_images(items: list[Item], encoded: bool | None = None) -> Images:
    """Read the labelled images of a dataset.

    Args:
        items: of the dataset.
        encoded: whether they are kept as JPEG; when None, if they are more than `MAX_DECODED`.

    Raises:
        UserError: one cannot be read.
        ValueError: one is not labelled.
    """
    boxes = []
    for item in items:
        if item.boxes_norm is None:
            raise ValueError(f"{item.image_path} is not labelled")
        boxes.append(item.boxes_norm.astype(np.float64))
    if len(items) > MAX_DECODED if encoded is None else encoded:
        with ThreadPoolExecutor(THREADS) as threads:
            return Images(EncodedPixels(list(threads.map(lambda i: _keep(i.image_path), items))), boxes)
    return Images(stack((item.image() for item in items), len(items)), boxes)


def _keep(path: Path) -> KeptFile:
    return EncodedPixels.keep(image_bytes(path), str(path))


def files_below(*folders: Path) -> list[Path]:
    """All files below some folders, none of them twice, sorted in each."""
    found = [path for folder in folders for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return list(dict.fromkeys(found))


def keep_folder(*folders: Path, encoded: bool | None = None) -> Images:
    """Read all images below one folder or several, as images without a Vector.

    Args:
        folders: whose images, and those of the folders in them, are taken.
        encoded: whether they are kept as JPEG; when None, if there are more files than `MAX_DECODED`.

    Raises:
        UserError: there is none in one of them.
    """
    for folder in folders:
        if not any(_or_none(read_image, path) is not None for path in files_below(folder)):
            raise UserError(
                f"{folder} holds no readable images; name a folder of photographs without a Vector."
            )
    paths = files_below(*folders)
    places = {folder: number for number, folder in enumerate(dict.fromkeys(path.parent for path in paths))}
    kept: list[int] = []  # the folder's number of each readable image

    def readable(read: Callable[[Path], T]) -> Iterator[T]:
        for path in paths:
            if (found := _or_none(read, path)) is not None:
                kept.append(places[path.parent])
                yield found

    pixels: Tensor | EncodedPixels
    if len(paths) > MAX_DECODED if encoded is None else encoded:
        pixels = EncodedPixels(list(readable(_keep)))
    else:
        pixels = stack(readable(read_image), len(paths))
    return Images(pixels, [np.zeros((0, 4))] * len(kept), np.array(kept))


def _or_none(read: Callable[[Path], T], path: Path) -> T | None:
    try:
        return read(path)
    except UserError:
        return None


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
        variety: options that make images more various.
        cutouts: Vectors to paste, where that is asked for.
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
        variety: Variety = AS_EVER,
        cutouts: Sequence[Cutout] = (),
    ):
        self.images, self.backgrounds = images.on(device), backgrounds and backgrounds.on(device)
        self.size_wh, self.device = size_wh, device
        self.own = own_images(batch_size, background_share if backgrounds is not None else 0.0)
        self.extra = batch_size - self.own
        self.background_share, self.variety, self.cutouts = background_share, variety, list(cutouts)
        self.rng = np.random.default_rng([seed, 11, rank] if rank else [seed, 11])
        # its own, so that a training without any variety has the same batches as ever
        self.variety_rng = np.random.default_rng([seed, 12, rank])
        self._order = np.zeros(0, np.int64)
        # a GPU's batches all have the same shapes: places for the most boxes that an image can have
        self.places = self._max_boxes() if device.type == "cuda" else None

    def _max_boxes(self) -> int:
        own, variety = self.images.max_boxes, self.variety
        pasted = own + (MAX_PASTED if variety.paste else 0)
        return max(1, pasted + ((FOUR - 1) * own if variety.mosaic else 0))

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {
            "rng": self.rng.bit_generator.state,
            "variety_rng": self.variety_rng.bit_generator.state,
            "order": self._order.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.rng.bit_generator.state = state["rng"]
        if "variety_rng" in state:  # not in files from before there was any
            self.variety_rng.bit_generator.state = state["variety_rng"]
        self._order = np.asarray(state["order"], np.int64)

    def next_batch(self) -> tuple[Tensor, Targets]:
        """Images (B, 3, h, w) in 0..1, and their boxes, whose labels are all 1."""
        while len(self._order) < self.own:
            self._order = np.concatenate([self._order, self.rng.permutation(len(self.images))])
        chosen, self._order = self._order[: self.own], self._order[self.own :]
        pixels = self.images.decoded(torch.from_numpy(chosen))  # (own, 3, H, W)
        boxes = [self.images.boxes[i] for i in chosen]
        if self.backgrounds is not None:
            more = self.backgrounds.draw(self.extra, self.rng)
            pixels = torch.cat([pixels, self.backgrounds.decoded(torch.from_numpy(more))])
            boxes += [np.zeros((0, 4))] * self.extra
        if self.variety.paste:
            pixels, boxes = self._with_pasted(pixels, boxes)
        if self.variety.mosaic:
            pixels, boxes = self._with_mosaics(pixels, boxes)

        windows = np.stack([draw_window(b, self.rng, self.variety.max_zoom_out) for b in boxes])  # (B, 4)
        mirrored = self.rng.random(len(boxes)) < 0.5  # (B,)
        fill = upload(self.rng.random((len(boxes), 3), dtype=np.float32), self.device)
        seen = [
            boxes_in_window(box, window, bool(flip), self.size_wh)
            for box, window, flip in zip(boxes, windows, mirrored, strict=True)
        ]
        batch = resample_windows(pixels, windows, mirrored, self.size_wh, fill)  # (B, 3, h, w)
        batch = vary(batch, seen, self.variety, self.variety_rng)
        batch = relight(batch, self.rng)
        return batch.contiguous(memory_format=torch.channels_last), self._targets(seen)

    def _targets(self, boxes: list[np.ndarray]) -> Targets:
        """Targets of images with boxes (n, 4) in pixels of the network's input."""
        of_images = [torch.from_numpy(some) for some in boxes]
        labels = [torch.ones(len(some), dtype=torch.int64) for some in boxes]
        targets = pad_targets(of_images, labels, self.size_wh, self.places)
        return Targets(*(upload(each, self.device) for each in targets))

    def _with_pasted(self, pixels: Tensor, boxes: list[np.ndarray]) -> tuple[Tensor, list[np.ndarray]]:
        """Images (B, 3, H, W) and their boxes; onto a share of them Vectors were pasted."""
        rng, pixels, boxes = self.variety_rng, pixels.clone(), list(boxes)
        for i in np.flatnonzero(rng.random(len(boxes)) < self.variety.paste).tolist():
            boxes[i] = paste(pixels[i], boxes[i], self.cutouts, rng)
        return pixels, boxes

    def _with_mosaics(self, pixels: Tensor, boxes: list[np.ndarray]) -> tuple[Tensor, list[np.ndarray]]:
        """Images (B, 3, H, W) and their boxes; a share of the dataset's became a quarter of a mosaic."""
        rng = self.variety_rng
        chosen = np.flatnonzero(rng.random(self.own) < self.variety.mosaic)
        others, of_others = self._draw_others(len(chosen) * (FOUR - 1))
        pixels, boxes = pixels.clone(), list(boxes)
        for i, at in zip(chosen.tolist(), range(0, len(of_others), FOUR - 1), strict=True):
            some, order = slice(at, at + FOUR - 1), rng.permutation(FOUR).tolist()
            four, of_four = [pixels[i], *others[some]], [boxes[i], *of_others[some]]
            in_order = torch.stack([four[k] for k in order])
            pixels[i], boxes[i] = make_mosaic(in_order, [of_four[k] for k in order], rng)
        return pixels, boxes

    def _draw_others(self, count: int) -> tuple[Tensor, list[np.ndarray]]:
        """Images (count, 3, H, W) and their boxes: of the dataset, and as often as in a batch backgrounds."""
        rng, sources = self.variety_rng, [self.images, self.backgrounds or self.images]
        source = (rng.random(count) < self.background_share).astype(int)
        number = [int(sources[k].draw(1, rng)[0]) for k in source]
        boxes = [sources[k].boxes[i] for k, i in zip(source, number, strict=True)]
        parts, order = [], []
        for k in (0, 1):
            which = np.flatnonzero(source == k)
            parts.append(sources[k].decoded([number[i] for i in which]))
            order.append(which)
        back = np.argsort(np.concatenate(order))  # from the sources' order to the drawn one
        return torch.cat(parts)[upload(back, self.device)], boxes
