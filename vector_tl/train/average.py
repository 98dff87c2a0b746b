"""A running mean of a network's weights (EMA): steadier than the weights of any one step, and what is measured and kept."""

import copy

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
        return {} if self.network is self._model else {"updates": self._updates, "network": self.network.state_dict()}

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        if state:
            self._updates = state["updates"]
            self.network.load_state_dict(state["network"])
