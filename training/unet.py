"""U-Net regression: pairs in one frame, learnt by squares and by histogram, without a judge.

After Ronneberger et al. 2015 (arXiv 1505.04597) and Rivenson et al. 2019, whose supervised
staining the squares are; the histogram is ours, see `training.histogram`.
"""

from collections.abc import Mapping

import torch
from torch import nn

from training.averages import Averages
from training.discriminators import PatchDiscriminator
from training.histogram import histogram_divergence
from training.image_pool import ImagePool
from training.losses import tissue_mse
from training.method import Images, Losses, Setting, learn


class UNetRegression:
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the networks.

        Args:
            generators: "forward".
            discriminators: none.
            setting: recipe, device, precision, processes.
        """
        assert not discriminators
        self._setting = setting
        self._weights = setting.recipe.losses
        self.generators = self.networks = generators
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, setting.recipe.training.ema) for n, g in generators.items()
        }
        self._generator = setting.processes.shared(generators["forward"])
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam(generators.values())
        }
        self.pools: Mapping[str, ImagePool] = {}
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        weights = self._weights
        with self._setting.precise():
            made = self._generator(images.source)
        squares = tissue_mse(made, images.target, weights.tissue_density, weights.glass_weight)
        losses = {"mse": weights.mse * squares}
        if weights.histogram > 0:
            losses["histogram"] = weights.histogram * histogram_divergence(
                made, images.target, weights.histogram_bins, weights.histogram_bandwidth
            )
        learn(torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler)
        self.averages["forward"].update(self.generators["forward"])
        self.scaler.update()
        return {name: loss.detach() for name, loss in losses.items()}
