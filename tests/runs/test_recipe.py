"""Recipes: strict, complete, and found wherever their files lie."""

import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from stainapp.errors import RecipeError
from stainapp.runs.methods import METHODS, MethodInfo
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import located, portable, read_recipe, recipe_from, write_recipe
from stainapp.runs.recipe_losses import Losses, losses_of

GOOD: dict[str, Any] = {
    "method": "cyclegan",
    "model": {"id": "a", "name": "A", "source_stain": "H&E", "target_stain": "PAS", "mpp": 0.5},
    "network": {"family": "resnet"},
    "data": {
        "pairing": "unpaired",
        "source": [{"slide": "phantom:he"}],
        "target": [{"slide": "sample:ihc"}],
    },
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """Return the good values with one of them changed, by a path such as "model.id"."""
    values = copy.deepcopy(GOOD)
    *tables, name = place.split(".")
    at: Any = values
    for table in tables:
        at = at[0] if isinstance(at, list) else at.setdefault(table, {})
    if value is None:
        del at[name]
    else:
        at[name] = value
    return values


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("schema", "stainapp.recipe/9", "schema is 'stainapp.recipe/9', and this program reads"),
        ("metod", "x", "unknown field 'metod'"),
        ("model.nam", "x", "model: unknown field 'nam'"),
        ("training.rates", 1, "training: unknown field 'rates'"),
        ("data.source.0.pices", [1], "data, source 1: unknown field 'pices'"),
        ("method", None, "the field 'method' is missing"),
        ("model.id", None, "model: the field 'id' is missing"),
        ("method", "stylegan", "method cannot be 'stylegan'"),
        ("model.mpp", "0.5", "model: mpp cannot be '0.5'"),
        ("training.images", 1.5, "training: images cannot be 1.5"),
        ("seed", -1, "seed cannot be -1"),
        ("model.id", "My model", "model: id cannot be 'My model'"),
        ("model.id", "../a", "model: id cannot be '../a'"),
        ("model.inverse_id", "a", "model: inverse_id is the id"),
        ("model.inverse_id", "B!", "model: inverse_id cannot be 'B!'"),
        ("model.name", " ", "model: name is empty"),
        ("model.source_stain", "", "model: source_stain is empty"),
        ("model.target_stain", "", "model: target_stain is empty"),
        ("model.mpp", 0, "model: mpp cannot be 0"),
        ("model.mpp", -0.5, "model: mpp cannot be -0.5"),
        ("model.mpp", float("nan"), "model: mpp cannot be nan"),
        ("network.ngf", 0, "network: ngf cannot be 0"),
        ("network.in_channels", 1, "network: in_channels and out_channels are 3"),
        ("network.blocks", -1, "network: blocks cannot be -1"),
        ("network.downs", 0, "network: downs cannot be 0"),
        ("data.tile_px", 0, "data: tile_px cannot be 0"),
        ("data.tile_px", 130, "data: tile_px cannot be 130; choose a multiple of 4"),
        ("data.validation_px", -256, "data: validation_px cannot be -256"),
        ("data.min_tissue", 1.1, "data: min_tissue cannot be 1.1"),
        ("data.validation_share", 0.0, "data: validation_share cannot be 0"),
        ("data.validation_share", 1.0, "data: validation_share cannot be 1"),
        ("data.validation_tiles", 0, "data: validation_tiles cannot be 0"),
        ("data.root", "x", "data: must name exactly one of .* it names source and target, root"),
        ("data.source", [], "data: unpaired data needs both source and target"),
        ("data.pairing", "self", "data: data that is its own pair needs one stain"),
        ("data.source.0.folder", "x", "data.source 1: names no place, or two"),
        ("data.source", [{"folder": "x", "pieces": [1]}], "data.source 1: .* leave them out"),
        ("data.source.0.only", ["x"], "data.source 1: only chooses among regions"),
        ("data.source.0.pieces", [0], "data.source 1: pieces are counted from 1"),
        ("data.source.0.areas", [[0, 0, 0, 9]], "data.source 1: areas must be x, y, width"),
        ("data.target.0.mpp", 0.0, "data.target 1: mpp cannot be 0"),
        ("losses.cycle", -1, "losses: cycle cannot be -1"),
        ("losses.l1", float("inf"), "losses: l1 cannot be inf"),
        ("losses.pyramid_octaves", 6, "losses: pyramid_octaves cannot be 6"),
        ("losses.temperature", 0, "losses: temperature cannot be 0"),
        ("losses.patches", 1, "losses: patches cannot be 1; choose 2"),
        ("training.batch", 0, "training: batch cannot be 0"),
        ("training", {"images": 3, "batch": 4}, "training: images is 3, fewer than a batch"),
        ("training.constant_images", -1, "training: constant_images cannot be -1"),
        ("training.rate", 0.0, "training: rate cannot be 0"),
        ("training.judge_images", 0, "training: judge_images cannot be 0"),
        ("model.background", "white", "model: background cannot be 'white'"),
        ("training.betas", [0.5, 1.0], r"training: betas cannot be \[0.5, 1.0\]"),
        ("training.betas", [0.5], r"training: betas cannot be \[0.5\]"),
        ("training.ema", 1.0, "training: ema cannot be 1"),
        ("training.pool", -1, "training: pool cannot be -1"),
        ("training.ndf", 0, "training: ndf cannot be 0"),
        ("training.freeze_discriminator", 9, "training: freeze_discriminator cannot be 9"),
        ("training.density_jitter", 0.9, "training: density_jitter cannot be 0.9"),
        ("training.early_stop", -1, "training: early_stop cannot be -1"),
        ("training.validate_every", 0, "training: validate_every cannot be 0"),
        ("training.checkpoint_every", 0, "training: checkpoint_every cannot be 0"),
        ("losses.mse", -1, "losses: mse cannot be -1"),
        ("losses.glass_weight", 0, "losses: glass_weight cannot be 0"),
        ("losses.tissue_density", 3, "losses: tissue_density cannot be 3"),
        ("losses.histogram", -1, "losses: histogram cannot be -1"),
        ("losses.histogram_bins", 1, "losses: histogram_bins cannot be 1"),
        ("losses.histogram_bandwidth", 0, "losses: histogram_bandwidth cannot be 0"),
        ("method", "pix2pix", "pix2pix does not learn from unpaired data"),
        ("method", "asp", "asp does not learn from unpaired data; .* or method to cut"),
        ("model.teacher", "macenko", "cyclegan has no teacher; leave out model.teacher"),
        ("losses.style", -1.0, "losses: style cannot be -1"),
    ],
)
def test_each_wrong_value_is_named_in_one_sentence(
    tmp_path: Path, place: str, value: Any, words: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(tomli_w.dumps(changed(place, value)), encoding="utf-8")

    with pytest.raises(RecipeError, match=words) as refused:
        read_recipe(path)

    message = str(refused.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert ". " not in message.removeprefix(str(path))


@pytest.mark.parametrize("info", METHODS)
def test_what_a_recipe_does_not_say_of_its_losses_is_as_in_the_methods_paper(
    info: MethodInfo,
) -> None:
    alone = info.pairings[0] == "alone"
    data = {"pairing": info.pairings[0], "source": [{"slide": "a"}]}
    data |= {} if alone else {"target": [{"slide": "b"}]}
    network = asdict(preset(info.method, "quick").network)
    model = {**GOOD["model"], **({"teacher": "macenko"} if alone else {})}
    values = {**GOOD, "method": info.method, "model": model, "data": data, "network": network}

    nothing, part = (
        recipe_from({**values, **more}, "a test").losses
        for more in ({}, {"losses": {"adversarial": 3.0}})
    )

    paper = losses_of(info.method)
    assert nothing == paper == preset(info.method, "full").losses
    assert part == replace(paper, adversarial=3.0)
    for name, value in info.losses.items():
        assert getattr(paper, name) == value


def test_a_recipe_made_without_losses_has_those_of_its_method() -> None:
    recipe = recipe_from({**GOOD, "method": "fastcut"}, "a test")

    made = Recipe(method="fastcut", model=recipe.model, network=recipe.network, data=recipe.data)

    assert made == recipe
    assert made.losses != Losses()


def test_tiles_too_small_for_the_octaves_are_refused() -> None:
    values = changed("losses", {"pyramid_octaves": 5})
    values["data"]["tile_px"] = 16

    with pytest.raises(RecipeError, match=r"tiles of 16 px cannot be halved 5 times; lower"):
        recipe_from(values, "a test")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"pairing": "paired", "source": [{"slide": "a"}], "target": []}, "there are 1 and 0"),
        ({"pairing": "paired", "root": "a"}, "not paired by the order"),
        (
            {"pairing": "paired", "source": [{"folder": "a"}], "target": [{"folder": "b"}]},
            "not paired by the order",
        ),
        ({"pairing": "paired"}, "it names none"),
        ({"pairing": "alone", "target": [{"slide": "b"}]}, "a teacher makes the target"),
        ({"pairing": "alone", "source": [], "npz": "a"}, "name slides as source"),
        ({"pairing": "alone", "source": [{"folder": "a"}]}, "name slides as source"),
        ({"pairing": "paired", "npz": "a", "manifest": "b"}, "it names manifest, npz"),
    ],
)
def test_places_that_contradict_each_other_are_refused(data: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe_from({**GOOD, "method": "pix2pix", "data": data}, "recipe.toml")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), (b"method = ", "is no TOML"), (b"\xff\xfe", "is no TOML")],
)
def test_a_file_that_is_no_recipe_is_named(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RecipeError, match=rf"recipe\.toml {words}"):
        read_recipe(path)


