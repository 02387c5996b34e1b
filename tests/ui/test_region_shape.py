from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from stainapp.session.regions import Region
from stainapp.ui.region_drags import BoxDrag
from stainapp.ui.region_shape import (
    Middle,
    Outlines,
    Place,
    Side,
    Vertex,
    handle_at,
    handles,
    nearest_edge,
    with_point,
    without_point,
)
from stainapp.ui.region_words import area_words, length_words
from stainapp.ui.touch import Touch

SQUARE = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0))
HOLE = ((40.0, 40.0), (60.0, 40.0), (60.0, 60.0), (40.0, 60.0))


@pytest.fixture
def holed() -> Region:
    return Region(polygons=((SQUARE, HOLE),))


def test_a_polygon_is_held_at_its_points_and_between_them(holed: Region) -> None:
    found = handles(holed, pixel=0.1)

    assert sum(isinstance(handle, Vertex) for handle in found) == 8
    assert sum(isinstance(handle, Middle) for handle in found) == 8


def test_points_that_fall_together_on_the_screen_share_a_handle(holed: Region) -> None:
    found = handles(holed, pixel=6.0)

    assert [(h.x, h.y) for h in found] == [(0, 0), (100, 0), (100, 100), (0, 100), (40, 40)]


@pytest.mark.parametrize(
    ("at", "to", "bounds"),
    [
        ((10, 20), (0, 0), (0, 0, 110, 70)),
        ((110, 45), (150, 99), (10, 20, 140, 50)),
        ((60, 70), (0, 80), (10, 20, 100, 60)),
        ((10, 20), (210, 90), (110, 70, 100, 20)),
    ],
)
def test_a_rectangle_stays_one_while_a_side_or_corner_is_pulled(
    at: tuple[float, float], to: tuple[float, float], bounds: tuple[float, ...]
) -> None:
    region = Region.rectangle(10, 20, 100, 50)

    handle = handle_at(region, Touch(*at))
    assert isinstance(handle, Side)
    pulled = handle.moved_to(region, *to)

    assert pulled.shape == "rectangle"
    box = pulled.bounds
    assert (box.x, box.y, box.width, box.height) == bounds


def test_a_rectangle_that_is_tiny_on_the_screen_has_no_handles_in_the_way() -> None:
    region = Region.rectangle(0, 0, 100, 100)

    assert handles(region, pixel=10.0) == ()
    assert len(handles(region, pixel=4.0)) == 4
    assert len(handles(region, pixel=1.0)) == 8


def test_a_point_can_be_added_to_a_hole_and_removed_again(holed: Region) -> None:
    more = with_point(holed, Touch(50, 41, pixel=0.5))
    assert more is not None
    assert more.polygons[0][1][1] == (50, 41)
    assert more.polygons[0][0] == SQUARE

    assert without_point(more, Place(0, 1, 1)) == holed


def test_no_point_is_added_away_from_the_outline(holed: Region) -> None:
    assert with_point(holed, Touch(20, 20, pixel=1.0)) is None


def test_the_last_three_points_stay() -> None:
    triangle = Region(polygons=(((SQUARE[:3]),),))

    assert without_point(triangle, Place(0, 0, 1)) is None


def test_a_rectangle_with_a_further_point_is_a_polygon() -> None:
    more = with_point(Region.rectangle(0, 0, 100, 100), Touch(50, 0))

    assert more is not None
    assert more.shape == "polygon"
    assert len(more.ring) == 5


def test_the_distance_to_an_outline_is_that_to_its_nearest_edge(holed: Region) -> None:
    distance, place = nearest_edge(holed, 50, 63)

    assert distance == pytest.approx(3)
    assert place == Place(0, 1, 2)


def test_the_smallest_region_under_the_pointer_is_hit(holed: Region) -> None:
    small = Region.rectangle(10, 10, 20, 20)
    outlines = Outlines()

    assert outlines.region_at((small, holed), Touch(15, 15)) is small
    assert outlines.region_at((small, holed), Touch(80, 80)) is holed
    assert outlines.region_at((small, holed), Touch(50, 50, pixel=0.1)) is None  # in the hole
    assert outlines.region_at((small, holed), Touch(104, 50, pixel=1.0)) is holed
    assert outlines.region_at((small, holed), Touch(104, 50, pixel=0.1)) is None


def test_far_out_an_outline_is_painted_with_fewer_points() -> None:
    ring = (*((float(x), 0.0) for x in range(1000)), (999.0, 500.0), (0.0, 500.0))
    region, outlines = Region(polygons=((ring,),)), Outlines()

    assert outlines.path(region, 0.01).elementCount() > 1000
    assert outlines.path(region, 64.0).elementCount() < 40
    box = outlines.path(region, 64.0).boundingRect()
    assert box.width() == pytest.approx(999, abs=64)


def test_a_changed_region_gets_another_outline(holed: Region) -> None:
    outlines = Outlines()
    before = outlines.path(holed).boundingRect()

    assert outlines.path(holed.moved(7, 0)).boundingRect() == before.translated(7, 0)


def test_shift_draws_a_square() -> None:
    drag = BoxDrag(Touch(100, 100), Region(), "rectangle")

    (region,) = drag.regions(Touch(60, 110, modifiers=Qt.KeyboardModifier.ShiftModifier))

    assert region.bounds == replace(region.bounds, x=60, y=100, width=40, height=40)


def test_areas_are_given_on_tissue_or_else_in_pixels() -> None:
    assert area_words(36_000, 0.5) == "9,000 µm²"
    assert area_words(120_000, 0.5) == "0.030 mm²"
    assert area_words(4_000_000, 0.5) == "1.00 mm²"
    assert area_words(40_000, None) == "40,000 px²"


def test_lengths_are_given_on_tissue_or_else_in_pixels() -> None:
    assert length_words(100, 0.5) == "50.0 µm"
    assert length_words(1000, 0.5) == "500 µm"
    assert length_words(5000, 0.5) == "2.50 mm"
    assert length_words(5000, None) == "5,000 px"
