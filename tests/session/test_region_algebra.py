"""Areas joined, cut, split, filled, painted and erased are right to the square pixel."""

import math
from dataclasses import replace

import pytest

from stainapp.errors import RegionError
from stainapp.session import region_algebra as algebra
from stainapp.session.regions import Region, check

BIG = Region.rectangle(0, 0, 100, 100, name="big", classification="Tissue")
SMALL = Region.rectangle(20, 20, 10, 10, name="small")
BESIDE = Region.rectangle(200, 0, 10, 10, name="beside")
LINE = Region(shape="line", points=((0, 0), (5, 5)))


def test_joined_areas_cover_what_each_did_and_keep_the_first_s_name() -> None:
    overlapping = Region.rectangle(50, 0, 100, 100)

    one = algebra.joined([BIG, overlapping, LINE, BESIDE])

    assert (one.id, one.name, one.classification) == (BIG.id, "big", "Tissue")
    assert one.area_px == 150 * 100 + 100
    assert len(one.polygons) == 2
    check(one)


def test_cutting_out_makes_a_hole_in_the_largest() -> None:
    holed = algebra.cut_out([SMALL, BIG])

    assert holed.id == BIG.id
    assert [len(polygon) for polygon in holed.polygons] == [2]
    assert holed.area_px == 100 * 100 - 100
    assert not holed.mask(25, 25, 1, 1, 1)[0, 0]
    assert algebra.filled(holed).area_px == 100 * 100


def test_a_region_is_split_into_its_parts_the_largest_first() -> None:
    both = algebra.joined([BIG, BESIDE])

    first, second = algebra.apart(both)

    assert (first.id, first.area_px) == (BIG.id, 10_000)
    assert (second.area_px, second.classification) == (100, "Tissue")
    assert second.id != first.id
    points = Region(shape="points", points=((1, 1), (2, 2), (3, 3)))
    assert [one.points for one in algebra.apart(points)] == [((1, 1),), ((2, 2),), ((3, 3),)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: algebra.joined([BIG, LINE]), "at least two"),
        (lambda: algebra.cut_out([BIG]), "one more"),
        (lambda: algebra.cut_out([SMALL, replace(SMALL, id="same")]), "Nothing would be left"),
        (lambda: algebra.apart(BIG), "one part"),
        (lambda: algebra.filled(BIG), "no holes"),
    ],
)
def test_what_cannot_be_is_told(change: object, reason: str) -> None:
    assert callable(change)
    with pytest.raises(RegionError, match=reason):
        change()


def test_a_brush_paints_a_round_region_and_erases_a_hole_in_it() -> None:
    dot = algebra.stroke([(50, 50)], 20)
    way = algebra.stroke([(0, 0), (100, 0)], 10)

    painted = algebra.painted(Region(name="new"), dot, 0.0)
    hole = algebra.erased(painted, algebra.stroke([(50, 50)], 5), 0.0)

    assert painted.area_px == pytest.approx(math.pi * 20**2, rel=0.01)
    assert algebra.painted(Region(), way, 0.0).area_px == pytest.approx(
        100 * 20 + math.pi * 10**2, rel=0.01
    )
    assert hole is not None
    assert [len(polygon) for polygon in hole.polygons] == [2]
    assert hole.area_px == pytest.approx(math.pi * (20**2 - 5**2), rel=0.01)
    assert algebra.erased(painted, algebra.stroke([(50, 50)], 25), 0.0) is None
    check(painted)
    check(hole)


def test_a_hand_drawn_eight_becomes_two_parts_that_cross_nowhere() -> None:
    eight = ((0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0))

    polygons = algebra.drawn(eight, 0.0)

    assert len(polygons) == 2
    assert Region(polygons=polygons).area_px == 50


def test_shapely_and_the_mask_agree_on_outlines_that_cross_themselves() -> None:
    star = tuple(
        (100 * math.sin(k * 4 * math.pi / 5), -100 * math.cos(k * 4 * math.pi / 5))
        for k in range(5)
    )
    region = Region(polygons=((star,),))

    sound = algebra.painted(region, algebra.stroke([(500, 500)], 1), 0.0)

    assert (region.mask(-100, -100, 0.5, 400, 400) == sound.mask(-100, -100, 0.5, 400, 400)).all()
