"""Pairs cut through a transform: what is registered badly is left out, and counted."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainapp.errors import RecipeError
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Origin
from stainapp.slides.opening import open_slide
from tests.registration.frames import turned
from tests.training.pictures import recipe, write
from training.datasets import Dataset
from training.rooms import SOURCE

FIXED, SAME, SIDE = "phantom:he:1500:1", "phantom:pas:1500:1", 64
GOOD_UM, BAD_UM = 2.0, 40.0


def transform(below: float = GOOD_UM, moving: str = SAME) -> Transform:
    """Return the identity, whose error is small above and as said below the middle."""
    with closing(open_slide(FIXED)) as he, closing(open_slide(moving)) as pas:
        found = Transform.identity(he.info, pas.info)
        mpp = he.info.mpp
    assert mpp is not None
    grid = Grid.covering(found.fixed.width_px, found.fixed.height_px, 50.0)
    values = np.full(grid.values.shape[:2], GOOD_UM / mpp, np.float32)
    values[len(values) // 2 :] = below / mpp
    return found.with_error(Grid(values, 50.0))


def asked(tmp_path: Path, one: Transform, **data: Any) -> Recipe:
    one.write(tmp_path / "transform.json")
    target = Origin(slide=SAME, transform=str(tmp_path / "transform.json"))
    wanted = {"tile_px": SIDE, "validation_px": SIDE, **data}
    return recipe(pairing="paired", source=(Origin(slide=FIXED),), target=(target,), **wanted)


def test_a_pair_is_the_same_whether_it_lies_there_or_is_laid_there(tmp_path: Path) -> None:
    laid = asked(tmp_path, transform())
    there = replace(laid, data=replace(laid.data, target=(Origin(slide=SAME),)))

    with closing(Dataset(laid)) as one, closing(Dataset(there)) as other:
        first, second = one.batch(0, 6), other.batch(0, 6)

    assert np.array_equal(first.source, second.source)
    assert np.abs(first.target.astype(int) - second.target).max() <= 1


def test_a_turned_section_is_cut_where_it_shows_the_same_tissue(tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    with closing(open_slide(FIXED)) as he, closing(open_slide(SAME)) as pas:
        width = pas.info.width_px
        write(path, np.rot90(pas.read(0, 0, 0, width, pas.info.height_px)))
        with closing(open_slide(str(path), mpp=pas.info.mpp)) as moving:
            straight = Transform.identity(he.info, moving.info)
    quarter = (turned(-90, (0.0, float(width))),)  # x, y lies at y, width - x
    laid = asked(tmp_path, replace(straight, pieces=quarter, error=transform().error))
    target = replace(laid.data.target[0], slide=str(path), mpp=straight.moving.mpp)
    laid = replace(laid, data=replace(laid.data, target=(target,)))
    there = replace(laid, data=replace(laid.data, target=(Origin(slide=SAME),)))

    with closing(Dataset(laid)) as one, closing(Dataset(there)) as other:
        first, second = one.batch(0, 6), other.batch(0, 6)

    assert np.array_equal(first.source, second.source)
    assert np.abs(first.target.astype(int) - second.target).mean() < 1


def test_no_tile_has_a_part_where_the_error_is_too_large_and_they_are_counted(
    tmp_path: Path,
) -> None:
    wanted = asked(tmp_path, transform(below=BAD_UM), max_error_um=10.0)
    with closing(Dataset(wanted)) as data, closing(Dataset(asked(tmp_path, transform()))) as whole:
        room = data.rooms[SOURCE, "train"]
        places = [room.draw(np.random.default_rng(n)) for n in range(200)]
        middle = data.source_fields[0].reader.info.height_px / 2
        lost, kept = data.count_far_off(), data.count_tiles("train")

        assert max(j + SIDE for _, _, j in places) * room.fields[0].scale.step < middle + 50
        assert lost > 0
        assert kept + data.count_tiles("validation") + lost == pytest.approx(
            whole.count_tiles("train") + whole.count_tiles("validation"), abs=3
        )
        assert data.facts()["tiles_left_out_as_misregistered"] == lost
        assert "tiles_left_out_as_misregistered" not in whole.facts()


def test_where_nothing_is_registered_well_enough_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="registered well enough"):
        Dataset(asked(tmp_path, transform(below=BAD_UM), max_error_um=1.0))


def test_a_registration_without_an_estimate_is_refused_unless_it_is_taken_as_it_is(
    tmp_path: Path,
) -> None:
    blind = transform().with_error(None)

    with pytest.raises(RecipeError, match="max_error_um to 0"):
        Dataset(asked(tmp_path, blind))
    with closing(Dataset(asked(tmp_path, blind, max_error_um=0.0))) as data:
        assert data.count_far_off() == 0


def test_a_transform_of_other_slides_is_named(tmp_path: Path) -> None:
    other = transform(moving="phantom:pas:1500:2")

    with pytest.raises(RecipeError, match=r"and not .* register these two"):
        Dataset(asked(tmp_path, other))


def test_a_transform_that_is_no_transform_is_named(tmp_path: Path) -> None:
    wanted = asked(tmp_path, transform())
    (tmp_path / "transform.json").write_text("{}")

    with pytest.raises(RecipeError, match=r"transform\.json"):
        Dataset(wanted)


@pytest.mark.parametrize(("pairing", "on"), [("paired", "source"), ("unpaired", "target")])
def test_a_transform_belongs_to_the_target_of_a_pair(pairing: str, on: str) -> None:
    slides = {"source": Origin(slide=FIXED), "target": Origin(slide=SAME)}
    slides[on] = replace(slides[on], transform="t.json")

    with pytest.raises(RecipeError, match="lays the target of a pair on its source"):
        recipe(pairing=pairing, source=(slides["source"],), target=(slides["target"],))
