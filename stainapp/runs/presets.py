"""Three sets of training values a method: to look, for a night, and as in the papers. No torch."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from stainapp.models.card import Arch
from stainapp.runs.recipe import Training

Kind = Literal["quick", "overnight", "full"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NAMES: dict[Kind, str] = {"quick": "Quick look", "overnight": "Overnight", "full": "Full"}

FINE_TUNE_RATE = 5e-5
FROZEN_LAYERS = 2
PATIENCE = 10
"""Validations without gain before a fine-tune ends."""
SMALL = Training(ndf=32, judge_images=4)


@dataclass(frozen=True, slots=True)
class Preset:
    """What a kind of training sets; everything else keeps the recipe's own defaults."""

    network: Arch
    training: Training
    tile_px: int
    """Side of the crops; a multiple of what the network needs."""
    when: str
    """One sentence for the dialog."""


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
            _small(method, ngf=16),
            replace(SMALL, images=2_000, validate_every=250, checkpoint_every=250, ema=0.99),
            128,
            "Minutes on a processor: shows whether the regions will do, not how good it can be.",
        )
    if kind == "overnight":
        return Preset(
            _small(method, ngf=32),
            replace(SMALL, images=40_000, validate_every=1_000, checkpoint_every=500),
            160,
            "Some hours on a processor: a small network that stains a slide fast.",
        )
    return Preset(
        _unet() if method == "pix2pix" else _resnet(blocks=9, ngf=64),
        Training(images=240_000, validate_every=4_000, checkpoint_every=2_000),
        256,
        "The sizes of the papers: for a GPU; on a processor it takes weeks.",
    )


def fine_tuned(training: Training) -> Training:
    """Return the values for going on from a model: slower, and ended once it gains no more.

    The discriminator's early layers are frozen as in Mo et al. 2020 (FreezeD).
    """
    return replace(
        training,
        rate=FINE_TUNE_RATE,
        freeze_discriminator=FROZEN_LAYERS,
        early_stop=PATIENCE,
    )


def _small(method: str, ngf: int) -> Arch:
    """Return a ResUNet for pairs, which keeps the detail they share from the first image on.

    Without pairs it holds on to what its input looks like where the stain has to change it.
    """
    if method == "pix2pix":
        return Arch(family="resunet", blocks=6, ngf=ngf, norm="none")
    return _resnet(blocks=6, ngf=ngf)


def _resnet(*, blocks: int, ngf: int) -> Arch:
    """A ResNet that enlarges by resizing, which draws no checkerboard (Odena et al. 2016)."""
    return Arch(family="resnet", blocks=blocks, ngf=ngf, upsampling="resize")


def _unet() -> Arch:
    return Arch(family="unet", ngf=64, norm="batch", dropout=True, downs=8)
