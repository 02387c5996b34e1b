"""DCGMM: classes of tissue learnt from colours alone, for a normaliser (MICCAI 2018).

Ghazvinian Zanjani et al., LNCS 11071:274-282. Nothing is labelled and nothing generated: the
network says how far each pixel is of each class, the classes' colours follow in closed form, and
what it is blamed for is how unlikely that makes the pixels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from stainapp.models.dcgmm import DcgmmNormaliser
from stainapp.models.mixture import classes_of, negative_log_likelihood
from training.discriminators import PatchDiscriminator
from training.method import Images, Losses, Setting
from training.one_network import OneNetwork


class Dcgmm(OneNetwork):
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the network.

        Args:
            generators: "forward".
            discriminators: none.
            setting: recipe, device, precision, processes.
        """
        net = generators["forward"]
        assert isinstance(net, DcgmmNormaliser)
        assert not discriminators
        super().__init__(generators, setting, blamed=_Fitting(net))

    def step(self, images: Images) -> Losses:
        with self.setting.precise():
            losses: Losses = self.shared(images.source, images.target)
        return self.learn(losses)


class _Fitting(nn.Module):
    """What the network is blamed for: both stains, by one network, so that classes are the same."""

    def __init__(self, net: DcgmmNormaliser) -> None:
        super().__init__()
        self.net = net

    def forward(self, source: Tensor, target: Tensor) -> Losses:
        hsd, belongs = (one.flatten(2) for one in self.net.told(torch.cat([source, target])))
        # each image by colours of its own: the network must not tell slides from one another
        colours = classes_of(hsd, belongs)
        halves = (slice(0, len(source)), slice(len(source), None))
        return {
            f"likelihood {name}": negative_log_likelihood(
                hsd[half], belongs[half], type(colours)(*(part[half] for part in colours))
            )
            for name, half in zip(("source", "target"), halves, strict=True)
        }
