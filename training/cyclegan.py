"""CycleGAN: two stains without pairs, both ways at once (Zhu et al. 2017, arXiv 1703.10593)."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from stainapp.runs.recipe_losses import Losses as Weights
from training.averages import Averages
from training.batch_norm import ties_images
from training.discriminators import PatchDiscriminator
from training.image_pool import ImagePool
from training.losses import gan_loss, judge_loss, l1
from training.method import Images, Losses, Setting, learn
from training.shown import Shown


class CycleGan:
    """The method; see `training.method.Method`."""

    def __init__(
        self,
        generators: Mapping[str, nn.Module],
        discriminators: Mapping[str, PatchDiscriminator],
        setting: Setting,
    ) -> None:
        """Take the networks.

        Args:
            generators: "forward" (source to target) and "inverse".
            discriminators: "target" judges what "forward" makes, "source" what "inverse" does.
            setting: recipe, device, precision, processes.
        """
        recipe = setting.recipe
        self._setting = setting
        self._shown = {name: Shown(setting, n) for n, name in enumerate(("source", "target"))}
        self.generators, self._discriminators = generators, discriminators
        self.networks: Mapping[str, nn.Module] = {
            **generators,
            **{f"judge-{n}": d for n, d in discriminators.items()},
        }
        self.averages: Mapping[str, Averages] = {
            n: Averages(g, recipe.training.ema) for n, g in generators.items()
        }
        self._generating = setting.processes.shared(
            _Generating(generators["forward"], generators["inverse"], recipe.losses)
        )
        self._judging = setting.processes.shared(
            _Judging(discriminators["source"], discriminators["target"], recipe.losses.gan)
        )
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {
            "generators": setting.adam(generators.values()),
            "discriminators": setting.adam(discriminators.values()),
        }
        self.pools: Mapping[str, ImagePool] = {
            place: pool
            for name, shown in self._shown.items()
            for place, pool in shown.pools(name).items()
        }
        self.scaler = setting.scaler()

    def step(self, images: Images) -> Losses:
        for judge in self._discriminators.values():
            judge.learn(on=False)
        judges = (self._seen_by("source", images), self._seen_by("target", images))
        with self._setting.precise():
            losses, fake_source, fake_target = self._generating(
                images.source, images.target, *judges, identity=self._minds_identity(images.first)
            )
        learn(torch.stack(list(losses.values())).sum(), self.optimisers["generators"], self.scaler)
        for name, net in self.generators.items():
            self.averages[name].update(net)
        for judge in self._discriminators.values():
            judge.learn(on=True)
        source, target = self._shown["source"], self._shown["target"]
        real = source.real(images.source, images), target.real(images.target, images)
        made = source.made(fake_source, images), target.made(fake_target, images)
        with self._setting.precise():
            judged = self._judging(real[0], made[0], real[1], made[1])
        learn(
            torch.stack(list(judged.values())).sum(), self.optimisers["discriminators"], self.scaler
        )
        self.scaler.update()
        return {name: loss.detach() for name, loss in {**losses, **judged}.items()}

    def _minds_identity(self, image: int) -> bool:
        """Tell whether an image of its own stain must come out of a generator as it went in.

        Only at first, where the recipe says so (Kaneko & Kameoka 2017, arXiv 1711.11293).
        """
        weights = self._setting.recipe.losses
        ended = 0 < weights.identity_images <= image
        return weights.identity > 0 and not ended

    def _seen_by(self, name: str, images: Images) -> "_Judge":
        shown, stream = self._shown[name], 4 if name == "source" else 5
        return _Judge(
            self._discriminators[name], lambda made: shown.disturbed(made, images, stream)
        )


class _Judge:
    """A discriminator as the generators meet it; no module, so that none owns its weights."""

    def __init__(self, net: nn.Module, disturb: Callable[[Tensor], Tensor]) -> None:
        self._net, self._disturb = net, disturb

    def __call__(self, images: Tensor) -> Tensor:
        return self._net(self._disturb(images))  # type: ignore[no-any-return] # Module calls are untyped


class _Generating(nn.Module):
    """All that the generators are blamed for, in one forward pass, as data parallelism needs."""

    def __init__(self, forward: nn.Module, inverse: nn.Module, weights: Weights) -> None:
        super().__init__()
        self.to_target, self.to_source = forward, inverse
        self._weights = weights
        self._by_batch = ties_images(self)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_judge: _Judge,
        target_judge: _Judge,
        *,
        identity: bool,
    ) -> tuple[Losses, Tensor, Tensor]:
        weights = self._weights
        made_target, same_source_in = self._both(self.to_target, source, target, identity)
        made_source, same_target_in = self._both(self.to_source, target, source, identity)
        losses = {
            "adversarial target": weights.adversarial
            * gan_loss(target_judge(made_target), weights.gan, real=True),
            "adversarial source": weights.adversarial
            * gan_loss(source_judge(made_source), weights.gan, real=True),
            "cycle source": weights.cycle * l1(self.to_source(made_target), source),
            "cycle target": weights.cycle * l1(self.to_target(made_source), target),
        }
        if same_source_in is not None and same_target_in is not None:
            losses["identity target"] = weights.identity * l1(same_source_in, target)
            losses["identity source"] = weights.identity * l1(same_target_in, source)
        return losses, made_source, made_target

    def _both(
        self, net: nn.Module, other: Tensor, own: Tensor, identity: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return what a generator makes of the other stain and, if it matters, of its own."""
        if not identity:
            return net(other), None
        if self._by_batch:  # whose statistics must not mix the stains
            return net(other), net(own)
        made, same = net(torch.cat([other, own])).chunk(2)  # fills the machine better
        return made, same


class _Judging(nn.Module):
    """What both discriminators are blamed for."""

    def __init__(self, source: nn.Module, target: nn.Module, kind: str) -> None:
        super().__init__()
        self.source, self.target, self._kind = source, target, kind

    def forward(
        self, real_source: Tensor, made_source: Tensor, real_target: Tensor, made_target: Tensor
    ) -> Losses:
        return {
            "judge source": judge_loss(self.source, real_source, made_source, self._kind),
            "judge target": judge_loss(self.target, real_target, made_target, self._kind),
        }
