"""What style and structure are told by: maps of features of a picture, fixed, not learnt.

Random filters are enough for the statistics of a texture (Ustyuzhaninov et al. 2016, arXiv
1606.00021): one layer of them with a rectifier, here on a pyramid in place of filters of many
sizes, and of optical density, in which stains add up. Those of VGG-19 (Simonyan & Zisserman
2015) are what Gatys et al. 2016 used; their weights are no part of this program, and are read
from a file the user gives.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor

from stainapp.errors import ImportRefusedError, RecipeError
from stainapp.models import checkpoint_file

FILTERS, FILTER_PX = 8, 5
"""For each of three axes of colour."""
OCTAVES = 3
"""Scales that random filters look at: of 5, 10 and 20 pixels."""
AXES = ((3**-0.5, 3**-0.5, 3**-0.5), (2**-0.5, -(2**-0.5), 0.0), (6**-0.5, 6**-0.5, -2 * 6**-0.5))
"""How dark; red against green; both against blue. Apart, or hue would drown in darkness."""
VGG_CHANNELS = {
    0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256,
    19: 512, 21: 512, 23: 512, 25: 512, 28: 512,
}  # fmt: skip
"""torchvision's numbers of the convolutions of VGG-19 that are used, and their channels."""
VGG_POOLS = (4, 9, 18, 27)
VGG_STYLE, VGG_CONTENT = (0, 5, 10, 19, 28), (21,)
"""conv1_1 to conv5_1, and conv4_2 (Gatys et al. 2016, section 3)."""
VGG_MEAN, VGG_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures that published weights were taught on."""


class Features(Protocol):
    """Maps (N, C, h, w) of pictures (N, 3, H, W) in -1..1, one for each layer or scale."""

    def style(self, images: Tensor) -> list[Tensor]: ...

    def content(self, images: Tensor) -> list[Tensor]:
        """Return maps of structure, each of mean 0 and deviation 1 over its tile.

        So that a stain may be darker than another where it marks the same.
        """
        ...


class RandomFilters:
    """Random filters along each axis of colour, and the axis itself, on a pyramid."""

    def __init__(self, seed: int, device: str) -> None:
        chance = torch.Generator().manual_seed(seed)
        filters = torch.randn((3 * FILTERS, 1, FILTER_PX, FILTER_PX), generator=chance)
        self._filters = (filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).to(device)
        self._axes = torch.tensor(AXES, device=device).view(3, 3, 1, 1)

    def style(self, images: Tensor) -> list[Tensor]:
        rim = FILTER_PX // 2
        return [
            torch.cat(
                [F.relu(F.conv2d(one, self._filters, groups=3)), one[..., rim:-rim, rim:-rim]], 1
            )
            for one in self._octaves(images)
        ]

    def content(self, images: Tensor) -> list[Tensor]:
        return [
            _standard(F.conv2d(one[:, :1], self._filters[:FILTERS]))
            for one in self._octaves(images)
        ]

    def _octaves(self, images: Tensor) -> list[Tensor]:
        octaves = [F.conv2d(density(images), self._axes)]
        while len(octaves) < OCTAVES and min(octaves[-1].shape[2:]) >= 4 * FILTER_PX:
            octaves.append(F.avg_pool2d(octaves[-1], 2))
        return octaves


class Vgg:
    """The layers of VGG-19."""

    def __init__(self, path: Path, device: str) -> None:
        """Read the weights.

        Raises:
            RecipeError: the file is absent, unsafe or of another network.
        """
        self._weights = {n: [one.to(device) for one in pair] for n, pair in _vgg(path).items()}
        self._mean, self._spread = (
            torch.tensor(values, device=device).view(1, 3, 1, 1)
            for values in (VGG_MEAN, VGG_SPREAD)
        )

    def style(self, images: Tensor) -> list[Tensor]:
        return self._maps(images, VGG_STYLE)

    def content(self, images: Tensor) -> list[Tensor]:
        return [_standard(one) for one in self._maps(images, VGG_CONTENT)]

    def _maps(self, images: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        x = ((_shown(images) + 1) / 2 - self._mean) / self._spread
        maps = []
        for n in range(max(wanted) + 1):
            if n in VGG_POOLS:
                x = F.avg_pool2d(x, 2)  # smoother than the largest (Gatys et al. 2016, section 2)
            elif n in self._weights:
                x = F.relu(F.conv2d(x, self._weights[n][0], self._weights[n][1], padding=1))
                if n in wanted:
                    maps.append(x)
        return maps


def features_of(vgg: str, seed: int, device: str) -> Features:
    """Return the features a recipe asks for.

    Raises:
        RecipeError: the file of weights cannot be used.
    """
    return Vgg(Path(vgg), device) if vgg else RandomFilters(seed, device)


def density(images: Tensor) -> Tensor:
    """Return optical density, to base 10, of pictures in -1..1."""
    return -torch.log10(((_shown(images) + 1) * 127.5 + 1).clamp_min(1) / 256)


def _shown(images: Tensor) -> Tensor:
    """Return pictures as they will be seen; what lies beyond black or white can still come back."""
    images = images.float()
    return images + (images.clamp(-1, 1) - images).detach()


def _standard(maps: Tensor) -> Tensor:
    return F.instance_norm(maps, eps=1e-4)


def _vgg(path: Path) -> dict[int, list[Tensor]]:
    """Read the convolutions of VGG-19 as torchvision names them.

    Raises:
        RecipeError: the file is absent, unsafe or of another network.
    """
    try:
        stored = checkpoint_file.load(path)
    except ImportRefusedError as error:
        raise RecipeError(f"The weights of VGG-19 cannot be used: {error}") from error
    found, inner = {}, 3
    for n, outer in VGG_CHANNELS.items():
        shapes = {"weight": (outer, inner, 3, 3), "bias": (outer,)}
        pair = []
        for kind, shape in shapes.items():
            one = stored.get(f"features.{n}.{kind}") if isinstance(stored, dict) else None
            if not isinstance(one, Tensor) or one.shape != shape:
                raise RecipeError(
                    f"{path.name} does not hold VGG-19: there is no features.{n}.{kind} of "
                    f"{' x '.join(map(str, shape))}; give torchvision's vgg19 weights, or leave "
                    "out losses.vgg."
                )
            pair.append(one.float())
        found[n] = pair
        inner = outer
    return found
