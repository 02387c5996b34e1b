"""Recipes over the phantom that are learnt in seconds, so that a test can train for real."""

from dataclasses import replace
from typing import Any

from stainapp.models.card import Arch
from stainapp.runs.methods import MethodName, method_info
from stainapp.runs.recipe import Made, Recipe, Training
from stainapp.runs.recipe_data import Data, Origin
from stainapp.runs.recipe_losses import Losses, losses_of

SIDE = 512
AREAS = {"train": (0.0, 0.0, 256.0, 512.0), "validation": (256.0, 0.0, 256.0, 512.0)}
SMALL_RESNET = Arch(family="resnet", blocks=1, ngf=4, upsampling="resize")
SMALL_RESUNET = Arch(family="resunet", blocks=1, ngf=4, norm="none")
SMALL_DCGMM = Arch(family="dcgmm", ngf=4, norm="none")
SMALL_BRIDGE = Arch(family="bridge", in_channels=6, blocks=1, ngf=4, mults=(1, 2), norm="none")


def small(
    method: MethodName = "pix2pix",
    *,
    network: Arch | None = None,
    losses: Losses | None = None,
    **training: Any,
) -> Recipe:
    """Return a recipe whose training differs from a few small steps as ``training`` says.

    Without a network it has the first of `networks_of`.
    """
    pairing = method_info(method).pairings[0]
    alone = pairing == "alone"
    target = f"phantom:pas:{SIDE}:{4 if pairing == 'unpaired' else 3}"
    few = Training(
        images=6,
        precision="fp32",
        ndf=4,
        pool=3,
        judge_images=2,
        ema=0.9,
        validate_every=1000,
        checkpoint_every=2,
    )
    return Recipe(
        method=method,
        seed=5,
        model=Made(
            id="small",
            name="Small",
            source_stain="H&E",
            target_stain="H&E" if alone else "PAS",
            mpp=0.5,
            teacher="macenko" if alone else "",
        ),
        network=network or networks_of(method)[0],
        data=Data(
            pairing=pairing,
            source=_origins(f"phantom:he:{SIDE}:3"),
            target=() if alone else _origins(target),
            tile_px=48,
            min_tissue=0.2,
            validation_tiles=8,
            validation_px=64,
        ),
        losses=losses or losses_of(method),
        training=replace(few, **training),
    )


def networks_of(method: MethodName) -> tuple[Arch, ...]:
    """Return small networks that a method teaches."""
    every = (SMALL_RESNET, SMALL_RESUNET, SMALL_DCGMM, SMALL_BRIDGE)
    return tuple(one for one in every if one.family in method_info(method).families)


def _origins(slide: str) -> tuple[Origin, ...]:
    return tuple(
        Origin(slide=slide, areas=(area,), split=split)  # type: ignore[arg-type] # keys are splits
        for split, area in AREAS.items()
    )
