"""PatchNCE: each patch of what is made should be known by that of its source, among all others.

Park et al. 2020 (CUT, arXiv 2007.15651), section 3; with adaptive weights for a target that is
not consistent with the source everywhere: Li et al. 2023 (ASP, arXiv 2303.06193), section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn

from stainapp.errors import RecipeError
from stainapp.models.blocks import ResidualBlock, SkipBlock
from stainapp.models.networks import ResnetGenerator, ResUnetGenerator, UnetGenerator

PLACES = 128
"""The stream of chance that patches are chosen by."""
IMAGE_CHANNELS = 3
WIDTH = 256
"""Numbers that describe a patch."""
NOTHING = 1e-6
"""Length below which a description is not brought to length 1, nor weights to mean 1."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the patches of a batch lie; chance of the seed and an image's number alone."""

    seed: int
    numbers: tuple[int, ...]
    """Of the images."""
    patches: int
    """Of each image, or as many as a layer has places."""
    mirrored: tuple[bool, ...] = ()
    """Whether each image shows everything left for right; () for none."""

    def at(self, layer: int, height: int, width: int) -> Tensor:
        """Return the places in a layer's features of that size, (N, patches), counted in rows."""
        count = min(self.patches, height * width)
        found = []
        for n, number in enumerate(self.numbers):
            rng = np.random.default_rng((self.seed, PLACES, number, layer))
            chosen = rng.choice(height * width, count, replace=False, shuffle=False)
            if self.mirrored and self.mirrored[n]:
                y, x = np.divmod(chosen, width)
                chosen = y * width + (width - 1 - x)
            found.append(chosen)
        return torch.from_numpy(np.stack(found))


class Encoder:
    """The half of a generator that patches are described by; no module, as it owns no weights.

    Compared are the pixels themselves and four layers: of a ResNet or ResUNet the two that halve
    and the first and the fifth residual block (CUT, appendix C.2), or its last where it has
    fewer; of a U-Net the first four convolutions.
    """

    def __init__(self, net: nn.Module) -> None:
        """Find the layers.

        Raises:
            RecipeError: the network has no encoder.
        """
        layers, self._compared = _layers(net)
        self._layers = layers[: layers.index(self._compared[-1]) + 1]

    @property
    def channels(self) -> list[int]:
        """How many numbers the pixels and each compared layer have at a place."""
        convolutions = [
            [m for m in layer.modules() if isinstance(m, nn.Conv2d)] for layer in self._compared
        ]
        return [IMAGE_CHANNELS, *(inside[-1].out_channels for inside in convolutions)]

    def __call__(self, images: Tensor, places: Places) -> list[Tensor]:
        """Return the compared layers' features at places, (N, patches, channels) in float32.

        The images (N, 3, H, W) may be several batches of the places' numbers, one after another.
        """
        found = [_taken(images, places, 0)]
        for layer in self._layers:
            images = layer(images)
            if layer in self._compared:  # at once, since the next layer may change it in place
                found.append(_taken(images, places, len(found)))
        return found


class Heads(nn.ModuleList):
    """Two layers for each compared one, that turn its features into descriptions of length 1."""

    def __init__(self, channels: Sequence[int], chance: torch.Generator) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(n, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)) for n in channels
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.02, generator=chance)
                nn.init.zeros_(module.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return a description of each patch, (N, patches, WIDTH) in float32, by layer."""
        with torch.autocast(features[0].device.type, enabled=False):
            pairs = zip(self, features, strict=True)
            return [F.normalize(head(one.float()), dim=-1, eps=NOTHING) for head, one in pairs]


def patch_nce(
    queries: Sequence[Tensor], keys: Sequence[Tensor], temperature: float, even: float = 1.0
) -> Tensor:
    """Return the mean over layers and patches of InfoNCE (CUT, equations 3 and 4).

    Args:
        queries: descriptions of what is made, (N, patches, width) a layer, of length 1.
        keys: of what it is compared with, at the same places.
        temperature: what cosines are divided by.
        even: share of all patches' weight that is even; the rest goes by likeness, see
            `adaptive_weights`.
    """
    found = []
    for query, key in zip(queries, keys, strict=True):
        loss = info_nce(query, key, temperature)
        alike = (query * key).sum(dim=-1).detach()
        found.append((adaptive_weights(alike, even) * loss).mean())
    return torch.stack(found).mean()


def info_nce(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """Return how badly each query (N, P, D) tells its own key from the P - 1 others, (N, P)."""
    with torch.autocast(query.device.type, enabled=False):
        likeness = query.float() @ key.float().transpose(1, 2) / temperature
    own = torch.arange(query.shape[1], device=query.device).expand(query.shape[:2])
    return F.cross_entropy(likeness.flatten(0, 1), own.flatten(), reduction="none").view(own.shape)


def adaptive_weights(alike: Tensor, even: float) -> Tensor:
    """Return weights of patches, of mean 1 in each image (ASP, equations 3 and 4).

    A pair that is found alike is trusted more. Early on all are alike to the untaught network,
    so the weights are even at first and go by likeness in the end.

    Args:
        alike: cosines, (N, P).
        even: 1 for even weights, falling to 0.
    """
    weights = even + (1 - even) * alike.clamp_min(0)
    return weights / weights.mean(dim=1, keepdim=True).clamp_min(NOTHING)


def _taken(features: Tensor, places: Places, layer: int) -> Tensor:
    height, width = features.shape[2:]
    flat = places.at(layer, height, width).to(features.device)
    flat = flat.repeat(len(features) // len(flat), 1)
    each = torch.arange(len(features), device=features.device)[:, None]
    return features[each, :, flat // width, flat % width].float()


def _layers(net: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return layers of which each takes what the one before gives, and those to compare at."""
    if isinstance(net, ResnetGenerator):
        layers = list(net.model)
    elif isinstance(net, ResUnetGenerator):
        parts: list[nn.Module] = [net.enter, *net.down, net.blocks]
        layers = [layer for part in parts for layer in part.children()]
    elif isinstance(net, UnetGenerator):
        levels = [m for m in net.modules() if isinstance(m, SkipBlock)]  # the outermost first
        first = next(m for m in net.modules() if isinstance(m, nn.Conv2d))
        layers = [first, *(layer for level in levels for layer in list(level.model)[:2])]
        return layers, [first, *(level.model[1] for level in levels[:3])]
    else:
        raise RecipeError(
            "PatchNCE compares what a network sees around a pixel, and a pixelwise one sees "
            'nothing there; set network.family to "resnet".'
        )
    _, *halving = (layer for layer in layers if isinstance(layer, nn.Conv2d))
    blocks = [layer for layer in layers if isinstance(layer, ResidualBlock)]
    return layers, [*halving[:2], *blocks[:1], *blocks[1:5][-1:]]
