"""CUT, FastCUT and ASP: one generator, held to its source by patches (Park et al. 2020)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from stainapp.runs.recipe_losses import Losses as Weights
from training.averages import Averages
from training.batch_norm import ties_images
from training.discriminators import PatchDiscriminator
from training.image_pool import ImagePool
from training.losses import gan_loss, judge_loss, pyramid_l1
from training.method import HEADS, Images, Losses, Setting, learn, rate_share
from training.patch_nce import Encoder, Heads, Places, patch_nce
from training.shown import Shown

FLIPS = 129
"""The stream of chance that images are mirrored by."""
DISTURBED = 2
"""The stream of what the generator's images meet before they are judged."""


class Cut:
    """The methods; see `training.method.Method`.

    They differ in what their losses weigh, and ASP also compares with the target of its pair.
    """

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the networks.

        Args:
            generators: "forward".
            discriminators: "target".
            setting: recipe, device, precision, processes.
        """
        recipe = setting.recipe
        self._setting, self._weights = setting, recipe.losses
        self._shown = Shown(setting, 0)
        chance = torch.Generator().manual_seed(recipe.seed ^ 1)  # another than the generator's
        heads = Heads(Encoder(generators["forward"]).channels, chance).to(setting.device)
        self.generators, self._judge = generators, discriminators["target"]
        self.networks: Mapping[str, nn.Module] = {
            **generators,
            HEADS: heads,
            "judge-target": self._judge,
        }
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, recipe.training.ema) for n, g in generators.items()
        }
        self._generating = setting.processes.shared(
            _Generating(generators["forward"], heads, recipe.losses, paired=recipe.method == "asp")
        )
        self._judging = setting.processes.shared(_Judging(self._judge, recipe.losses.gan))
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam([*generators.values(), heads]),
            "discriminators": setting.adam([self._judge]),
        }
        self.pools: Mapping[str, ImagePool] = self._shown.pools("target")
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        training = self._setting.recipe.training
        even = rate_share(images.first, training.images, training.constant_images)
        self._judge.learn(on=False)
        with self._setting.precise():
            losses, made = self._generating(
                images.source,
                images.target,
                lambda x: self._judge(self._shown.disturbed(x, images, DISTURBED)),
                self._places(images),
                even,
            )
        learn(torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler)
        self.averages["forward"].update(self.generators["forward"])
        self._judge.learn(on=True)
        real = self._shown.real(images.target, images)
        generated = self._shown.made(made, images)
        with self._setting.precise():
            judged = {"judge target": self._judging(real, generated)}
        learn(judged["judge target"], self.optimisers["discriminators"], self.scaler)
        self.scaler.update()
        return {name: loss.detach() for name, loss in {**losses, **judged}.items()}

    def _places(self, images: Images) -> Places:
        """Return where patches lie, and which of the images go in mirrored."""
        seed, first = self._setting.recipe.seed, images.first + images.offset
        numbers = tuple(range(first, first + len(images.source)))
        which: tuple[bool, ...] = ()
        if self._weights.flip_equivariance:
            chances = (np.random.default_rng((seed, FLIPS, number)) for number in numbers)
            which = tuple(bool(rng.random() < 0.5) for rng in chances)
        return Places(seed, numbers, self._weights.patches, which)


class _Generating(nn.Module):
    """All that the generator and the heads are blamed for, in one forward pass."""

    def __init__(self, net: nn.Module, heads: Heads, weights: Weights, *, paired: bool) -> None:
        super().__init__()
        self.net, self.heads = net, heads
        self._encoder = Encoder(net)
        self._weights, self._paired = weights, paired
        self._by_batch = ties_images(net)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        judge: Callable[[Tensor], Tensor],
        places: Places,
        even: float,
    ) -> tuple[Losses, Tensor]:
        """Return the losses, and what is made of the source.

        Args:
            source: (N, 3, H, W) in -1..1.
            target: of the same shape; its pair, or any image of the other stain.
            judge: the discriminator as the generator meets it.
            places: where patches lie, and which images go in mirrored.
            even: share of the supervised patches' weight that is even.
        """
        weights = self._weights
        parts = [source, target] if weights.nce_identity > 0 else [source]
        made = self._each(lambda x: [self.net(x)], [mirrored(x, places.mirrored) for x in parts])
        made_target = made[0][0]
        queries = self._each(self._described(places), [one[0] for one in made])
        # after what learns: autocast would keep weights cast here, to which no gradient leads
        with torch.no_grad():
            sides = [source, target] if len(parts) > 1 or self._paired else [source]
            keys = self._each(self._described(replace(places, mirrored=())), sides)
        losses = {
            "adversarial target": weights.adversarial
            * gan_loss(judge(made_target), weights.gan, real=True),
            "nce": weights.nce * patch_nce(queries[0], keys[0], weights.temperature),
        }
        if len(parts) > 1:
            alike = patch_nce(queries[1], keys[1], weights.temperature)
            losses["identity nce"] = weights.nce_identity * alike
        if self._paired:
            alike = patch_nce(queries[0], keys[1], weights.temperature, even)
            losses["supervised nce"] = weights.supervised_nce * alike
            facing = mirrored(target, places.mirrored)
            octaves = falling(weights.pyramid_octaves)
            losses["l1"] = weights.l1 * pyramid_l1(made_target, facing, octaves)
        return losses, made_target

    def _described(self, places: Places) -> Callable[[Tensor], list[Tensor]]:
        return lambda images: self.heads(self._encoder(images, places))

    def _each(
        self, run: Callable[[Tensor], list[Tensor]], parts: Sequence[Tensor]
    ) -> list[list[Tensor]]:
        """Return all that is given for each of several batches."""
        if self._by_batch:  # whose statistics must not mix the stains
            return [run(one) for one in parts]
        given = [one.chunk(len(parts)) for one in run(torch.cat(list(parts)))]
        return [list(one) for one in zip(*given, strict=True)]  # filled the machine better


class _Judging(nn.Module):
    """What the discriminator is blamed for."""

    def __init__(self, net: nn.Module, kind: str) -> None:
        super().__init__()
        self.net, self._kind = net, kind

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        return judge_loss(self.net, real, made, self._kind)


def mirrored(images: Tensor, which: Sequence[bool]) -> Tensor:
    """Return images (N, C, H, W), those that are named left for right; () for none."""
    if not any(which):
        return images
    chosen = torch.tensor(which, device=images.device).view(-1, 1, 1, 1)
    return torch.where(chosen, images.flip(3), images)


def falling(octaves: int) -> list[float]:
    """Return weights of the octaves of pairs that do not meet, the finest first.

    1/64, 1/32, 1/16, 1/8, 1/4 and 1 where there are five, each over their number: as Li et al.
    (2023) trained.
    """
    weights = [0.5 ** (n + 1) for n in range(octaves, 0, -1)] + [1.0]
    return [weight / len(weights) for weight in weights]
