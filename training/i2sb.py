"""I2SB: pairs, learnt as a bridge from one to the other (Liu et al. 2023, arXiv 2302.05872).

No adversary: a network is shown a state between target and source, and learns how far off the
target it is. Beside it, it always sees the source (the paper's section 4, "conditional").
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stainapp.models.bridge import schedule_of, with_condition
from training.averages import Averages
from training.discriminators import PatchDiscriminator
from training.image_pool import ImagePool
from training.method import Images, Losses, Setting, learn

STREAM = 96
"""Tells this chance from that of the crops and their augmentation."""


class I2sb:
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the networks.

        Args:
            generators: "forward", a network of a bridge.
            discriminators: none.
            setting: recipe, device, precision, processes.
        """
        recipe = setting.recipe
        self._setting, self._seed, self._bridge = setting, recipe.seed, recipe.bridge
        self.generators = generators
        self.networks: Mapping[str, nn.Module] = dict(generators)
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, recipe.training.ema) for n, g in generators.items()
        }
        self._network = setting.processes.shared(generators["forward"])
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam(generators.values())
        }
        self.pools: Mapping[str, ImagePool] = {}
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        schedule, bridge = schedule_of(self._bridge), self._bridge
        times, noise = self.chance(images)
        x1, x0 = images.source, images.target
        x = schedule.noised(x0, x1, times, None if bridge.ot_ode else noise)
        with self._setting.precise():
            answer = self._network(with_condition(x, x1, bridge), schedule.seen(times))
        loss = (answer.float() - schedule.label(x, x0, times)).square().mean()
        learn(loss, self.optimisers["generators"], self.scaler)
        self.averages["forward"].update(self.generators["forward"])
        self.scaler.update()
        return {"bridge": loss.detach()}

    def chance(self, images: Images) -> tuple[Tensor, Tensor]:
        """Return each image's time and noise, which follow from its number alone."""
        first, shape = images.first + images.offset, images.target.shape[1:]
        times, noise = [], []
        for number in range(first, first + len(images.target)):
            rng = np.random.default_rng((self._seed, STREAM, number))
            times.append(int(rng.integers(self._bridge.interval)))
            noise.append(rng.standard_normal(tuple(shape), np.float32))
        device = images.target.device
        return torch.tensor(times, device=device), torch.from_numpy(np.stack(noise)).to(device)
