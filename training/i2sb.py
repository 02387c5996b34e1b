"""I2SB: pairs, learnt as a bridge from one to the other (Liu et al. 2023, arXiv 2302.05872).

No adversary: a network is shown a state between target and source, and learns how far off the
target it is. Beside it, it always sees the source (the paper's section 4, "conditional").
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stainapp.models.bridge import schedule_of, with_condition
from training.discriminators import PatchDiscriminator
from training.method import Images, Losses, Setting
from training.one_network import OneNetwork

STREAM = 96
"""Tells this chance from that of the crops and their augmentation."""


class I2sb(OneNetwork):
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
        super().__init__(generators, setting)
        self._seed, self._bridge = setting.recipe.seed, setting.recipe.bridge

    def step(self, images: Images) -> Losses:
        schedule, bridge = schedule_of(self._bridge), self._bridge
        times, noise = self.chance(images)
        x1, x0 = images.source, images.target
        x = schedule.noised(x0, x1, times, None if bridge.ot_ode else noise)
        with self.setting.precise():
            answer = self.shared(with_condition(x, x1, bridge), schedule.seen(times))
        loss = (answer.float() - schedule.label(x, x0, times)).square().mean()
        return self.learn({"bridge": loss})

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
