"""What style and structure are told by: maps of features of an image, fixed, not learnt.

Random filters are enough for the statistics of a texture (Ustyuzhaninov et al. 2016, arXiv
1606.00021): one layer of them with a rectifier, here on an image pyramid in place of filters of
many sizes. Those of VGG-19 (Simonyan & Zisserman 2015) are what Gatys et al. 2016 used; their
weights are not part of this program, and are read from a file the user gives.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor

from stainapp.errors import ImportRefusedError, RecipeError
from stainapp.models import checkpoint_file
from stainapp.models.optics import LUMA

OCTAVES = 4
"""Scales that random filters look at: of 5, 10, 20 and 40 pixels."""
FILTERS, FILTER_PX = 32, 5
VGG_CHANNELS = {
    0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256,
    19: 512, 21: 512, 23: 512, 25: 512, 28: 512,
}  # fmt: skip
"""torchvision's numbers of the convolutions of VGG-19 that are used, and their channels."""
VGG_POOLS = (4, 9, 18, 27)
VGG_STYLE, VGG_CONTENT = (0, 5, 10, 19, 28), (21,)
"""conv1_1 to conv5_1, and conv4_2 (Gatys et al. 2016, section 3)."""
VGG_MEAN, VGG_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the images that published weights were taught on."""


class Features(Protocol):
    """Maps (N, C, h, w) of images (N, 3, H, W) in -1..1, one for each layer or scale."""

    def style(self, images: Tensor) -> list[Tensor]: ...

    def content(self, images: Tensor) -> list[Tensor]:
        """Return maps of structure, each of mean 0 and deviation 1 over its tile."""
        ...


class RandomFilters:
    """Fixed random filters of the light that is absorbed, on a pyramid."""

    def __init__(self, seed: int, device: str) -> None:
        chance = torch.Generator().manual_seed(seed)
        shape = FILTERS, 3, FILTER_PX, FILTER_PX
        filters = torch.randn(shape, generator=chance)
        self._filters = (filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).to(device)
        self._luma = torch.tensor(LUMA, device=device).view(1, 3, 1, 1)

    def style(self, images: Tensor) -> list[Tensor]:
        return [
            F.relu(F.conv2d(one, self._filters))
            for one in _octaves((1 - images.float()) / 2)
        ]

    def content(self, images: Tensor) -> list[Tensor]:
        grey = (images.float() * self._luma).sum(1, keepdim=True)
        filters = self._filters.sum(1, keepdim=True)
        return [_standard(F.conv2d(one, filters)) for one in _octaves(grey)]


class Vgg:
    """The layers of VGG-19."""

    def __init__(self, path: Path, device: str) -> None:
        """Read the weights.

        Raises:
            RecipeError: the file is absent, unsafe or of another network.
        """
        self._weights = {
            n: (weight.to(device), bias.to(device)) for n, (weight, bias) in _vgg(path).items()
        }
        self._mean, self._spread = (
            torch.tensor(values, device=device).view(1, 3, 1, 1)
            for values in (VGG_MEAN, VGG_SPREAD)
        )

    def style(self, images: Tensor) -> list[Tensor]:
        return self._maps(images, VGG_STYLE)

    def content(self, images: Tensor) -> list[Tensor]:
        return [_standard(one) for one in self._maps(images, VGG_CONTENT)]

    def _maps(self, images: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        x = ((images.float() + 1) / 2 - self._mean) / self._spread
        maps = []
        for n in range(max(wanted) + 1):
            if n in VGG_POOLS:
                x = F.avg_pool2d(x, 2)  # smoother than the largest (Gatys et al. 2016, section 2)
            elif n in self._weights:
                x = F.relu(F.conv2d(x, *self._weights[n], padding=1))
                if n in wanted:
                    maps.append(x)
        return maps


def features_of(vgg: str, seed: int, device: str) -> Features:
    """Return the features a recipe asks for.

    Raises:
        RecipeError: the file of weights cannot be used.
    """
    return Vgg(Path(vgg), device) if vgg else RandomFilters(seed, device)


def gram(maps: Tensor) -> Tensor:
    """Return which features come together, (C, C): means over places and images of products."""
    flat = maps.float().transpose(0, 1).flatten(1)
    return flat @ flat.T / flat.shape[1]


def _octaves(images: Tensor) -> list[Tensor]:
    octaves = [images]
    while len(octaves) < OCTAVES and min(octaves[-1].shape[2:]) >= 4 * FILTER_PX:
        octaves.append(F.avg_pool2d(octaves[-1], 2))
    return octaves


def _standard(maps: Tensor) -> Tensor:
    return F.instance_norm(maps, eps=1e-4)


def _vgg(path: Path) -> dict[int, tuple[Tensor, Tensor]]:
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
        pair = [stored.get(f"features.{n}.{kind}") if isinstance(stored, dict) else None
                for kind in ("weight", "bias")]  # fmt: skip
        shapes = [tuple(one.shape) if isinstance(one, Tensor) else None for one in pair]
        if shapes != [(outer, inner, 3, 3), (outer,)]:
            raise RecipeError(
                f"{path.name} does not hold VGG-19: features.{n}.weight is not "
                f"{outer} x {inner} x 3 x 3; give torchvision's vgg19 weights, or leave out vgg."
            )
        found[n] = pair[0].float(), pair[1].float()
        inner = outer
    return found
