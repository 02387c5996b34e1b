"""Three sets of training values a method: to look, for a night, and as in the papers. No torch."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from stainapp.models.card import Arch
from stainapp.runs.recipe import Losses, Training

Kind = Literal["quick", "overnight", "full"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NAMES: dict[Kind, str] = {"quick": "Quick look", "overnight": "Overnight", "full": "Full"}

FINE_TUNE_RATE = 5e-5
FROZEN_LAYERS = 2
PATIENCE = 10
"""Validations without gain before a fine-tune ends."""
SMALL = Training(rate=1e-4, judge_rate=4e-4, ndf=32, judge_images=4)
FROM_THE_INPUT = Losses(cycle=1.0, identity=0.0)
"""For a ResUNet, which begins as good as at its input: little has to hold it there."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What a kind of training sets; everything else keeps the recipe's own defaults."""

    network: Arch
    training: Training
    tile_px: int
    """Side of the crops; a multiple of what the network needs."""
    when: str
    """One sentence for the dialog."""
    losses: Losses = field(default_factory=Losses)


def preset(method: str, kind: Kind) -> Preset:
    """Return the values of a kind of training.

    The full one has the sizes of the papers: Zhu et al. 2017 (CycleGAN, section 7.1) and
    Isola et al. 2017 (pix2pix, section 6.1), some 200 epochs of a thousand images. The others
    are what two processor cores do in minutes and in a night.
    """
    found = _preset(method, kind)
    if method == "pix2pix":  # which shows its discriminator the newest alone
        return replace(found, training=replace(found.training, pool=0, judge_images=1))
    return found


def _preset(method: str, kind: Kind) -> Preset:
    if kind == "quick":
        return Preset(
            _resunet(ngf=16),
            replace(SMALL, images=2_000, validate_every=250, checkpoint_every=250, ema=0.99),
            128,
            "Minutes on a processor: shows whether the regions will do, not how good it can be.",
            FROM_THE_INPUT,
        )
    if kind == "overnight":
        return Preset(
            _resunet(ngf=32),
            replace(SMALL, images=40_000, validate_every=1_000, checkpoint_every=500),
            128,
            "Some hours on a processor: a small network that stains a slide fast.",
            FROM_THE_INPUT,
        )
    return Preset(
        _unet() if method == "pix2pix" else _resnet(),
        Training(images=240_000, validate_every=4_000, checkpoint_every=2_000),
        256,
        "The sizes of the papers: for a GPU; on a processor it takes weeks.",
    )


def fine_tuned(training: Training) -> Training:
    """Return the values for going on from a model: slower, and ended once it gains no more.

    The discriminator's early layers are frozen as in Mo et al. 2020 (FreezeD).
    """
    slower = FINE_TUNE_RATE / training.rate
    return replace(
        training,
        rate=FINE_TUNE_RATE,
        judge_rate=None if training.judge_rate is None else slower * training.judge_rate,
        freeze_discriminator=FROZEN_LAYERS,
        early_stop=PATIENCE,
    )


def _resunet(ngf: int) -> Arch:
    """A network that has the detail of its input from the first image on."""
    return Arch(family="resunet", blocks=6, ngf=ngf, norm="none")


def _resnet() -> Arch:
    """A ResNet that enlarges by resizing, which draws no checkerboard (Odena et al. 2016)."""
    return Arch(family="resnet", blocks=9, ngf=64, upsampling="resize")


def _unet() -> Arch:
    return Arch(family="unet", ngf=64, norm="batch", dropout=True, downs=8)
