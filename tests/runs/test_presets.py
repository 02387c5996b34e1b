"""The presets, which must give sound recipes whatever is chosen."""

from dataclasses import replace
from pathlib import Path

import pytest

from stainapp.runs.methods import METHODS, MethodName, method_info
from stainapp.runs.presets import KINDS, NAMES, Kind, fine_tuned, preset
from stainapp.runs.recipe import Made, Recipe
from stainapp.runs.recipe_data import Data, Origin
from stainapp.runs.recipe_file import read_recipe, write_recipe

EACH = [(info.method, kind) for info in METHODS for kind in KINDS]


@pytest.mark.parametrize(("method", "kind"), EACH)
def test_crops_suit_the_network(method: MethodName, kind: Kind) -> None:
    chosen = preset(method, kind)

    network = chosen.network
    multiple = 2**network.downs if network.family == "unet" else 4
    assert chosen.tile_px % multiple == 0


@pytest.mark.parametrize(("method", "kind"), EACH)
def test_each_preset_survives_being_written_and_read(
    method: MethodName, kind: Kind, tmp_path: Path
) -> None:
    chosen, pairing = preset(method, kind), method_info(method).pairings[0]
    recipe = Recipe(
        method=method,
        model=Made(
            id="a",
            name="A",
            source_stain="H&E",
            target_stain="PAS",
            mpp=0.5,
            teacher="old" if pairing == "alone" else "",
        ),
        network=chosen.network,
        data=Data(
            pairing=pairing,
            source=(Origin(slide="phantom:he"),),
            target=() if pairing == "alone" else (Origin(slide="phantom:pas"),),
            tile_px=chosen.tile_px,
        ),
        losses=chosen.losses,
        training=chosen.training,
    )

    write_recipe(recipe, tmp_path / "recipe.toml")

    assert read_recipe(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize("method", [info.method for info in METHODS])
def test_longer_presets_see_more_and_have_wider_networks(method: MethodName) -> None:
    quick, overnight, full = (preset(method, kind) for kind in KINDS)

    images = [one.training.images for one in (quick, overnight, full)]
    channels = [one.network.ngf for one in (quick, overnight, full)]
    assert images == sorted(set(images))
    assert channels == sorted(set(channels))


def test_every_kind_has_a_name_and_one_sentence() -> None:
    for method, kind in EACH:
        words = preset(method, kind).when
        assert words.endswith(".")
        assert words.count(". ") == 0
        assert NAMES[kind]


@pytest.mark.parametrize(("method", "kind"), EACH)
def test_validations_come_several_times_in_each_run(method: MethodName, kind: Kind) -> None:
    training = preset(method, kind).training

    assert training.images >= 5 * training.validate_every
    assert training.validate_every >= training.checkpoint_every


def test_going_on_from_a_model_is_slower_and_ends_by_itself() -> None:
    training = preset("cyclegan", "overnight").training

    tuned = fine_tuned(training)

    assert tuned.rate < training.rate
    assert tuned.early_stop > 0
    assert tuned.freeze_discriminator > 0
    assert (
        replace(
            tuned,
            rate=training.rate,
            early_stop=training.early_stop,
            freeze_discriminator=training.freeze_discriminator,
        )
        == training
    )
