"""Pixels of many images in memory: decoded (0.7 MB each), or as JPEG (some 0.03 MB each)."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vector_tl.data.images import KEPT_WH, decode_image, encode_jpeg, resize_to_kept, whole_jpeg_size
from vector_tl.train.upload import upload

THREADS = 4  # OpenCV decodes without holding Python's lock
DECODED_AT_ONCE = 256
ROOM_SHARE = 0.5  # of a GPU's free memory that images may take
Which = slice | list[int] | Tensor


def decoded_bytes(count: int) -> int:
    """The memory of so many decoded images."""
    return count * 3 * KEPT_WH[0] * KEPT_WH[1]


def room_bytes(device: torch.device) -> int:
    """How much of a GPU's memory images that are kept as JPEG may take, decoded; none of a CPU's."""
    return int(ROOM_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


def stack(images: Iterable[np.ndarray], max_images: int) -> Tensor:
    """Images (H, W, 3) of any sizes as uint8 (N, 3, 360, 640); there are no more than `max_images`."""
    out = torch.empty((max_images, 3, KEPT_WH[1], KEPT_WH[0]), dtype=torch.uint8)
    count = 0
    for image in images:
        out[count] = torch.from_numpy(resize_to_kept(image)).permute(2, 0, 1)
        count += 1
    return out[:count]


class KeptFile(NamedTuple):
    """A JPEG of `KEPT_WH`, and how errors name it."""

    data: bytes
    where: str


class EncodedPixels:
    """JPEG files of `KEPT_WH`, which stand where a tensor (N, 3, 360, 640) would.

    A part of them is encoded as well; `decode` gives a tensor, the same one at every time.

    Args:
        files: the images.
        device: where decoded images go.
    """

    def __init__(self, files: list[KeptFile], device: torch.device | None = None):
        self.files, self.device = files, device or torch.device("cpu")

    @staticmethod
    def keep(data: bytes, where: str) -> KeptFile:
        """What is kept of an image's file, given its bytes and how errors name it.

        The file as it is where it is a whole JPEG of the kept size, which its header says, so that 20,000 of
        them do not have to be decoded first; else the resized image as JPEG of quality 95, which changes it
        by about a grey level.

        Raises:
            UserError: it cannot be read.
        """
        if whole_jpeg_size(data, where) == KEPT_WH:
            return KeptFile(data, where)
        return KeptFile(encode_jpeg(resize_to_kept(decode_image(data, where))), where)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, which: Which) -> "EncodedPixels":
        return EncodedPixels(self._chosen(which), self.device)

    def to(self, device: torch.device) -> "EncodedPixels":
        """The same, decoded onto a device."""
        return EncodedPixels(self.files, device)

    def decode(self, which: Which) -> Tensor:
        """Some of the images, uint8 (n, 3, 360, 640).

        Raises:
            UserError: one is damaged.
        """
        chosen = self._chosen(which)
        with ThreadPoolExecutor(THREADS) as threads:
            decoded = stack(threads.map(lambda file: decode_image(*file), chosen), len(chosen))
        return upload(decoded, self.device)

    def decode_all(self, device: torch.device) -> Tensor:
        """All images, uint8 (N, 3, 360, 640) on a device; the CPU's memory holds a part of them at a time.

        Raises:
            UserError: one is damaged.
        """
        pixels = torch.empty((len(self), 3, KEPT_WH[1], KEPT_WH[0]), dtype=torch.uint8, device=device)
        for at in range(0, len(self), DECODED_AT_ONCE):
            part = slice(at, at + DECODED_AT_ONCE)
            pixels[part] = self.to(device).decode(part)
        return pixels

    def _chosen(self, which: Which) -> list[KeptFile]:
        return self.files[which] if isinstance(which, slice) else [self.files[int(i)] for i in which]
