"""Three sets of training values a method: to look, for a night, and as in the papers. No torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from stainapp.models.card import Arch
from stainapp.runs.methods import MethodName
from stainapp.runs.recipe import Training
from stainapp.runs.recipe_losses import Losses, losses_of

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
    losses: Losses = Losses()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class _Method:
    """What a method's presets differ in."""

    small: Callable[[int], Arch]
    """The network of a first layer's channels, for a processor."""
    full: Arch
    """The network of the method's paper."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Values of training that every kind has."""
    full_changes: Mapping[str, Any] = field(default_factory=dict)
    """Those that the full one has besides."""
    quick_changes: Mapping[str, Any] = field(default_factory=dict)
    """Those that the quickest has besides."""
    quick_when: str = (
        "Minutes on a processor: shows whether the regions will do, not how good it can be."
    )


def preset(method: MethodName, kind: Kind) -> Preset:
    """Return the values of a kind of training.

    The full one has the sizes of the method's paper, some 200 epochs of a thousand images. The
    others are what two processor cores do in minutes and in a night.
    """
    if method in COLOUR_MAPS:
        return COLOUR_MAPS[method][kind]
    of = METHODS[method]
    if kind == "quick":
        found = Preset(
            of.small(16),
            replace(SMALL, images=2_000, validate_every=250, checkpoint_every=250, ema=0.99),
            128,
            of.quick_when,
        )
    elif kind == "overnight":
        found = Preset(
            of.small(32),
            replace(SMALL, images=40_000, validate_every=1_000, checkpoint_every=500),
            160,
            "Some hours on a processor: a small network that stains a slide fast.",
        )
    else:
        found = Preset(
            of.full,
            Training(images=240_000, validate_every=4_000, checkpoint_every=2_000),
            256,
            "The sizes of the papers: for a GPU; on a processor it takes weeks.",
        )
    own = {"quick": of.quick_changes, "full": of.full_changes}.get(kind, {})
    training = replace(found.training, **{**of.changes, **own})
    return replace(found, training=training, losses=losses_of(method))


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


def _colour_maps(
    method: MethodName, tile_px: int, images: tuple[int, int, int], batch: int, rate: float
) -> dict[Kind, Preset]:
    """Return the presets of a method that teaches StainNet (Kang et al. 2021), or a wider one.

    A thousand weights need a fast rate and few images; more give the last tenth of a decibel.
    """
    words = (
        "A minute or two on a processor: StainNet's three layers of 32 channels.",
        "A little nearer, at twice the width; as long as its teacher or features take.",
        "As near as a colour map comes; for a GPU, or a night.",
    )
    return {
        kind: Preset(
            Arch(family="pixel", ngf=32 << n, norm="none"),
            Training(
                images=images[n],
                batch=batch,
                rate=rate,
                betas=(0.9, 0.999),
                ema=0.99,
                density_jitter=0.0,
                validate_every=images[n] // 5,
                checkpoint_every=images[n] // 10,
            ),
            tile_px,
            words[n],
            losses_of(method),
        )
        for n, kind in enumerate(KINDS)
    }


def _resnet(ngf: int, blocks: int = 6) -> Arch:
    """A ResNet that enlarges by resizing, which draws no checkerboard (Odena et al. 2016)."""
    return Arch(family="resnet", blocks=blocks, ngf=ngf, upsampling="resize")


def _resunet(ngf: int) -> Arch:
    """For pairs: keeps the detail they share from the first image on.

    Without pairs it holds on to what its input looks like where the stain has to change it.
    """
    return Arch(family="resunet", blocks=6, ngf=ngf, norm="none")


def _antialiased(blocks: int) -> Arch:
    """A ResNet that blurs before it halves and after it doubles, as CUT's does."""
    return Arch(family="resnet", blocks=blocks, downsampling="antialias", upsampling="antialias")


def _dcgmm(ngf: int) -> Arch:
    """Half the channels of others: it tells classes and draws nothing."""
    return Arch(family="dcgmm", ngf=ngf // 2, norm="none")


def _bridge(ngf: int) -> Arch:
    return Arch(family="bridge", in_channels=6, ngf=ngf, mults=(1, 2, 4), blocks=4, norm="none")


COLOUR_MAPS: Mapping[MethodName, Mapping[Kind, Preset]] = {
    "distil": _colour_maps("distil", 256, (80, 800, 8_000), batch=1, rate=0.01),
    "nst": _colour_maps("nst", 128, (1_600, 8_000, 80_000), batch=4, rate=0.005),
}
METHODS: Mapping[MethodName, _Method] = {
    # Zhu et al. 2017, section 7.1
    "cyclegan": _Method(_resnet, _resnet(64, blocks=9)),
    # Isola et al. 2017, section 6.1; it shows its discriminator the newest alone
    "pix2pix": _Method(
        _resunet,
        Arch(family="unet", ngf=64, norm="batch", dropout=True, downs=8),
        {"pool": 0, "judge_images": 1},
    ),
    # Park et al. 2020, appendix C; no earlier images for its discriminator
    "cut": _Method(_resnet, _antialiased(blocks=9), full_changes={"pool": 0}),
    "fastcut": _Method(_resnet, _antialiased(blocks=9), full_changes={"pool": 0}),
    # Li et al. 2023, section 3
    "asp": _Method(_resnet, _antialiased(blocks=6), full_changes={"pool": 0, "ndf": 32}),
    # Ronneberger et al. 2015 with the widths of Isola et al. 2017
    "unet": _Method(
        _resunet,
        Arch(family="unet", ngf=64, norm="batch", dropout=True, downs=8),
        {"pool": 0, "judge_images": 1},
    ),
    # The paper's network and optimiser; jitter stands in for its many laboratories
    "dcgmm": _Method(
        _dcgmm,
        Arch(family="dcgmm", ngf=32, norm="none"),
        {"pool": 0, "judge_images": 1, "rate": 1e-3, "betas": (0.9, 0.999), "density_jitter": 0.15},
        quick_changes={"images": 600, "validate_every": 120, "checkpoint_every": 120},
        quick_when="Some two minutes on a processor: longer trainings have gained little.",
    ),
    # Liu et al. 2023, appendix C, but for the network: theirs is for no live view
    "i2sb": _Method(
        _bridge,
        _bridge(64),
        {"pool": 0, "judge_images": 1, "betas": (0.9, 0.999), "rate": 2e-4},
    ),
}
