"""From a recipe to the method that is taught, its networks drawn anew or a parent's."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from stainapp.errors import ModelError, RecipeError
from stainapp.models import networks
from stainapp.models.card import WEIGHTS_FILE, Arch, Bridge
from stainapp.models.network_stainer import STATISTICS, TEMPLATE
from stainapp.models.store import Found, default_store
from stainapp.runs.methods import MethodName, method_info
from stainapp.runs.recipe import Recipe
from training.batch_norm import synchronised
from training.cut import Cut
from training.cyclegan import CycleGan
from training.dcgmm import Dcgmm
from training.discriminators import PatchDiscriminator, bound
from training.distil import Distil
from training.export import HEADS_FILE, JUDGE_FILE
from training.first_weights import initialise
from training.i2sb import I2sb
from training.method import HEADS, Method, Setting
from training.nst import StyleTransfer
from training.pix2pix import Pix2Pix
from training.tensors import memory_format
from training.unet import UNetRegression

log = logging.getLogger(__name__)

Make: TypeAlias = Callable[
    [Mapping[str, nn.Module], Mapping[str, PatchDiscriminator], Setting], Method
]
"""Generators by direction, discriminators by what they judge, "source" or "target"."""
TAUGHT: Mapping[MethodName, Make] = {
    "cyclegan": CycleGan,
    "pix2pix": Pix2Pix,
    "cut": Cut,
    "fastcut": Cut,
    "asp": Cut,
    "unet": UNetRegression,
    "dcgmm": Dcgmm,
    "i2sb": I2sb,
    "distil": Distil,
    "nst": StyleTransfer,
}
NEAR_MPP = 0.1
"""Largest relative difference between a parent's scale and the recipe's."""


def build_method(setting: Setting) -> Method:
    """Return the method with its networks on the device.

    Raises:
        RecipeError: the parent cannot be gone on from.
    """
    recipe, device = setting.recipe, setting.device
    chance = torch.Generator().manual_seed(recipe.seed)
    info = method_info(recipe.method)
    parents = {"forward": recipe.model.parent} | (
        {"inverse": inverse_parent(recipe)} if info.both_ways else {}
    )
    arch = arch_of(recipe)
    generators = {
        name: _generator(recipe, arch, parent, chance) for name, parent in parents.items()
    }
    judges = {
        name: _judge(recipe, arch, parents[direction], chance)
        for name, direction in (("source", "inverse"), ("target", "forward"))
        if direction in parents and info.judged_channels
    }
    layout = memory_format(device, normed=arch.norm != "none")
    for net in (*generators.values(), *judges.values()):
        net.to(device, memory_format=layout)  # type: ignore[call-overload] # its hints lack it
        synchronised(net, device, setting.processes).train()
    method = TAUGHT[recipe.method](generators, judges, setting)
    if HEADS in method.networks:
        _brought(method.networks[HEADS], recipe.model.parent, HEADS_FILE)
    return method


def arch_of(recipe: Recipe) -> Arch:
    """Return the generators' shape: the recipe's or the parent's.

    Raises:
        RecipeError: neither says it, or both do and differ.
    """
    if recipe.model.parent:
        card = parent_of(recipe.model.parent).card
        assert card.arch is not None
        if recipe.network is not None and recipe.network != card.arch:
            raise RecipeError(
                f"The recipe's network differs from that of its parent {card.id!r}; "
                "leave [network] out to take the parent's."
            )
        if card.mpp is not None and abs(card.mpp / recipe.model.mpp - 1) > NEAR_MPP:
            raise RecipeError(
                f"The parent {card.id!r} works at {card.mpp:g} um/px and the recipe at "
                f"{recipe.model.mpp:g}; set model.mpp to {card.mpp:g}."
            )
        if card.arch.family not in method_info(recipe.method).families:
            raise RecipeError(
                f"The parent {card.id!r} is a {card.arch.family}, which {recipe.method} does not "
                "teach; choose another parent or method."
            )
        if card.bridge is not None and _taught(card.bridge) != _taught(recipe.bridge):
            raise RecipeError(
                f"The recipe's bridge differs from that of its parent {card.id!r}; "
                "write the card's bridge into it."
            )
        return card.arch
    if recipe.network is None:
        raise RecipeError("The recipe has neither a parent nor a [network]; add one of them.")
    return recipe.network


def _taught(bridge: Bridge) -> Bridge:
    """Return a bridge without what may change once it is taught."""
    return replace(bridge, nfe=1, seed=0)


def parent_of(name: str) -> Found:
    """Find a parent by id, or by its folder.

    Raises:
        RecipeError: there is none, or it has no network.
    """
    try:
        found = default_store().at(name)
    except ModelError as error:
        raise RecipeError(f"The parent cannot be used: {error}") from error
    if found.card.arch is None:
        raise RecipeError(f"{found.card.name} has no network to go on from; choose another parent.")
    return found


def inverse_parent(recipe: Recipe) -> str:
    """Return where the way back goes on from: what the recipe says, else the parent's inverse."""
    made = recipe.model
    if made.inverse_parent or not made.parent:
        return made.inverse_parent
    return parent_of(made.parent).card.inverse or ""


def _judge(recipe: Recipe, arch: Arch, parent: str, chance: torch.Generator) -> PatchDiscriminator:
    """Return a discriminator, drawn anew unless the parent brings one of the same shape."""
    channels = method_info(recipe.method).judged_channels
    judge = PatchDiscriminator(channels, recipe.training.ndf, arch.norm)
    initialise(judge, chance)
    if arch.norm == "none":
        bound(judge, chance)
    if _brought(judge, parent, JUDGE_FILE):
        judge.frozen_layers = recipe.training.freeze_discriminator
        judge.learn(on=True)
    return judge


def _brought(net: nn.Module, parent: str, file: str) -> bool:
    """Give a net the weights that a parent brings in a file; False where it brings none."""
    path = parent_of(parent).folder / file if parent else None
    if path is None or not path.is_file():
        return False
    try:
        net.load_state_dict({k: w.float() for k, w in load_file(path).items()}, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        log.info("%s is not used: %s", path, error)
        return False
    return True


def _generator(recipe: Recipe, arch: Arch, parent: str, chance: torch.Generator) -> nn.Module:
    net = networks.build(arch)
    initialise(net, chance)
    if parent:
        found = parent_of(parent)
        if found.card.arch != arch:
            raise RecipeError(f"The network of {found.card.id!r} differs from the other parent's.")
        _load(net, found)
    return net


def _load(net: nn.Module, found: Found) -> None:
    path = found.folder / WEIGHTS_FILE
    try:
        stored = load_file(path)
        beside = (STATISTICS, TEMPLATE)
        weights = {name: w.float() for name, w in stored.items() if not name.startswith(beside)}
        net.load_state_dict(weights, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RecipeError(f"{path} cannot be gone on from; import the model again.") from error
