"""What the methods that teach one network without a judge have in common."""

from collections.abc import Mapping

import torch
from torch import nn

from training.averages import Averages
from training.method import Losses, Memory, Setting, learn


class OneNetwork:
    """A method but for its `step`; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        setting: Setting,
        *,
        blamed: nn.Module | None = None,
        pools: Mapping[str, Memory] | None = None,
    ) -> None:
        """Take the network.

        Args:
            generators: "forward".
            setting: recipe, device, precision, processes.
            blamed: what is run in a step where that is not the generator itself, but a module
                that holds it.
            pools: what the method remembers from step to step.
        """
        net = generators["forward"]
        self.generators = self.networks = generators
        self.averages: Mapping[str, Averages] = {
            "forward": Averages(net, setting.recipe.training.ema)
        }
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {"generators": setting.adam([net])}
        self.pools: Mapping[str, Memory] = pools or {}
        self.scaler = setting.scaler()
        self.setting = setting
        self.shared = setting.processes.shared(net if blamed is None else blamed)
        """What to run in a step, so that processes learn together."""

    def learn(self, losses: Losses) -> Losses:
        """Take a step down the sum of losses, and return them detached.

        Raises:
            NotFiniteError: as `training.method.learn`.
        """
        learn(torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler)
        self.averages["forward"].update(self.generators["forward"])
        self.scaler.update()
        return {name: loss.detach() for name, loss in losses.items()}
