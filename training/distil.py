"""Distillation: a small network learns what another model makes of a slide.

Hinton et al. 2015 (arXiv 1503.02531); with a pixelwise student as Kang et al. 2021 (StainNet),
section 2.2, who distil a GAN by the L1 distance. What is new here is the choice of pixels: a tile
has far more of them than a network of a thousand weights needs for a step, so that each tile is
learnt from in several.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from training.discriminators import PatchDiscriminator
from training.losses import density_l1, l1
from training.method import Images, Losses, Setting
from training.one_network import OneNetwork

PARTS = 16
"""Steps that are learnt from each batch by a network that sees no neighbours."""


class Distil(OneNetwork):
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        _discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the network.

        Args:
            generators: "forward", the student.
            setting: recipe, device, precision, processes.
        """
        super().__init__(generators, setting)
        self._weights = setting.recipe.losses
        self._parts = PARTS if is_pixelwise(generators["forward"]) else 1

    def step(self, images: Images) -> Losses:
        seen = []
        for source, target in _shares(images, self._parts):
            with self.setting.precise():
                made = self.shared(source)
            losses = {"l1": self._weights.l1 * l1(made, target)}
            if self._weights.density:
                losses["density"] = self._weights.density * density_l1(made, target)
            seen.append(self.learn(losses))
        return {name: torch.stack([one[name] for one in seen]).mean() for name in seen[0]}


def is_pixelwise(net: nn.Module) -> bool:
    """Tell whether a network sees no neighbours: all its convolutions are 1 x 1."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return all(m.kernel_size == (1, 1) for m in net.modules() if isinstance(m, kinds))


def _shares(images: Images, parts: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a batch in parts, each of every ``parts``-th pixel, from all over the tiles."""
    if parts == 1:
        yield images.source, images.target
        return
    source, target = (one.flatten(2)[..., None] for one in (images.source, images.target))
    for first in range(parts):
        yield source[:, :, first::parts], target[:, :, first::parts]
