"""From what the dialog was told to a recipe, and the amounts in its words."""

from dataclasses import replace
from pathlib import Path

import pytest

from stainapp.errors import TrainingError
from stainapp.runs.folder import RunFolder
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Made
from stainapp.runs.recipe_data import Volumes
from stainapp.session.geojson import read_geojson
from stainapp.session.regions import Region
from stainapp.ui.train_wish import (
    FileWish,
    OriginWish,
    Values,
    Wish,
    check_paths,
    fine_tuned_values,
    problems,
    recipe_of,
    suggested_id,
    write_run,
)
from stainapp.ui.train_words import bytes_words, duration_words

VALUES = Values.of(preset("cyclegan", "quick"))
FAKE = OriginWish("phantom:pas")
MADE = Made(
    id="he-to-pas",
    name="H&E to PAS",
    source_stain="H&E",
    target_stain="PAS",
    mpp=0.5,
    inverse_id="pas-to-he",
)
WISH = Wish(
    "cyclegan",
    "unpaired",
    MADE,
    VALUES,
    OriginWish("phantom:he"),
    OriginWish("phantom:pas", mpp=0.25),
)


def test_a_sound_wish_has_no_problems() -> None:
    assert problems(WISH, {"macenko"}) == {}


def test_each_missing_slide_is_told_at_its_place() -> None:
    assert set(problems(replace(WISH, source=None), ())) == {"source"}
    assert set(problems(replace(WISH, target=None), ())) == {"target"}
    assert set(problems(replace(WISH, files=FileWish("root", "")), ())) == {"files"}
    assert problems(replace(WISH, source=None, pairing="self"), ()) == {}
    taught = replace(WISH, target=None, pairing="alone", model=replace(MADE, teacher="old"))
    assert problems(taught, ()) == {}
    assert "as teacher" in problems(replace(taught, model=MADE), ())["model"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "macenko"}, "is there already"),
        ({"inverse_id": "macenko"}, "is there already"),
        ({"id": "Ha ha"}, "is no id"),
        ({"id": "../up"}, "is no id"),
        ({"inverse_id": "he-to-pas"}, "two ids"),
        ({"target_stain": " "}, "Name both stains"),
        ({"mpp": 0.0}, "µm per pixel"),
    ],
)
def test_an_impossible_model_is_told_in_one_sentence(
    changes: dict[str, object], words: str
) -> None:
    made = replace(MADE, **changes)  # type: ignore[arg-type] # as parametrised

    found = problems(replace(WISH, model=made), {"macenko"})

    assert words in found["model"]


def test_regions_drawn_here_are_written_beside_the_recipe(tmp_path: Path) -> None:
    drawn = (Region.rectangle(10, 20, 300, 400, name="crypts"),)
    source = OriginWish("phantom:he", regions=drawn)

    run = write_run(replace(WISH, source=source), tmp_path / "run")

    origin = run.recipe().data.source[0]
    assert Path(origin.regions).parent == run.path
    assert [region.name for region in read_geojson(Path(origin.regions))] == ["crypts"]
    assert run.recipe().data.target[0].mpp == 0.25


def test_a_run_folder_can_be_moved_with_its_regions(tmp_path: Path) -> None:
    drawn = (Region.rectangle(10, 20, 300, 400),)
    wish = replace(WISH, source=OriginWish("phantom:he", regions=drawn), target=FAKE)

    run = write_run(wish, tmp_path / "run")
    run.path.rename(tmp_path / "moved")

    regions = RunFolder(tmp_path / "moved").recipe().data.source[0].regions
    assert regions == str(tmp_path / "moved" / "source.geojson")


def test_grey_to_colour_needs_one_slide_and_names_it_as_target(tmp_path: Path) -> None:
    wish = replace(WISH, method="pix2pix", pairing="self", source=None)

    data = write_run(wish, tmp_path / "run").recipe().data

    assert data.source == ()
    assert data.target[0].slide == "phantom:pas"


@pytest.mark.parametrize("kind", ["root", "aligned", "manifest", "npz"])
def test_files_take_the_place_of_slides(kind: str, tmp_path: Path) -> None:
    (tmp_path / "tiles").mkdir()
    tiles = str(tmp_path / "tiles")
    files = FileWish(kind, tiles, swap=True)  # type: ignore[arg-type] # as parametrised
    wish = replace(WISH, source=None, target=None, files=files)

    data = write_run(wish, tmp_path / "run").recipe().data

    assert getattr(data, kind) == tiles
    assert data.swap
    assert data.source == data.target == ()


def test_volumes_take_the_place_of_slides_with_how_they_are_read(tmp_path: Path) -> None:
    wish = replace(WISH, method="unet", pairing="paired", source=None, target=None)
    two = FileWish("volumes", "he.zarr", target="all.h5::stains/pas")
    values = replace(VALUES, volumes=Volumes(chunks_held=3))

    data = recipe_of(replace(wish, files=two, values=values)).data
    one = recipe_of(replace(wish, pairing="self", files=FileWish("volume", "he.zarr"))).data

    assert (data.volume_source, data.volume_target) == ("he.zarr", "all.h5::stains/pas")
    assert data.volumes.chunks_held == 3
    assert (one.volume_source, one.volume_target) == ("", "he.zarr")
    assert not [wrong for told in (data, one) for wrong in told.problems() if wrong[0]]


def test_two_volumes_are_asked_for_where_two_are_needed() -> None:
    wish = replace(WISH, method="unet", pairing="paired", source=None, target=None)

    assert "files" in problems(replace(wish, files=FileWish("volumes", "he.zarr")), ())
    assert "files" not in problems(replace(wish, files=FileWish("volume", "he.zarr")), ())


def test_a_volume_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "he.h5").touch()
    there, gone = f"{tmp_path / 'he.h5'}::he", f"{tmp_path / 'pas.h5'}::pas"

    with pytest.raises(TrainingError, match=r"pas\.h5 does not exist"):
        check_paths(
            replace(WISH, source=None, target=None, files=FileWish("volumes", there, target=gone))
        )


def test_a_parent_brings_its_own_network(tmp_path: Path) -> None:
    wish = replace(WISH, model=replace(MADE, parent="old"))

    assert write_run(wish, tmp_path / "run").recipe().network is None
    assert write_run(WISH, tmp_path / "other").recipe().network == VALUES.network


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(TrainingError, match="cannot be written"):
        write_run(WISH, tmp_path / "file" / "run")


def test_choosing_a_parent_slows_down_and_leaving_it_speeds_up() -> None:
    chosen = preset("cyclegan", "quick")

    tuned = fine_tuned_values(VALUES, on=True, preset=chosen)

    assert tuned.training.rate < VALUES.training.rate
    assert fine_tuned_values(tuned, on=False, preset=chosen) == VALUES


def test_ids_are_made_of_the_stains() -> None:
    assert suggested_id("H&E", "PAS") == "he-to-pas"
    assert suggested_id("HER2 IHC", "***") == "her2-ihc-to-stain"


def test_times_and_amounts_are_said_as_people_do() -> None:
    assert [duration_words(s) for s in (0.2, 45, 600, 12_100, 500_000)] == [
        "1 s",
        "45 s",
        "10 min",
        "3 h 22 min",
        "5.8 days",
    ]
    assert [bytes_words(b) for b in (4e3, 3.1e8, 2.34e9, 4.2e10)] == [
        "4 kB",
        "310 MB",
        "2.3 GB",
        "42 GB",
    ]
