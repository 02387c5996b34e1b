"""The network of DCGMM: tells classes of tissue by density alone, and maps colour class by class.

Ghazvinian Zanjani et al., MICCAI 2018, LNCS 11071:274-282. It sees no hue, so that what stains a
nucleus does not decide whether it is one; and it draws nothing: each pixel's own colour is mapped
by the maps of its classes, which are straight lines.
"""

from typing import cast

import torch
from torch import Tensor, nn

from stainapp.models.card import Arch
from stainapp.models.hsd import from_hsd, to_hsd, within_gamut
from stainapp.models.mixture import SlideMixture

DCGMM_RADIUS = 17
"""How far, in pixels, the class of a pixel depends on others, at most."""


class DcgmmNormaliser(nn.Module):
    """Three scales of 3 x 3 convolutions, a softmax over the classes, and a `SlideMixture`.

    Sides must be multiples of 4. Beyond the border there is no density, as of bare glass.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        n = arch.ngf
        self.classify = nn.Sequential(
            *_layer(1, n),
            *_layer(n, 2 * n),
            nn.MaxPool2d(2),
            *_layer(2 * n, 2 * n),
            *_layer(2 * n, 4 * n),
            nn.MaxPool2d(2),
            *_layer(4 * n, 4 * n),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_layer(4 * n, 4 * n),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_layer(4 * n, 2 * n),
            *_layer(2 * n, n, side=1),
            nn.Conv2d(n, arch.classes, 3, padding=1),
        )
        self.mixture = SlideMixture(arch.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return pictures in -1..1 with the template's colours."""
        hsd, belongs = self.told(x)
        mapped = within_gamut(self.mixture(hsd, belongs))
        return from_hsd(mapped) / 127.5 - 1

    def told(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what pixels look like, (N, 3, H, W), and of which class they are, (N, K, H, W).

        Args:
            x: (N, 3, H, W) in -1..1.

        Returns:
            Density and chromas; shares that add up to 1 over the classes.
        """
        hsd = to_hsd((x.float() + 1) * 127.5)
        logits = cast("Tensor", self.classify(hsd[:, :1]))
        return hsd, torch.softmax(logits.float(), dim=1)


def _layer(inner: int, outer: int, side: int = 3) -> list[nn.Module]:
    return [nn.Conv2d(inner, outer, side, padding=side // 2), nn.ReLU(inplace=True)]
