"""Targets that a model makes: as the viewer shows them, whatever the model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainapp.errors import RecipeError
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import ModelCard
from stainapp.models.opening import open_stainer
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.runs.recipe import Made, Recipe
from stainapp.runs.recipe_data import Data
from tests.models.factories import MODELS, tissue_image
from tests.training.pictures import slide, write
from training.datasets import Dataset
from training.evaluation import LEARNT
from training.teacher import Teacher, sees_grey


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("slide") / "tissue.png", tissue_image(700, 600))


def asked(picture: Path, teacher: str, **changes: Any) -> Recipe:
    made: dict[str, Any] = {"source_stain": "H&E", "target_stain": "PAS", "mpp": 0.5, **changes}
    return Recipe(
        method="distil",
        model=Made(id="a", name="A", teacher=teacher, **made),
        data=Data(
            pairing="alone",
            source=slide(picture),
            tile_px=64,
            validation_px=64,
            validation_tiles=4,
            min_tissue=0.2,
        ),
    )


@pytest.mark.parametrize("background", ["pass", "model"])
@pytest.mark.parametrize("name", ["macenko", "resnet", "resunet", "pixel"])
def test_a_target_is_what_the_viewer_shows_there(
    name: str, background: str, picture: Path, tmp_path: Path
) -> None:
    folder = MODELS[name](tmp_path / name)
    replace(ModelCard.read(folder), background=background).write(folder)  # type: ignore[arg-type] # as parametrised
    recipe = asked(picture, str(folder))
    data = Dataset(recipe, device="cpu")
    field = data.source_fields[0]
    stainer = open_stainer(folder, device="cpu", precision="fp32")
    shown = VirtualSlide(field.reader, stainer, calibrate_slide(field.reader, stainer))

    places = ((190, 200), (331, 147), (402, 255))  # in step with the network's grid, and not
    targets = [Teacher(recipe, "cpu").target(field, i, j, 64) for i, j in places]

    for (i, j), target in zip(places, targets, strict=True):
        seen = shown.read(i, j, 0, 64, 64)
        assert np.ptp(seen) > 20
        assert np.abs(target.astype(int) - seen).max() <= 1
    shown.close()
    data.close()


def test_a_network_that_blends_its_tiles_sees_this_one_alone(picture: Path, tmp_path: Path) -> None:
    folder = MODELS["unet"](tmp_path / "unet")
    recipe = asked(picture, str(folder))
    data = Dataset(recipe, device="cpu")
    field = data.source_fields[0]

    target = Teacher(recipe, "cpu").target(field, 201, 203, 64)

    assert target.shape == (64, 64, 3)
    data.close()


def test_each_tile_comes_with_what_the_teacher_makes_of_it_and_no_jitter(picture: Path) -> None:
    recipe = asked(picture, "macenko", target_stain="H&E")
    recipe = replace(recipe, training=replace(recipe.training, turns=False, density_jitter=0.3))
    teacher, data = Teacher(recipe, "cpu"), Dataset(recipe, device="cpu")

    batch, judged = data.batch(0, 3), data.judge_tiles()
    learnt = data.learnt_tiles(LEARNT)

    state = teacher._state(data.source_fields[0].reader)
    for source, target in [
        *zip(batch.source, batch.target, strict=True),
        *zip(judged.source, judged.target, strict=True),
        *zip(*learnt, strict=True),
    ]:
        stained = teacher._stainer.predict(source[None], state)[0]
        bare = (np.abs(target.astype(int) - source) <= 1).all(axis=-1)
        # where glass is handed through, source and stained are mixed
        assert np.median(np.abs(stained.astype(int) - target)[~bare]) <= 1
    assert data.taught
    data.close()


@pytest.mark.parametrize(
    ("teacher", "changes", "words"),
    [
        ("he-to-nowhere", {}, "The teacher cannot be used: No model is called 'he-to-nowhere'"),
        ("macenko", {}, r"stains H&E as H&E.*set model\.target_stain to H&E"),
        ("he-to-pas-colon", {"mpp": 0.25}, r"works at 0\.5 um/px.*set model\.mpp to 0\.5"),
        ("he-to-pas-colon", {"source_stain": "DAB"}, r"set model\.source_stain to H&E"),
    ],
)
def test_a_teacher_that_does_not_go_with_the_recipe_is_refused_in_one_sentence(
    teacher: str, changes: dict[str, Any], words: str, picture: Path
) -> None:
    with pytest.raises(RecipeError, match=words) as refused:
        Dataset(asked(picture, teacher, **changes), device="cpu")

    assert str(refused.value).count(". ") == 0


def test_tiles_that_a_u_net_cannot_take_are_refused_with_some_that_it_can(
    picture: Path, tmp_path: Path
) -> None:
    recipe = asked(picture, str(MODELS["unet"](tmp_path / "unet")))

    with pytest.raises(RecipeError, match=r"data\.tile_px is 96.*multiples of 64; set it to 128"):
        Dataset(replace(recipe, data=replace(recipe.data, tile_px=96)), device="cpu")


def test_who_learns_from_a_teacher_of_grey_sees_grey(picture: Path) -> None:
    grey = asked(picture, "grey-to-he", source_stain="grey", target_stain="H&E")

    assert sees_grey(grey)
    assert not sees_grey(asked(picture, "he-to-pas-colon"))
