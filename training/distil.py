"""Distillation: a small network learns what another model makes of a slide.

Hinton et al. 2015 (arXiv 1503.02531); with a pixelwise student as Kang et al. 2021 (StainNet),
section 2.2, who distil a GAN by the L1 distance. What is new here is the choice of pixels: a tile
has far more of them than a network of a thousand weights needs for a step, so that each tile is
learnt from in several.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from training.averages import Averages
from training.discriminators import PatchDiscriminator
from training.losses import density_l1, l1
from training.method import Images, Losses, Memory, Setting, learn

PARTS = 16
"""Steps that are learnt from each batch by a network that sees no neighbours."""


class Distil:
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
        recipe = setting.recipe
        self._setting, self._weights = setting, recipe.losses
        self.generators = self.networks = generators
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, recipe.training.ema) for n, g in generators.items()
        }
        self._student = setting.processes.shared(generators["forward"])
        self._parts = PARTS if is_pixelwise(generators["forward"]) else 1
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam(generators.values())
        }
        self.pools: Mapping[str, Memory] = {}
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        seen = []
        for source, target in _shares(images, self._parts):
            with self._setting.precise():
                made = self._student(source)
            losses = {"l1": self._weights.l1 * l1(made, target)}
            if self._weights.density:
                losses["density"] = self._weights.density * density_l1(made, target)
            learn(
                torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler
            )
            self.scaler.update()
            self.averages["forward"].update(self.generators["forward"])
            seen.append({name: loss.detach() for name, loss in losses.items()})
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
