"""Nothing that is judged by may have been learnt from."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainapp.errors import RecipeError
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Origin
from tests.training.pictures import folder, recipe, slide, slide_with_pieces, texture, write
from training.datasets import Dataset
from training.fields import Field
from training.rooms import SOURCE, TARGET

DRAWS = 10_000


@pytest.fixture(scope="module")
def tissue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide that is tissue all over."""
    return write(tmp_path_factory.mktemp("tissue") / "tissue.bmp", texture(1400, 1000, 3))


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> tuple[Origin, ...]:
    """A target that has nothing to do with any source."""
    path = write(tmp_path_factory.mktemp("far") / "far.bmp", texture(500, 400, 4))
    return slide(path)


@contextmanager
def opened(asked: Recipe) -> Iterator[Dataset]:
    data = Dataset(asked)
    try:
        yield data
    finally:
        data.close()


def rectangle(field: Field, i: int, j: int, side: int) -> tuple[float, ...]:
    step = field.scale.step
    return i * step, j * step, (i + side) * step, (j + side) * step


def common_with(learnt: np.ndarray, judged: tuple[float, ...]) -> np.ndarray:
    """Tell which rectangles (N, 4: left, top, right, bottom) share area with one."""
    left, top, right, bottom = learnt.T
    x0, y0, x1, y1 = judged
    slack = 1e-6
    inside: np.ndarray = (
        (left < x1 - slack) & (right > x0 + slack) & (top < y1 - slack) & (bottom > y0 + slack)
    )
    return inside


def assert_no_leak(data: Dataset, stain: int, draws: int = 2_000) -> None:
    rng = np.random.default_rng(1)
    side, judged_side = data._data.tile_px, data._data.validation_px
    drawn = [data.rooms[stain, "train"].draw(rng) for _ in range(draws)]
    assert {field.split for field, _, _ in drawn} == {"train"}
    learnt = np.array([rectangle(field, i, j, side) for field, i, j in drawn])
    count = 0
    for field, i, j in data.rooms[stain, "validation"].side_by_side(judged_side, 60, 0):
        assert not common_with(learnt, rectangle(field, i, j, judged_side)).any()
        count += 1
    assert count
    for field in data.fields(stain):
        if field.split == "validation":
            _assert_outside(learnt, field)


