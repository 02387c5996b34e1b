"""Neural style transfer: a network that gives slides the look of a picture.

Gatys et al. 2016, CVPR, section 2: style is told by which features come together (Gram
matrices), content by where they lie. As Johnson et al. 2016 (arXiv 1603.08155) it is the weights
of a network that are optimised and not the pixels of one picture; with a pixelwise network, what
was optimised on sample tiles is a colour map for all. The other way, to optimise tiles first and
fit a colour map to them, was tried: on colon, from H&E to the look of PAS, 16 tiles so optimised
came to a Fréchet distance (FD-OD) of 153 on other tiles, 200 steps of 4 tiles to 159 to 179 in
half the time. A colour map cannot follow what is drawn into 16 tiles (their style differed by
0.03 before the fit and by 0.06 after it), and learns more from many.

Three things are as slides need them. Features are weighed by how stained a place is (guided Gram
matrices, Gatys et al. 2017, arXiv 1611.07865, section 4), so that a tile of much glass is as good
as one of little, and glass stays as it is. A style is that of all its tiles seen so far, since
one alone shows something else. And each feature is measured by its spread in the style, so that
pale hues count.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn

from training.discriminators import PatchDiscriminator
from training.features import Features, density, features_of
from training.method import Images, Losses, Setting
from training.one_network import OneNetwork
from training.processes import ALONE, Processes

GLASS, STAINED = 0.06, 0.16
"""Optical density of the darkest channel that is unstained, and that is stained."""
LEAST_SPREAD = 0.01
"""Of a feature's variance, as a share of the mean: one that a style never shows has none."""
GLASS_WEIGHT = 10.0
"""Of glass that stays, beside structure that stays: what is bare is most of a pale tile."""


class StyleTransfer(OneNetwork):
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        _discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the network.

        Args:
            generators: "forward".
            setting: recipe, device, precision, processes.

        Raises:
            RecipeError: the weights of VGG-19 cannot be used.
        """
        recipe = setting.recipe
        self._style = Style()
        super().__init__(generators, setting, pools={"style": self._style})
        self._weights = recipe.losses
        self._features: Features = features_of(recipe.losses.vgg, recipe.seed, setting.device)

    def step(self, images: Images) -> Losses:
        features, weights, processes = self._features, self._weights, self.setting.processes
        source, target = images.source, images.target
        with torch.no_grad():
            style = self._style.joined(grams(features, target, target, processes))
            kept, bare = features.content(source), 1 - stained(source)
        with self.setting.precise():
            made = self.shared(source).float()
        found = grams(features, made, source, processes)
        structure = _mean(map(F.mse_loss, features.content(made), kept))
        losses = {
            "style": weights.style * _mean(map(unlike, found, style.means)),
            "content": weights.content * structure,
            "glass": weights.content * GLASS_WEIGHT * (bare * (made - source).abs()).mean(),
        }
        learnt = self.learn(losses)
        self._style.take(style)  # not before an image of no numbers was refused
        return learnt


class Style:
    """The mean Gram matrices of the steps so far."""

    def __init__(self, means: Sequence[Tensor] = (), steps: int = 0) -> None:
        self.means, self.steps = list(means), steps

    def joined(self, matrices: Sequence[Tensor]) -> "Style":
        """Return the style with those of one more step in it."""
        share = 1 / (self.steps + 1)
        means = [a.lerp(b, share) for a, b in zip(self.means or matrices, matrices, strict=True)]
        return Style(means, self.steps + 1)

    def take(self, other: "Style") -> None:
        self.means, self.steps = other.means, other.steps

    def state(self) -> dict[str, Any]:
        return {"means": self.means, "steps": self.steps}

    def restore(self, state: dict[str, Any], device: str) -> None:
        self.means = [one.to(device) for one in state["means"]]
        self.steps = state["steps"]


def stained(images: Tensor) -> Tensor:
    """Return how stained each pixel is, (N, 1, H, W) in 0..1."""
    darkest = density(images).amax(1, keepdim=True)
    return ((darkest - GLASS) / (STAINED - GLASS)).clamp(0, 1)


def grams(
    features: Features, images: Tensor, guide: Tensor, processes: Processes = ALONE
) -> list[Tensor]:
    """Return which features come together where a picture is stained, (1 + C, 1 + C) a map.

    Means of products of any two features, weighed by the guide's stain; the first feature is 1,
    so that the first row holds the means of the others. They are those of all processes' images,
    of which each one's own take gradients: averaged, these are those of the whole batch.
    """
    weights, matrices = stained(guide), []
    for maps in features.style(images):
        weight = F.adaptive_avg_pool2d(weights, (maps.shape[2], maps.shape[3]))
        flat = torch.cat([torch.ones_like(maps[:, :1]), maps], dim=1).transpose(0, 1).flatten(1)
        own = (flat * weight.flatten()) @ flat.T
        everyones = processes.mean(own.detach()) + (own - own.detach())
        matrices.append(everyones / processes.mean(weight.sum()).clamp_min(1e-6))
    return matrices


def unlike(found: Tensor, wanted: Tensor) -> Tensor:
    """Return how far means and covariances are from those of a style, in its own spreads."""
    (mean, spread), (own, width) = _moments(found), _moments(wanted)
    variance = width.diagonal()
    unit = variance.clamp_min(LEAST_SPREAD * float(variance.mean())).sqrt()
    return ((mean - own) / unit).square().mean() + (
        (spread - width) / torch.outer(unit, unit)
    ).square().mean()


def _moments(gram: Tensor) -> tuple[Tensor, Tensor]:
    mean = gram[0, 1:]
    return mean, gram[1:, 1:] - torch.outer(mean, mean)


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
