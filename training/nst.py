"""Neural style transfer: a network that gives slides the look of a picture.

Gatys et al. 2016, CVPR, equations 4, 5 and 7: style is told by which features come together
(Gram matrices), content by where they lie. As Johnson et al. 2016 (arXiv 1603.08155) it is the
weights of a network that are optimised and not the pixels of one image; with a pixelwise network
what was optimised on sample tiles is a colour map for all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn

from training.averages import Averages
from training.discriminators import PatchDiscriminator
from training.features import Features, features_of, gram
from training.method import Images, Losses, Memory, Setting, learn


class StyleTransfer:
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
        self._setting, self._weights = setting, recipe.losses
        self._features: Features = features_of(recipe.losses.vgg, recipe.seed, setting.device)
        self._style = Style()
        self.generators = self.networks = generators
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, recipe.training.ema) for n, g in generators.items()
        }
        self._generator = setting.processes.shared(generators["forward"])
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam(generators.values())
        }
        self.pools: Mapping[str, Memory] = {"style": self._style}
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        features, weights = self._features, self._weights
        with torch.no_grad():
            seen = [gram(maps) for maps in features.style(images.target)]
            style = self._style.joined([self._setting.processes.mean(one) for one in seen])
            kept = features.content(images.source)
        with self._setting.precise():
            made = self._generator(images.source)
        found = [gram(maps) for maps in features.style(made)]
        losses = {
            "style": weights.style * _mean(map(_apart, found, style.means)),
            "content": weights.content * _mean(map(F.mse_loss, features.content(made), kept)),
        }
        learn(torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler)
        self.scaler.update()
        self._style.take(style)  # not before an image of no numbers was refused
        self.averages["forward"].update(self.generators["forward"])
        return {name: loss.detach() for name, loss in losses.items()}


class Style:
    """The mean Gram matrices of all tiles of the style seen so far: one tile is not all of it."""

    def __init__(self, means: Sequence[Tensor] = (), steps: int = 0) -> None:
        self.means, self.steps = list(means), steps

    def joined(self, grams: Sequence[Tensor]) -> "Style":
        """Return the style with the matrices of one more step in it."""
        share = 1 / (self.steps + 1)
        means = [a.lerp(b, share) for a, b in zip(self.means or grams, grams, strict=True)]
        return Style(means, self.steps + 1)

    def take(self, other: "Style") -> None:
        self.means, self.steps = other.means, other.steps

    def state(self) -> dict[str, Any]:
        return {"means": self.means, "steps": self.steps}

    def restore(self, state: dict[str, Any], device: str) -> None:
        self.means, self.steps = [one.to(device) for one in state["means"]], state["steps"]


def _apart(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared difference of two Gram matrices, as a share of the wanted one."""
    return F.mse_loss(found, wanted) / wanted.square().mean().clamp_min(1e-12)


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
