"""The exponential moving average of a network's weights: calmer than the weights themselves."""

import torch
from torch import Tensor, nn


class Averages:
    """A running average of every weight of one network, in float32.

    After update t the share kept is min(decay, (1 + t) / (10 + t)), so that the freshly drawn
    weights are soon forgotten (as TensorFlow's ExponentialMovingAverage with ``num_updates``).
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = {name: one.detach().clone() for name, one in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        self.steps += 1
        new = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, one in net.state_dict().items():
            kept = self.weights[name]
            if kept.is_floating_point():
                kept.lerp_(one, new)
            else:
                kept.copy_(one)

    def state(self) -> dict[str, Tensor | int]:
        return {**self.weights, "steps": self.steps}

    def restore(self, state: dict[str, Tensor | int]) -> None:
        self.steps = int(state["steps"])
        for name, kept in self.weights.items():
            value = state[name]
            assert isinstance(value, Tensor)
            kept.copy_(value)
