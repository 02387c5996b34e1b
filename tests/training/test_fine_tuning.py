"""Going on from a model: its generator, its discriminator, and what of them does not learn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stainapp.errors import RecipeError
from stainapp.models.card import Arch
from stainapp.runs.methods import METHODS
from stainapp.runs.recipe import Recipe
from tests.models.factories import classic_model, network_model
from tests.training.methods import images, method_of, weights
from tests.training.recipes import SMALL_RESNET, small
from training.export import JUDGE_FILE, Taught, export
from training.method import JUDGES

NAMES = [info.method for info in METHODS]
JUDGED = [info.method for info in METHODS if info.judged_channels]


def exported(kind: Any, folder: Path) -> Recipe:
    """Teach a little, export it, and return a recipe that goes on from there."""
    recipe = small(kind)
    method = method_of(recipe)
    method.step(images())
    tiles = np.random.default_rng(0).integers(0, 255, (2, 48, 48, 3), np.uint8)
    for direction, net in method.generators.items():
        net_of_judge = method.networks.get(JUDGES[direction])
        judge = net_of_judge.state_dict() if net_of_judge else {}
        export(folder, recipe, SMALL_RESNET, Taught(direction, net.state_dict(), tiles, judge), {})
    inverse = str(folder / "small-back") if kind == "cyclegan" else ""
    made = replace(recipe.model, parent=str(folder / "small"), inverse_parent=inverse, id="tuned")
    return replace(recipe, model=made, network=None)


@pytest.mark.parametrize("kind", NAMES)
def test_fine_tuning_begins_with_all_networks_of_the_parent(kind: Any, tmp_path: Path) -> None:
    first = method_of(small(kind))
    first.step(images())

    tuned = method_of(exported(kind, tmp_path))

    before, after = weights(first), weights(tuned)
    assert before.keys() == after.keys()
    for key, value in before.items():  # stored as fp16
        torch.testing.assert_close(after[key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", JUDGED)
def test_the_frozen_layers_of_a_discriminator_keep_their_weights_and_the_others_do_not(
    kind: Any, tmp_path: Path
) -> None:
    recipe = exported(kind, tmp_path)
    method = method_of(replace(recipe, training=replace(recipe.training, freeze_discriminator=2)))
    before = weights(method)

    for number in range(2):
        method.step(images(number))

    after = weights(method)
    convolutions = [k for k in before if k.startswith("judge-target") and k.endswith("weight")]
    changed = [not torch.equal(before[key], after[key]) for key in convolutions]
    assert changed == [False, False, True, True, True]


def test_a_discriminator_drawn_anew_is_not_frozen(tmp_path: Path) -> None:
    recipe = exported("pix2pix", tmp_path)
    (tmp_path / "small" / JUDGE_FILE).unlink()
    method = method_of(replace(recipe, training=replace(recipe.training, freeze_discriminator=2)))
    before = weights(method)

    method.step(images())

    after = weights(method)
    assert not torch.equal(
        before["judge-target.model.0.weight"], after["judge-target.model.0.weight"]
    )


def test_a_parent_without_a_network_is_refused(tmp_path: Path) -> None:
    parent = classic_model(tmp_path / "macenko", "macenko")
    recipe = small()
    recipe = replace(recipe, network=None, model=replace(recipe.model, parent=str(parent)))

    with pytest.raises(RecipeError, match="no network to go on from"):
        method_of(recipe)


def test_a_parent_of_another_scale_is_refused_with_its_own(tmp_path: Path) -> None:
    parent = network_model(tmp_path / "fine", SMALL_RESNET, mpp=0.25)
    recipe = small()
    recipe = replace(recipe, network=None, model=replace(recipe.model, parent=str(parent)))

    with pytest.raises(RecipeError, match=r"set model\.mpp to 0\.25"):
        method_of(recipe)


def test_a_network_other_than_the_parents_is_refused(tmp_path: Path) -> None:
    parent = network_model(tmp_path / "half", SMALL_RESNET, mpp=0.5)
    recipe = small(network=Arch(family="resnet", blocks=2, ngf=4))
    recipe = replace(recipe, model=replace(recipe.model, parent=str(parent)))

    with pytest.raises(RecipeError, match=r"leave \[network\] out"):
        method_of(recipe)


def test_a_parent_that_is_not_there_is_named() -> None:
    recipe = small()
    recipe = replace(recipe, network=None, model=replace(recipe.model, parent="he-to-nowhere"))

    with pytest.raises(RecipeError, match="he-to-nowhere"):
        method_of(recipe)
