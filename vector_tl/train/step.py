"""One step of a training: forward, loss, backward, and the update of the weights.

On one GPU the step is a CUDA graph, as most of its time went into launching kernels one by one
(docs/speed.md). A graph replays the calls of the plain step, which CPUs and several processes make
themselves, so that a step is described once.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vector_tl.nets.loss import Targets
from vector_tl.nets.ssd import VectorSSD
from vector_tl.train.precision import mixed

log = logging.getLogger(__name__)
WEIGHT_DECAY, CLIP_NORM = 1e-4, 5.0
WARM_UPS = 3  # libraries choose their kernels before the capture


class Step:
    """Trains a network on batches that all have the same shapes.

    Args:
        model: that learns.
        forward: from a batch to its raw outputs, see `Ranks.parallel`.
        optimizer: from `make_optimizer`, with the same `captured`.
        captured: whether steps are a CUDA graph.
        bfloat16: whether convolutions are in bfloat16; when None, where the device has it.
    """

    def __init__(
        self,
        model: VectorSSD,
        forward: nn.Module,
        optimizer: torch.optim.Optimizer,
        captured: bool = False,
        bfloat16: bool | None = None,
    ):
        self.model, self.forward, self.optimizer = model, forward, optimizer
        self._bfloat16 = bfloat16
        self._run: Callable[..., Tensor] | None = None if captured else self._compute

    def __call__(self, batch: Tensor, targets: Targets, learning_rate: float) -> Tensor:
        """Train on a batch (B, 3, h, w).

        Returns:
            (2,), where the batch is: its loss, and the norm of the gradient before it was clipped. To read
            them is to wait for a GPU.
        """
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):  # a graph reads it where it lies
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate
        if self._run is None:
            self._run = self._capture(batch, *targets)
        return self._run(batch, *targets)

    def loss(self, batch: Tensor, targets: Targets) -> Tensor:
        """The loss () of a batch (B, 3, h, w)."""
        self.model.train()
        with mixed(batch.device, self._bfloat16):
            outputs = self.forward(batch)  # bbox_regression (B, A, 4), cls_logits (B, A, 1)
        parts = self.model.compute_loss(targets, outputs)
        return parts["classification"] + parts["bbox_regression"]

    def backward(self, loss: Tensor) -> None:
        """From the loss to the gradient of all weights."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()

    def update(self) -> Tensor:
        """From the gradient to new weights; its norm () before it was clipped."""
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        return norm

    def _compute(self, batch: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        loss = self.loss(batch, Targets(boxes, labels))
        self.backward(loss)
        return torch.stack([loss.detach(), self.update()])

    def _capture(self, *inputs: Tensor) -> Callable[..., Tensor]:
        """A CUDA graph of the step; the plain step where the GPU cannot have one."""
        try:
            return _ReplayedStep(self, inputs)
        except RuntimeError as error:
            log.warning("A step cannot be a CUDA graph here (%s); training is slower without.", error)
            return self._compute

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Afterwards weights, BatchNorm's statistics and moments are what they were before.

        They stay in the same memory, and moments that were not there yet are zero.
        """
        state = self.optimizer.state
        weights = {name: values.clone() for name, values in self.model.state_dict().items()}
        moments = {
            key: {name: values.clone() for name, values in of_one.items()} for key, of_one in state.items()
        }
        yield
        with torch.no_grad():
            for name, values in self.model.state_dict().items():
                values.copy_(weights[name])
            for key, of_one in state.items():
                for name, values in of_one.items():
                    values.copy_(moments[key][name]) if key in moments else values.zero_()


class _ReplayedStep:
    """A step as one CUDA graph, which reads batches from memory of its own."""

    def __init__(self, step: Step, inputs: Sequence[Tensor]):
        self._inputs = [values.clone() for values in inputs]
        aside, current = torch.cuda.Stream(inputs[0].device), torch.cuda.current_stream(inputs[0].device)
        aside.wait_stream(current)
        with torch.cuda.stream(aside), step.unchanged():
            for _ in range(WARM_UPS):
                step._compute(*self._inputs)
        current.wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._figures = step._compute(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The figures (2,) of a step on a batch with the same shapes."""
        for place, values in zip(self._inputs, inputs, strict=True):
            place.copy_(values)
        self._graph.replay()
        return self._figures.clone()  # the next step writes over them


def make_optimizer(model: nn.Module, lr: float, captured: bool = False) -> torch.optim.AdamW:
    """AdamW; biases and BatchNorm (vectors) are not decayed.

    Args:
        model: whose weights are updated.
        lr: the learning rate.
        captured: for a CUDA graph: the rate is a tensor, all weights are updated in a few kernels.
    """
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if not captured:
        return torch.optim.AdamW(groups, lr=lr)
    rate = torch.tensor(lr, device=matrices[0].device)
    return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=True)
