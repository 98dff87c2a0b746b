"""Means of weights: over the steps of one training (EMA), and over several networks."""

import copy
from collections.abc import Sequence

import torch
from torch import nn


class Average:
    """The exponential mean of `model`'s weights and BatchNorm statistics over its steps.

    After n updates the mean keeps min(decay, (1 + n) / (10 + n)) of itself, so that the first weights are soon forgotten
    (the ramp of TensorFlow's ExponentialMovingAverage). With decay 0 there is no mean: `network` is `model` itself.
    """

    def __init__(self, model: nn.Module, decay: float):
        self._model, self._decay, self._updates = model, decay, 0
        self.network = copy.deepcopy(model).requires_grad_(False) if decay else model

    @torch.no_grad()
    def update(self) -> None:
        """Take a step's weights in."""
        if self.network is self._model:
            return
        self._updates += 1
        share = 1 - min(self._decay, (1 + self._updates) / (10 + self._updates))
        mean, new = self.network.state_dict(), self._model.state_dict()
        floats = [name for name, values in mean.items() if values.is_floating_point()]
        torch._foreach_lerp_([mean[name] for name in floats], [new[name] for name in floats], share)
        for name in mean.keys() - set(floats):  # counters
            mean[name].copy_(new[name])

    def state(self) -> dict:
        """What `restore` needs to go on."""
        return (
            {}
            if self.network is self._model
            else {"updates": self._updates, "network": self.network.state_dict()}
        )

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        if state:
            self._updates = state["updates"]
            self.network.load_state_dict(state["network"])


@torch.no_grad()
def mean_of(networks: Sequence[nn.Module], shares: Sequence[float]) -> nn.Module:
    """A network whose weights and BatchNorm statistics are the means of several ones', network i counting `shares[i]` (their sum need not be 1).

    Raises:
        ValueError: no network, not as many shares, a share below 0, none above, or networks of different shapes.
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
            values.copy_(
                sum(share * state[name] for share, state in zip(shares, states, strict=True)) / sum(shares)
            )
    return mean
