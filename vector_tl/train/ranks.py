"""Several processes under torchrun, one for each GPU or (gloo) on CPUs: each trains on its share of the images and of every batch.

    torchrun --nproc-per-node 2 -m vector_tl train --data data --out models/mine.safetensors

Gradients are averaged, so the weights are the same everywhere; the first process measures, saves and speaks. Not the same as one process with the whole
batch: BatchNorm sees its share only.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vector_tl.errors import UsageError
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.batches import Images


@dataclass(frozen=True)
class Ranks:
    """This process's number and how many there are."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that measures, saves and speaks."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Of a batch.

        Raises:
            UsageError: it cannot be divided.
        """
        if batch_size % self.world or batch_size // self.world < 2:
            raise UsageError(
                f"--batch-size {batch_size} cannot be shared by {self.world} processes, with at least 2 images for each."
            )
        return batch_size // self.world

    def part(self, images: Images) -> Images:
        """Those that this process trains on.

        Raises:
            UsageError: they are too few for every process to have one (in each of them, so that none waits for another).
        """
        if len(images) < self.world:
            raise UsageError(
                f"{len(images)} training images cannot be shared by {self.world} processes; start fewer, or capture more images."
            )
        return images.part(slice(self.rank, None, self.world))

    def parallel(self, network: VectorSSD) -> nn.Module:
        """What gives the raw outputs of a batch, and in backward the gradients of all."""
        return _Raw(network) if self.world == 1 else DistributedDataParallel(_Raw(network))

    def gather(self, value: object) -> list:
        """The value of every process, in their order, for the first one."""
        if self.world == 1:
            return [value]
        values = [None] * self.world if self.first else None
        dist.gather_object(value, values)
        return values or []


class _Raw(nn.Module):
    """`VectorSSD.raw` as a forward pass."""

    def __init__(self, network: VectorSSD):
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        return self.network.raw(batch)


@contextmanager
def join(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """Meet the others, if torchrun started any, and part at the end; the device is this process's own."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), world), device
    finally:
        dist.destroy_process_group()
