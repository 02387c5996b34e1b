"""What lies in a region, how large it is, and what a set of them refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest

from stainapp.errors import RegionError
from stainapp.geometry import Rect
from stainapp.session.regions import (
    CLASSES,
    NO_CLASS,
    Document,
    Point,
    Region,
    Ring,
    check,
    colour_of,
    with_told,
)


def polygon(*points: Point, holes: tuple[Ring, ...] = (), name: str = "") -> Region:
    return Region(polygons=((points, *holes),), name=name)


def circle(x: float, y: float, radius: float, corners: int = 360) -> Region:
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    xs, ys = x + radius * np.cos(angles), y + radius * np.sin(angles)
    return polygon(*zip(xs.tolist(), ys.tolist(), strict=True))


BOW_TIE = polygon((0, 0), (10, 10), (10, 0), (0, 10))
EIGHT = polygon((0, 0), (5, 5), (10, 0), (10, 10), (5, 5), (0, 10))
STAR = polygon(
    *((math.sin(k * 4 * math.pi / 5) * 100, -math.cos(k * 4 * math.pi / 5) * 100) for k in range(5))
)


def test_a_rectangle_drawn_to_the_upper_left_is_the_same_rectangle() -> None:
    region = Region.rectangle(30, 40, -20, -30)

    assert region.bounds == Rect(10, 10, 20, 30)
    assert region.polygons == Region.rectangle(10, 10, 20, 30).polygons
    assert region.shape == "rectangle"


def test_the_area_leaves_holes_out_wherever_the_region_lies() -> None:
    hole = ((2.0, 2.0), (2.0, 5.0), (5.0, 5.0), (5.0, 2.0))
    region = polygon((0, 0), (10, 0), (10, 10), (0, 10), holes=(hole,))

    assert region.area_px == 91
    assert region.moved(123_456.0, 98_765.0).area_px == pytest.approx(91, rel=1e-9)


# A pentagram of circumradius 100, less the pentagon of circumradius 100 / golden ratio squared.
TAN_18 = math.tan(math.radians(18))
SPIKES = 10 * TAN_18 / (3 - TAN_18**2) * 100**2 - 2.5 * math.sin(math.radians(72)) * 38.1966**2


@pytest.mark.parametrize(
    ("region", "area"), [(BOW_TIE, 50), (EIGHT, 50), (STAR, SPIKES)], ids=["bow", "eight", "star"]
)
def test_an_outline_that_crosses_itself_has_the_area_of_its_mask(
    region: Region, area: float
) -> None:
    bounds = region.bounds
    step = bounds.width / 1000
    mask = region.mask(bounds.x, bounds.y, step, 1000, math.ceil(bounds.height / step))

    assert region.area_px == pytest.approx(area, rel=1e-3)
    assert mask.sum() * step**2 == pytest.approx(area, rel=3e-3)


def test_the_middle_of_a_star_is_outside() -> None:
    mask = STAR.mask(-100, -100, 1, 200, 200)

    assert not mask[100, 100]
    assert mask[20, 100]


def test_an_outline_that_touches_itself_has_its_exact_area() -> None:
    steps = polygon((0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1))

    assert steps.area_px == 2


@pytest.mark.parametrize("downsample", [0.5, 1.0, 3.7, 16.0])
def test_a_mask_holds_the_pixels_whose_centres_lie_inside(downsample: float) -> None:
    region, side = circle(700, 800, 300), math.ceil(700 / downsample)
    column = 350 + (np.arange(side) + 0.5) * downsample
    row = 450 + (np.arange(side) + 0.5) * downsample
    distance = np.hypot(column - 700, row[:, None] - 800)

    mask = region.mask(350, 450, downsample, side, side)

    sure = np.abs(distance - 300) > 0.02  # its 360 corners are a little less than the circle
    assert mask.shape == (side, side)
    assert np.array_equal(mask[sure], (distance < 300)[sure])


def test_a_mask_of_a_part_is_that_part_of_the_mask() -> None:
    region = circle(100, 100, 77.7)

    whole = region.mask(0, 0, 1, 200, 200)

    assert np.array_equal(region.mask(90, 35, 1, 60, 150), whole[35:185, 90:150])
    assert not region.mask(1000, 0, 1, 50, 50).any()
    assert region.mask(80, 80, 1, 40, 40).all()


def test_holes_and_second_polygons_show_in_the_mask() -> None:
    square = ((0.0, 0.0), (8.0, 0.0), (8.0, 8.0), (0.0, 8.0))
    hole = ((2.0, 2.0), (4.0, 2.0), (4.0, 4.0), (2.0, 4.0))
    apart = ((10.0, 0.0), (12.0, 0.0), (12.0, 3.0), (10.0, 3.0))

    mask = Region(polygons=((square, hole), (apart,))).mask(0, 0, 1, 14, 10)

    expected = np.zeros((10, 14), bool)
    expected[:8, :8], expected[2:4, 2:4], expected[:3, 10:12] = True, False, True
    assert np.array_equal(mask, expected)


def test_neighbours_with_a_common_edge_share_no_pixel_and_leave_none_out() -> None:
    left = polygon((0, 0), (51.3, 0), (23.9, 100), (0, 100))
    right = polygon((100, 100), (23.9, 100), (51.3, 0), (100, 0))

    masks = [region.mask(0, 0, 0.5, 200, 200) for region in (left, right)]

    assert np.array_equal(masks[0], ~masks[1])


def test_regions_overlap_only_where_they_have_area_in_common() -> None:
    square = Region.rectangle(0, 0, 100, 100)
    thin = polygon((99.9, -5000), (99.95, -5000), (99.95, 5000), (99.9, 5000))
    frame = polygon((-10, -10), (110, -10), (110, 110), (-10, 110), holes=(square.ring,))

    assert square.overlaps(Region.rectangle(99, 99, 50, 50))
    assert square.overlaps(Region.rectangle(40, 40, 2, 2))
    assert square.overlaps(thin)
    assert thin.overlaps(square)
    assert not square.overlaps(Region.rectangle(100, 0, 50, 100))
    assert not Region.rectangle(0.1, 0, 0.2, 5).overlaps(Region.rectangle(0.1 + 0.2, 0, 1, 5))
    assert not square.overlaps(frame)
    assert not circle(0, 0, 50).overlaps(circle(80, 80, 50)), "only their bounds meet"


def test_equal_regions_are_equal_whatever_their_file_said_besides() -> None:
    region = Region.rectangle(0, 0, 1, 1)

    assert replace(region, extra={"members": {"a": 1}}) == region
    assert len({region, replace(region, extra={"members": {"a": 1}})}) == 1


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (polygon((0, 0), (5, 5)), "2 points"),
        (polygon((0, 0), (5, 5), (9, 9)), "no area"),
        (polygon((0, 0), (5, 5), (5, math.nan)), "lies nowhere"),
        (polygon((0, 0), (5, 5), (5, math.inf)), "lies nowhere"),
        (polygon((0, 0), (5, 5), (5, 1e300)), "lies nowhere"),
        (Region.rectangle(3, 3, 0, 9), "no area"),
        (Region(polygons=()), "no outline"),
        (Region(polygons=((),)), "no outline"),
        (Region(shape="line", points=((1, 1),)), "of 1 points; it needs two"),
        (Region(shape="line", points=((1, 1), (1, 1))), "no length"),
        (Region(shape="points", points=()), "needs one"),
        (Region(shape="points", points=((1, math.nan),)), "lies nowhere"),
    ],
)
def test_what_encloses_nothing_is_refused(region: Region, reason: str) -> None:
    document = Document((Region.rectangle(0, 0, 5, 5),))

    with pytest.raises(RegionError, match=reason):
        document.put([replace(region, name="left one")])
    with pytest.raises(RegionError, match=reason):
        document.put([replace(region, id=document.regions[0].id)])


@pytest.mark.parametrize("region", [BOW_TIE, EIGHT, STAR])
def test_an_outline_may_cross_itself(region: Region) -> None:
    check(region)


def test_a_document_keeps_its_order_through_change_and_removal() -> None:
    first, second, third = (Region.rectangle(x, 0, 5, 5) for x in (0, 10, 20))
    renamed = replace(second, name="renamed")

    document = Document().put([first, second, third])

    assert document.put([renamed]).regions == (first, renamed, third)
    assert document.without([second.id]).regions == (first, third)
    assert document.those([third.id, first.id]) == (first, third)
    assert document.get(second.id) is second
    assert document.get("nobody") is None
    with pytest.raises(RegionError, match="given twice"):
        document.put([first, first])


def test_an_ellipse_has_the_area_of_an_ellipse_and_a_mask_like_it() -> None:
    region = Region.ellipse(10, 20, 200, 100)

    mask = region.mask(0, 0, 0.5, 500, 300)

    assert region.bounds == Rect(10, 20, 200, 100)
    assert region.area_px == pytest.approx(math.pi * 100 * 50, rel=1e-12)
    assert mask.sum() * 0.25 == pytest.approx(region.area_px, rel=2e-3)


def test_a_line_has_a_length_and_an_area_its_perimeter() -> None:
    line = Region(shape="line", points=((0, 0), (30, 40), (30, 0)))
    hole = ((2.0, 2.0), (2.0, 5.0), (5.0, 5.0), (5.0, 2.0))

    assert (line.length_px, line.area_px, line.encloses) == (90, 0, False)
    assert not line.mask(0, 0, 1, 50, 50).any()
    assert line.moved(5, 6).bounds == Rect(5, 6, 30, 40)
    assert polygon((0, 0), (10, 0), (10, 10), (0, 10), holes=(hole,)).length_px == 52
    assert Region(shape="points", points=((3, 4),)).length_px == 0


def test_classes_in_use_are_listed_in_the_colours_their_file_told() -> None:
    told = {"properties": {"classification": {"name": "Tumor", "color": [1, 2, 3]}}}
    region = Region.rectangle(0, 0, 1, 1, classification="Tumor", extra=told)
    known = {"Stroma": (5, 5, 5)}

    classes = with_told(known, [region, replace(region, classification="Stroma")])

    assert classes == {"Stroma": (5, 5, 5), "Tumor": (1, 2, 3)}
    assert colour_of(replace(region, classification="Stroma"), classes) == (5, 5, 5)


def test_a_region_has_its_own_colour_or_its_class_s() -> None:
    region = Region.rectangle(0, 0, 1, 1)
    told = {"properties": {"classification": {"name": "Tumor", "color": [1, 2, 3]}}}

    assert colour_of(region) == NO_CLASS
    assert colour_of(replace(region, classification="Stroma")) == CLASSES["Stroma"]
    assert colour_of(replace(region, classification="Stroma", colour=(9, 8, 7))) == (9, 8, 7)
    assert colour_of(replace(region, classification="Tumor", extra=told)) == (1, 2, 3)
    made_up = {colour_of(replace(region, classification=name)) for name in ("one", "two", "\ud800")}
    assert len(made_up) == 3
    assert all(0 <= part <= 255 for colour in made_up for part in colour)