def test_files_are_looked_for_beside_the_recipe_and_then_below_the_data(tmp_path: Path) -> None:
    beside, below = tmp_path / "recipes", tmp_path / "data"
    for folder in (beside, below):
        folder.mkdir()
        (folder / "both.svs").touch()
    (below / "b.svs").touch()
    values = changed("data.source.0.slide", "both.svs")
    values["data"]["target"] = [{"slide": "b.svs", "regions": "both.svs"}]
    path = beside / "recipe.toml"
    path.write_text(tomli_w.dumps(values))

    recipe = read_recipe(path, below)

    assert recipe.data.source[0].slide == str(beside / "both.svs")
    assert recipe.data.target[0].slide == str(below / "b.svs")
    assert recipe.data.target[0].regions == str(beside / "both.svs")


def test_a_distillation_without_a_teacher_is_told_what_it_needs() -> None:
    data = {"pairing": "alone", "source": [{"slide": "a"}]}

    with pytest.raises(RecipeError, match=r"distil needs a teacher; set model\.teacher to"):
        recipe_from({**GOOD, "method": "distil", "data": data}, "recipe.toml")


def test_a_recipe_that_travels_names_its_teacher_and_not_where_that_lay() -> None:
    values = {
        **GOOD,
        "method": "distil",
        "model": {**GOOD["model"], "teacher": "/a patient/he-to-pas"},
        "data": {"pairing": "alone", "source": [{"slide": "a"}]},
    }

    assert portable(recipe_from(values, "recipe.toml")).model.teacher == "he-to-pas"


