"""From a generator to a model folder: what training exports is what the viewer opens."""

import errno
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from stainapp import __version__
from stainapp.models import mixture, networks, slide_norm
from stainapp.models.bridge import applied
from stainapp.models.card import WEIGHTS_FILE, Arch, Bridge, ModelCard, sha256_of
from stainapp.models.network_stainer import STATISTICS, TEMPLATE
from stainapp.models.stainer import Tiles
from stainapp.runs.methods import method_info
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import RECIPE_FILE, portable, write_recipe
from training.limits import limits_of
from training.swap import swap
from training.teacher import facts_of, sees_grey, taught_by
from training.tensors import from_network, to_network

JUDGE_FILE = "judge.safetensors"
HEADS_FILE = "heads.safetensors"
HALF_TOLERANCE = 1
"""Grey levels that storing weights as fp16 may move any pixel of the training tiles."""
NORM_MODES: Mapping[str, Literal["frozen", "batch", "none"]] = {
    "instance": "frozen",
    "batch": "batch",
    "none": "none",
}


def model_ids(recipe: Recipe) -> dict[str, str]:
    """Return the ids of what a recipe makes, by direction."""
    made = recipe.model
    ids = {"forward": made.id}
    if method_info(recipe.method).both_ways:
        ids["inverse"] = made.inverse_id or f"{made.id}-back"
    return ids


@dataclass(frozen=True)
class Taught:
    """What was learnt in one direction."""

    direction: str
    """"forward" or "inverse"."""
    weights: Mapping[str, Tensor]
    """The generator's, averaged."""
    tiles: Tiles
    """(N, H, W, 3) of what was learnt from, to take norm statistics from."""
    judge: Mapping[str, Tensor] = field(default_factory=dict)
    """The discriminator's, with which fine-tuning begins; none where there is none."""
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    """Of what describes patches; the same."""
    template: Tiles | None = None
    """The same of the stain that is made, whose colours a normaliser keeps."""


def export(
    folder: Path, recipe: Recipe, arch: Arch, taught: Taught, facts: Mapping[str, Any]
) -> ModelCard:
    """Write a model folder below ``folder``, replacing one of the same name as a whole.

    Args:
        folder: the parent of the model's folder.
        recipe: says what is made.
        arch: the generator's shape.
        taught: one direction of it.
        facts: what else the card's ``training`` says.

    Raises:
        OSError: it cannot be written.
    """
    model_id = model_ids(recipe)[taught.direction]
    stored, half = _stored(arch, taught, recipe)
    draft = folder / f".{model_id}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _save(stored, draft / WEIGHTS_FILE)
    for weights, file in ((taught.judge, JUDGE_FILE), (taught.heads, HEADS_FILE)):
        if weights:
            _save({k: w.detach().half().cpu() for k, w in weights.items()}, draft / file)
    write_recipe(portable(recipe), draft / RECIPE_FILE)
    files = {path.name: sha256_of(path) for path in sorted(draft.iterdir())}
    parameters = sum(w.numel() for w in taught.weights.values())
    facts = {**facts, "weights": "fp16" if half else "fp32"}
    card = _card(recipe, taught.direction, arch, files, parameters, facts)
    card.write(draft)
    swap(draft, folder / model_id)
    return card


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:  # such as on a full disk
        raise OSError(errno.EIO, str(error)) from error


def _stored(arch: Arch, taught: Taught, recipe: Recipe) -> tuple[dict[str, Tensor], bool]:
    """Return what goes into the weights file, and whether fp16 was good enough for it."""
    x = to_network(taught.tiles, "cpu", grey=sees_grey(recipe))
    goal = None if taught.template is None else to_network(taught.template, "cpu")
    full = {name: w.detach().float().cpu().contiguous() for name, w in taught.weights.items()}
    bridge = _bridge(recipe, arch)
    exact, statistics = _run(arch, full, x, goal, bridge)
    if not recipe.model.half:
        return {**full, **statistics}, False
    half = {name: w.half() for name, w in full.items()}
    rounded, coarse = _run(arch, {name: w.float() for name, w in half.items()}, x, goal, bridge)
    off = np.abs(exact.astype(np.int16) - rounded).max()
    if off > HALF_TOLERANCE:
        return {**full, **statistics}, False
    return {**half, **coarse}, True


@torch.inference_mode()
def _run(
    arch: Arch, weights: dict[str, Tensor], x: Tensor, goal: Tensor | None, bridge: Bridge | None
) -> tuple[Tiles, dict[str, Tensor]]:
    """Return what a generator makes of tiles, and the statistics it took on the way."""
    net = networks.build(arch)
    net.load_state_dict(weights, strict=True)
    net = slide_norm.freeze_norms(net).eval()
    found = {}
    if arch.family == "dcgmm" and goal is not None:
        found = {TEMPLATE + name: a for name, a in mixture.take_template(net, goal).items()}
    with slide_norm.calibrating(net):
        made = from_network(applied(net, x, bridge))
    found |= {STATISTICS + name: array for name, array in slide_norm.statistics(net).items()}
    return made, {name: torch.from_numpy(array) for name, array in found.items()}


def _bridge(recipe: Recipe, arch: Arch) -> Bridge | None:
    return recipe.bridge if arch.of_bridge else None


def _card(
    recipe: Recipe,
    direction: str,
    arch: Arch,
    files: Mapping[str, str],
    parameters: int,
    facts: Mapping[str, Any],
) -> ModelCard:
    made, ids = recipe.model, model_ids(recipe)
    forward = direction == "forward"
    stains = (made.source_stain, made.target_stain)
    bridge = _bridge(recipe, arch)
    tile, halo, multiple, blend = networks.tiling(arch, bridge.nfe if bridge else 1)
    back = ids.get("inverse" if forward else "forward")
    teacher = taught_by(recipe)
    limits = made.limits or limits_of(recipe, arch, teacher)
    name = made.name if forward else made.inverse_name or f"{stains[1]} to {stains[0]} ({made.id})"
    return ModelCard(
        id=ids[direction],
        name=name,
        method=recipe.method,
        arch=arch,
        bridge=bridge,
        source_stain=stains[0] if forward else stains[1],
        target_stain=stains[1] if forward else stains[0],
        tissue=made.tissue,
        mpp=None if arch.family == "pixel" else made.mpp,
        tile=tile,
        halo=halo,
        multiple=multiple,
        blend=blend,
        grey_input=sees_grey(recipe),
        norm_mode="frozen" if arch.family == "dcgmm" else NORM_MODES[arch.norm],
        background=made.background,
        files=files,
        parameters=parameters,
        inverse=back,
        training={
            "method": recipe.method,
            "seed": recipe.seed,
            "parent": (made.parent if forward else made.inverse_parent) or None,
            "pairing": recipe.data.pairing,
            "program": f"stainapp {__version__}",
            "torch": torch.__version__,
            **({"teacher": facts_of(teacher)} if teacher else {}),
            **facts,
        },
        licence=made.licence or (teacher.licence if teacher else ""),
        citation=(
            method_info(recipe.method).citation,
            *made.citation,
            *(teacher.citation if teacher else ()),
        ),
        limits=limits if forward else made.inverse_limits or limits,
        created=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    )