def _assert_outside(learnt: np.ndarray, field: Field) -> None:
    """No crop has any cell of the field's own region, tissue and all, below it."""
    mask = field.tissue & field.allowed
    sums = np.pad(mask.astype(int).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    at = (learnt - np.array([field.area.x, field.area.y] * 2)) / field.cell
    height, width = mask.shape
    x0, x1 = (np.floor(at[:, 0] + 1e-6), np.ceil(at[:, 2] - 1e-6))
    y0, y1 = (np.floor(at[:, 1] + 1e-6), np.ceil(at[:, 3] - 1e-6))
    x0, x1 = (x.clip(0, width).astype(int) for x in (x0, x1))
    y0, y1 = (y.clip(0, height).astype(int) for y in (y0, y1))
    below = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    assert not below.any()


def test_crops_of_one_piece_keep_out_of_tiles_of_the_other(
    tmp_path: Path, far: tuple[Origin, ...]
) -> None:
    near = slide_with_pieces(tmp_path / "a.bmp", [(260, 300, 230, 250), (700, 300, 180, 230)])
    asked = recipe(source=slide(near), target=far, min_tissue=0.05)

    with opened(asked) as data:
        assert [field.split for field in data.source_fields] == ["train", "validation"]
        assert_no_leak(data, SOURCE, DRAWS)


def test_crops_keep_out_of_neighbouring_regions_at_another_scale(
    tissue: Path, far: tuple[Origin, ...]
) -> None:
    areas = {"train": (10.3, 7.7, 900.5, 950.2), "validation": (910.8, 7.7, 400.7, 611.1)}
    source = tuple(
        Origin(slide=str(tissue), mpp=0.5, areas=(area,), split=split)  # type: ignore[arg-type]
        for split, area in areas.items()
    )
    asked = recipe(source=source, target=far)
    asked_coarser = _at(asked, 0.7)

    for one, draws in ((asked, DRAWS), (asked_coarser, 2_000)):
        with opened(one) as data:
            assert_no_leak(data, SOURCE, draws)


def test_crops_keep_out_of_the_end_of_the_only_region(
    tissue: Path, far: tuple[Origin, ...]
) -> None:
    source = slide(tissue, areas=((100, 50, 800, 700),))

    with opened(recipe(source=source, target=far)) as data:
        assert [field.split for field in data.source_fields] == ["train", "validation"]
        assert_no_leak(data, SOURCE, DRAWS)
        assert_no_leak(data, TARGET)


def test_a_region_judged_by_is_left_out_of_the_tissue_around_it(
    tissue: Path, far: tuple[Origin, ...]
) -> None:
    source = slide(tissue, split="train") + slide(
        tissue, areas=((300, 300, 200, 200),), split="validation"
    )

    with pytest.raises(RecipeError, match=r"piece 1 \(to learn from\) overlaps .*area 300,300"):
        Dataset(recipe(source=source, target=far))


def test_real_pieces_do_not_leak(data: Path, far: tuple[Origin, ...]) -> None:
    path = data / "slides" / "CMU-1-Small-Region.svs"
    parts = ((0, 0, 2220, 1800), (0, 1800, 2220, 1167))
    source = tuple(
        Origin(slide=str(path), areas=(area,), split=split)  # type: ignore[arg-type]
        for split, area in zip(("train", "validation"), parts, strict=True)
    )

    with opened(recipe(source=source, target=far)) as found:
        assert_no_leak(found, SOURCE)


def test_whole_slides_are_held_out_where_there_are_several(
    tmp_path: Path, tissue: Path, far: tuple[Origin, ...]
) -> None:
    other = write(tmp_path / "other.bmp", texture(700, 500, 8))
    source = slide(tissue) + slide(other)

    with opened(recipe(source=source, target=far)) as data:
        splits = {field.name.split(",")[0]: field.split for field in data.source_fields}
        assert splits == {"tissue.bmp": "train", "other.bmp": "validation"}


@pytest.mark.parametrize("way", ["copy", "symlink"])
def test_the_same_slide_by_another_name_is_refused_where_regions_overlap(
    tmp_path: Path, way: str, far: tuple[Origin, ...]
) -> None:
    one = slide_with_pieces(tmp_path / "a.bmp", [(450, 300, 400, 280)])
    other = tmp_path / "b.bmp"
    if way == "copy":
        shutil.copy(one, other)
    else:
        other.symlink_to(one)
    source = slide(one, areas=((100, 100, 400, 400),), split="train") + slide(
        other, areas=((300, 100, 400, 400),), split="validation"
    )

    with pytest.raises(RecipeError, match=r"a\.bmp, area 100,100 .* overlaps b\.bmp, area 300,100"):
        Dataset(recipe(source=source, target=far))


def test_a_pair_whose_target_is_judged_by_elsewhere_is_refused(tmp_path: Path) -> None:
    size = (900, 600)
    paths = [write(tmp_path / f"{n}.bmp", texture(*size, n)) for n in range(2)]
    target = write(tmp_path / "target.bmp", texture(*size, 9))
    area = ((0, 0, 400, 400),)
    source = slide(paths[0], areas=area, split="train") + slide(
        paths[1], areas=area, split="validation"
    )

    with pytest.raises(RecipeError, match="overlaps"):
        Dataset(recipe(pairing="paired", source=source, target=slide(target) + slide(target)))


def test_one_slide_may_not_be_learnt_from_as_source_and_judged_by_as_target(tissue: Path) -> None:
    areas = ((0, 0, 400, 400),), ((500, 0, 400, 400),)
    whose = tissue
    source = slide(whose, areas=areas[0], split="train") + slide(
        whose, areas=areas[1], split="validation"
    )
    target = slide(whose, areas=areas[1], split="train") + slide(
        whose, areas=areas[0], split="validation"
    )

    with pytest.raises(RecipeError, match="overlaps"):
        Dataset(recipe(source=source, target=target))


@pytest.mark.parametrize("judged", ["testA", "testB"])
def test_the_same_picture_in_both_splits_is_refused(tmp_path: Path, judged: str) -> None:
    for n, name in enumerate(("trainA", "trainB", "testA", "testB")):
        folder(tmp_path / name, 8, 100 * n)
    shutil.copy(tmp_path / "trainA" / "3.bmp", tmp_path / judged / "other name.bmp")

    with pytest.raises(RecipeError, match=r"trainA/3\.bmp .*/other name\.bmp .* the same image"):
        Dataset(recipe(root=str(tmp_path)))


def test_regions_that_only_touch_are_no_overlap(tissue: Path, far: tuple[Origin, ...]) -> None:
    source = slide(tissue, areas=((0, 0, 1100, 1000),), split="train") + slide(
        tissue, areas=((1100, 10.5, 200, 200),), split="validation"
    )

    with opened(recipe(source=source, target=far)) as data:
        assert_no_leak(data, SOURCE)


def test_tiles_keep_out_of_holes_and_of_what_lies_between_polygons(
    tmp_path: Path, tissue: Path, far: tuple[Origin, ...]
) -> None:
    square = [[50, 50], [450, 50], [450, 450], [50, 450], [50, 50]]
    hole = [[200, 200], [300, 200], [300, 300], [200, 300], [200, 200]]
    apart = [[600, 50], [900, 50], [900, 450], [600, 450], [600, 50]]
    regions = _geojson(
        tmp_path / "r.geojson",
        {"type": "MultiPolygon", "coordinates": [[square, hole], [apart]]},
        {"name": "wanted"},
    )
    source = slide(tissue, regions=str(regions), only=("wanted",), split="train")
    source += slide(_other(tmp_path), split="validation")

    with opened(recipe(source=source, target=far, min_tissue=0.0)) as data:
        rng = np.random.default_rng(0)
        drawn = np.array(
            [rectangle(*data.rooms[SOURCE, "train"].draw(rng), 64) for _ in range(2000)]
        )

    assert not common_with(drawn, (200, 200, 300, 300)).any()
    assert not common_with(drawn, (450, 0, 600, 1024)).any()
    assert not common_with(drawn, (0, 0, 1024, 50)).any()
    for polygon in ((50, 50, 450, 450), (600, 50, 900, 450)):
        assert common_with(drawn, polygon).any()


@pytest.mark.parametrize("word", ["gland 1", "Tumour", "6f0e0fd2-2b5c-4b7e-9d3a-000000000001"])
def test_regions_are_chosen_by_name_class_or_id(
    tmp_path: Path, word: str, tissue: Path, far: tuple[Origin, ...]
) -> None:
    file = _two_regions(tmp_path)
    source = slide(tissue, regions=str(file), only=(word,), split="train")
    source += slide(_other(tmp_path), split="validation")

    with opened(recipe(source=source, target=far)) as data:
        assert next(f.name for f in data.source_fields) == "tissue.bmp, gland 1"
        assert [f.split for f in data.source_fields].count("train") == 1


def test_a_region_that_is_not_there_is_named(
    tmp_path: Path, tissue: Path, far: tuple[Origin, ...]
) -> None:
    file = _two_regions(tmp_path)
    source = slide(tissue, regions=str(file), only=("Tumour", "gland 7"))

    with pytest.raises(RecipeError, match=r"r\.geojson has no region .* 'gland 7'"):
        Dataset(recipe(source=source, target=far))


def _other(tmp_path: Path) -> Path:
    return write(tmp_path / "other.bmp", texture(500, 400, 8))


def _two_regions(tmp_path: Path) -> Path:
    def feature(n: int, x: int, name: str, kind: str) -> dict[str, Any]:
        ring = [[x, 0], [x + 400, 0], [x + 400, 900], [x, 900], [x, 0]]
        return {
            "type": "Feature",
            "id": f"6f0e0fd2-2b5c-4b7e-9d3a-00000000000{n}",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"name": name, "classification": {"name": kind}},
        }

    found = [feature(1, 0, "gland 1", "Tumour"), feature(2, 500, "gland 2", "Stroma")]
    path = tmp_path / "r.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": found}))
    return path


def _geojson(path: Path, geometry: dict[str, Any], properties: dict[str, Any]) -> Path:
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def _at(asked: Recipe, mpp: float) -> Recipe:
    return replace(asked, model=replace(asked.model, mpp=mpp))