def test_a_file_in_neither_folder_is_named_with_both(tmp_path: Path) -> None:
    recipe = recipe_from(changed("data.source.0.slide", "gone.svs"), "recipe.toml")

    with pytest.raises(RecipeError, match=r"names gone\.svs, which is not in /one or /two"):
        located(recipe, Path("/one"), Path("/two"))


def test_an_absolute_path_that_is_gone_is_looked_for_in_the_data_alone(tmp_path: Path) -> None:
    recipe = recipe_from(changed("data.source.0.slide", "/no/a.svs"), "recipe.toml")
    beside, data = tmp_path / "recipes", tmp_path / "data"
    for folder in (beside, data):
        folder.mkdir()
    (beside / "a.svs").touch()

    with pytest.raises(RecipeError, match=r"names /no/a\.svs, which does not exist; correct"):
        located(recipe, beside)
    with pytest.raises(RecipeError, match=r"does not exist and is not in .*data; correct"):
        located(recipe, beside, data)
    (data / "a.svs").touch()
    assert located(recipe, beside, data).data.source[0].slide == str(data / "a.svs")


def test_made_up_slides_are_no_paths(tmp_path: Path) -> None:
    recipe = recipe_from(GOOD, "recipe.toml")

    assert located(recipe, tmp_path) == recipe
    assert portable(recipe) == recipe


@pytest.mark.parametrize("key", ["root", "aligned", "manifest", "npz"])
def test_files_and_folders_of_all_kinds_are_found(tmp_path: Path, key: str) -> None:
    (tmp_path / "there").touch()
    values = {**GOOD, "data": {"pairing": "unpaired", key: "there"}}

    recipe = located(recipe_from(values, "recipe.toml"), tmp_path)

    assert getattr(recipe.data, key) == str(tmp_path / "there")
    assert getattr(portable(recipe).data, key) == "there"


def test_what_is_written_states_every_value_and_reads_as_the_same(tmp_path: Path) -> None:
    recipe = recipe_from(changed("training.betas", [0.4, 0.99]), "recipe.toml")

    write_recipe(recipe, tmp_path / "recipe.toml")

    assert read_recipe(tmp_path / "recipe.toml") == recipe
    text = (tmp_path / "recipe.toml").read_text()
    assert "density_jitter" in text
    assert "checkpoint_every" in text
