"""Several processes under torchrun, one for each GPU or (gloo) on CPUs.

Each trains on its share of the images and of every batch:

    torchrun --nproc-per-node 2 -m vector_tl train --data data --out models/mine.safetensors

Gradients are averaged, so the weights are the same everywhere; the first process evaluates, saves and logs.
The result is not the same as that of one process with the whole batch: BatchNorm sees the process's share
only.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vector_tl.errors import UsageError
from vector_tl.nets.ssd import VectorSSD
from vector_tl.plain import counted
from vector_tl.train.batches import Images

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process's number and how many there are."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that evaluates, saves and logs."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """How many images of a batch are this process's own.

        Raises:
            UsageError: the batch cannot be divided.
        """
        if batch_size % self.world or batch_size // self.world < 2:
            raise UsageError(
                f"--batch-size {batch_size} cannot be shared by {self.world} processes "
                "with at least 2 images for each."
            )
        return batch_size // self.world

    def part(self, images: Images) -> Images:
        """The images that this process trains on.

        Raises:
            UsageError: they are too few for every process to have one. Every process raises it, so none waits
                for another.
        """
        if len(images) < self.world:
            raise UsageError(
                f"{counted(len(images), 'training image')} cannot be shared by {self.world} processes; "
                "start fewer, or capture more images."
            )
        return images.part(slice(self.rank, None, self.world))

    def parallel(self, network: VectorSSD) -> nn.Module:
        """A module from a batch to the network's raw outputs; its gradients are those of all processes."""
        return _Raw(network) if self.world == 1 else DistributedDataParallel(_Raw(network))

    def from_first(self, decide: Callable[[], T]) -> T:
        """What the first process decides, in all of them."""
        if self.world == 1:
            return decide()
        values: list[Any] = [decide() if self.first else None]
        dist.broadcast_object_list(values)
        return cast(T, values[0])

    def gather(self, value: Any) -> list[Any]:
        """The first process gets the value of every process, in their order; the others an empty list."""
        if self.world == 1:
            return [value]
        values: list[Any] | None = [None] * self.world if self.first else None
        dist.gather_object(value, values)
        return values or []


class _Raw(nn.Module):
    """`VectorSSD.raw` as a forward pass."""

    def __init__(self, network: VectorSSD):
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        """(B, 3, h, w) to `bbox_regression` (B, A, 4) and `cls_logits` (B, A, K)."""
        return self.network.raw(batch)


@contextmanager
def join(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """Join the other processes, if torchrun started any, and leave them at the end.

    Gives this process's `Ranks` and device.
    """
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
