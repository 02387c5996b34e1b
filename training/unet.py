"""U-Net regression: pairs in one frame, learnt by squares and by histogram, without a judge.

After Ronneberger et al. 2015 (arXiv 1505.04597) and Rivenson et al. 2019, whose supervised
staining the squares are; the histogram is ours, see `training.histogram`.
"""

from collections.abc import Mapping

from torch import nn

from training.discriminators import PatchDiscriminator
from training.histogram import histogram_divergence
from training.losses import tissue_mse
from training.method import Images, Losses, Setting
from training.one_network import OneNetwork


class UNetRegression(OneNetwork):
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
        super().__init__(generators, setting)
        self._weights = setting.recipe.losses

    def step(self, images: Images) -> Losses:
        weights = self._weights
        with self.setting.precise():
            made = self.shared(images.source)
        squares = tissue_mse(made, images.target, weights.tissue_density, weights.glass_weight)
        losses = {"mse": weights.mse * squares}
        if weights.histogram > 0:
            losses["histogram"] = weights.histogram * histogram_divergence(
                made, images.target, weights.histogram_bins, weights.histogram_bandwidth
            )
        return self.learn(losses)
