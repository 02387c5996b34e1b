"""Where tiles may be cut."""

from pathlib import Path

import numpy as np
import pytest

from stainapp.geometry import Rect
from stainapp.models.working_scale import WorkingScale
from tests.training.pictures import texture
from training.fields import Field, Places
from training.image_slides import ArraySlide


def field(
    width: int, height: int, *, area: Rect | None = None, step: float = 1.0, whole: bool = False
) -> Field:
    slide = ArraySlide(texture(width, height, 1), Path("a"), 0.5)
    lies = area or Rect(0, 0, width, height)
    everywhere = np.ones((round(lies.height), round(lies.width)), bool)
    return Field(
        name="a",
        split="train",
        whole=whole,
        reader=slide,
        scale=WorkingScale(slide, step),
        partner=None,
        area=lies,
        allowed=everywhere,
        tissue=everywhere,
    )


def test_cells_are_counted_row_by_row() -> None:
    cells = np.random.default_rng(3).random((13, 21)) > 0.7

    places = Places(cells)

    expected = np.argwhere(cells)
    assert len(places) == len(expected)
    assert np.array_equal(places.cells(), expected)
    assert [places.cell(n) for n in range(len(places))] == [tuple(cell) for cell in expected]


@pytest.mark.parametrize("step", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("x", [0.0, 7.25])
def test_tiles_lie_in_their_area_wherever_in_a_cell_their_corner_falls(
    step: float, x: float
) -> None:
    one = field(300, 280, area=Rect(x, x, 211, 190), step=step)
    side = 64
    cells = one.places(side, 0.5).cells()

    for within in (0.0, 0.5, 0.999):
        corners = one.corners(cells + within, side) * one.scale.step
        assert (corners >= x - 1e-3).all()
        assert (corners[:, 0] + side * one.scale.step <= x + 211 + 1e-3).all()
        assert (corners[:, 1] + side * one.scale.step <= x + 190 + 1e-3).all()


def test_an_image_as_large_as_a_tile_has_one_tile() -> None:
    one = field(64, 64, whole=True)
    cells = one.places(64, 0.5).cells()

    assert one.corners(cells + 0.9, 64).tolist() == [[0, 0]]


def test_an_image_as_wide_as_a_tile_gives_tiles_along_its_height() -> None:
    one = field(64, 200, whole=True)
    cells = one.places(64, 0.5).cells()

    corners = one.corners(cells + 0.5, 64)

    assert set(corners[:, 0]) == {0}
    assert corners[:, 1].min() <= 1
    assert corners[:, 1].max() >= 133


def test_there_is_no_place_where_a_tile_does_not_fit() -> None:
    assert not field(64, 63, whole=True).places(64, 0.5)
    assert not field(200, 200, area=Rect(10, 10, 63, 100)).places(64, 0.5)


def test_a_tile_needs_its_share_of_tissue() -> None:
    half = field(200, 200)
    tissue = half.tissue.copy()
    tissue[:, 100:] = False
    one = Field(
        **{name: getattr(half, name) for name in half.__dataclass_fields__} | {"tissue": tissue}
    )

    columns = one.places(50, 0.6).cells()[:, 1]

    assert 60 <= columns.max() <= 75
    assert one.tissue_px == 100 * 200


def test_no_tile_hangs_over_the_edge_of_its_slide() -> None:
    one = field(300, 280, area=Rect(250, 200, 120, 120))

    corners = one.corners(one.places(32, 0.0).cells() + 0.99, 32)

    assert (corners + 32 <= (300, 280)).all()
    assert (corners.max(axis=0) >= (266, 246)).all()
