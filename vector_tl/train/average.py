"""Means of weights: over the steps of one training (EMA), and over several networks."""

import copy
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Average(Generic[Network]):
    """The exponential mean (EMA) of `model`'s weights and BatchNorm statistics over its steps.

    After n updates the mean keeps min(decay, (1 + n) / (10 + n)) of itself, so that the initial weights are
    soon forgotten (the ramp of TensorFlow's ExponentialMovingAverage). With decay 0 there is no mean:
    `network` is `model`.

    Attributes:
        network: a copy of `model` with the mean weights.
    """

    def __init__(self, model: Network, decay: float):
        self._model, self._decay, self._updates = model, decay, 0
        self.network: Network = copy.deepcopy(model).requires_grad_(False) if decay else model

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step into the mean."""
        if self.network is self._model:
            return
        self._updates += 1
        share = 1 - min(self._decay, (1 + self._updates) / (10 + self._updates))
        mean, new = self.network.state_dict(), self._model.state_dict()
        floats = [name for name, values in mean.items() if values.is_floating_point()]
        torch._foreach_lerp_([mean[name] for name in floats], [new[name] for name in floats], share)
        for name in mean.keys() - set(floats):  # counters
            mean[name].copy_(new[name])

    def state(self) -> dict[str, Any]:
        """What `restore` needs; nothing where there is no mean."""
        if self.network is self._model:
            return {}
        return {"updates": self._updates, "network": self.network.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Become what `state` gave."""
        if state:
            self._updates = state["updates"]
            self.network.load_state_dict(state["network"])


@torch.no_grad()
def mean_of(networks: Sequence[Network], shares: Sequence[float]) -> Network:
    """A network whose weights and BatchNorm statistics are weighted means of several networks' ones.

    Args:
        networks: all of the same shapes.
        shares: network i counts `shares[i]`; their sum need not be 1.

    Raises:
        ValueError: no network, not as many shares, a share below 0, none above, or networks of different
            shapes.
    """
    if not networks or len(shares) != len(networks) or min(shares) < 0 or sum(shares) <= 0:
        raise ValueError(f"{len(networks)} networks with shares {tuple(shares)} have no mean")
    states = [network.state_dict() for network in networks]
    shapes = [{name: values.shape for name, values in state.items()} for state in states]
    if any(other != shapes[0] for other in shapes):
        raise ValueError("networks of different shapes have no mean")
    mean = copy.deepcopy(networks[0])
    for name, values in mean.state_dict().items():
        if values.is_floating_point():
            total = sum(share * state[name] for share, state in zip(shares, states, strict=True))
            values.copy_(total / sum(shares))
    return mean
