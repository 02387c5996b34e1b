"""Pix2Pix: pairs in one frame (Isola et al. 2017, arXiv 1611.07004)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.averages import Averages
from training.discriminators import PatchDiscriminator
from training.image_pool import ImagePool
from training.losses import gan_loss, judge_loss, pyramid_l1
from training.method import Images, Losses, Setting, learn
from training.shown import Shown


class Pix2Pix:
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the networks.

        Args:
            generators: "forward".
            discriminators: "target" judges source and target together, six channels.
            setting: recipe, device, precision, processes.
        """
        recipe = setting.recipe
        self._setting = setting
        self._shown = Shown(setting, 0)
        self._weights = recipe.losses
        self._octaves = [1.0] * (1 + recipe.losses.pyramid_octaves)
        self.generators, self._judge = generators, discriminators["target"]
        self.networks: Mapping[str, nn.Module] = {**generators, "judge-target": self._judge}
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, recipe.training.ema) for n, g in generators.items()
        }
        self._generator = setting.processes.shared(generators["forward"])
        self._judging = setting.processes.shared(_Judging(self._judge, recipe.losses.gan))
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam(generators.values()),
            "discriminators": setting.adam([self._judge]),
        }
        self.pools: Mapping[str, ImagePool] = self._shown.pools("target")
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        weights = self._weights
        self._judge.learn(on=False)
        with self._setting.precise():
            made = self._generator(images.source)
            pairs = torch.cat([images.source, made.float()], dim=1)
            score = self._judge(self._shown.disturbed(pairs, images, 2))
        losses = {
            "adversarial target": weights.adversarial * gan_loss(score, weights.gan, real=True),
            "l1": weights.l1 * pyramid_l1(made, images.target, self._octaves),
        }
        learn(torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler)
        self.averages["forward"].update(self.generators["forward"])
        self._judge.learn(on=True)
        real = self._shown.real(torch.cat([images.source, images.target], dim=1), images)
        generated = self._shown.made(pairs, images)
        with self._setting.precise():
            judged = {"judge target": self._judging(real, generated)}
        learn(judged["judge target"], self.optimisers["discriminators"], self.scaler)
        self.scaler.update()
        return {name: loss.detach() for name, loss in {**losses, **judged}.items()}


class _Judging(nn.Module):
    """What the discriminator is blamed for."""

    def __init__(self, net: nn.Module, kind: str) -> None:
        super().__init__()
        self.net, self._kind = net, kind

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        return judge_loss(self.net, real, made, self._kind)
