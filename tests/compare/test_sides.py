"""Slides brought into one frame."""

from dataclasses import replace

import numpy as np
import pytest

from stainapp.compare.comparison import compare
from stainapp.compare.pair import Pair
from stainapp.compare.region_figures import ALL
from stainapp.compare.sides import in_one_frame, side_of, virtual_side
from stainapp.compare.tissue_regions import tissue_regions
from stainapp.errors import StainAppError
from stainapp.models.calibration import calibrate_slide
from stainapp.models.opening import open_stainer
from stainapp.models.store import default_store
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.session.regions import Region
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from tests.compare.readers import ArraySlide, noise

REGION = [Region.rectangle(400, 400, 300, 300)]


def moved_apart(image: np.ndarray, dx: int, dy: int) -> tuple[SlideReader, SlideReader, Transform]:
    """A slide, the same one moved, and the transform between them."""
    fixed = ArraySlide(image, "fixed")
    moving = ArraySlide(np.roll(image, (dy, dx), (0, 1)), "moving")
    transform = Transform.identity(fixed.info, moving.info)
    matrix = transform.pieces[0].copy()
    matrix[:, 2] = dx, dy
    return fixed, moving, replace(transform, pieces=(matrix,), method="points")


def ssim(pair: Pair) -> float:
    found = compare(pair, REGION)
    return next(one.estimate for one in found.of(ALL) if one.measure == "SSIM")


def test_either_slide_may_be_the_one_that_is_moved() -> None:
    fixed, moving, transform = moved_apart(noise(900, 900, 1), 40, -25)
    first, second = side_of(fixed, "fluorescence"), side_of(moving, "fluorescence")

    forward, backward = (
        in_one_frame(*sides, transform) for sides in ((first, second), (second, first))
    )

    assert ssim(forward) == pytest.approx(1.0)
    assert ssim(backward) == pytest.approx(1.0)
    assert backward.other.reader is fixed
    assert backward.joined_by["method"] == "points"
    assert ssim(in_one_frame(first, second)) < 0.5


def test_the_error_is_given_in_the_scale_that_is_known_now() -> None:
    fixed, moving, transform = moved_apart(noise(900, 900, 1), 0, 0)
    error = Grid.covering(900, 900, 100)
    error = replace(error, values=error.values + 4)
    sides = side_of(fixed, "DAB"), side_of(moving, "DAB")

    pair = in_one_frame(*sides, transform.with_error(error))

    assert pair.error_um is not None
    assert pair.error_um(np.array([[450.0, 450.0]])) == pytest.approx([4 * 0.5])
    assert in_one_frame(*sides, transform).error_um is None


def test_two_pictures_of_one_slide_lie_on_each_other() -> None:
    slide = ArraySlide(noise(900, 900, 1))

    pair = in_one_frame(side_of(slide, "H&E"), side_of(slide, "H&E"))

    assert pair.error_um is not None
    assert pair.error_um(np.zeros((3, 2))).tolist() == [0, 0, 0]


def test_a_transform_of_other_slides_is_refused_by_name() -> None:
    fixed, _, transform = moved_apart(noise(900, 900, 1), 0, 0)
    stranger = ArraySlide(noise(900, 900, 2), "stranger")

    with pytest.raises(StainAppError, match=r"moving\.png over fixed\.png, and not .*stranger"):
        in_one_frame(side_of(fixed, "H&E"), side_of(stranger, "H&E"), transform)


def test_slides_of_different_sizes_need_a_transform() -> None:
    one, two = ArraySlide(noise(90, 90, 1), "one"), ArraySlide(noise(80, 80, 1), "two")

    with pytest.raises(StainAppError, match="stainapp register"):
        in_one_frame(side_of(one, "H&E"), side_of(two, "H&E"))


def test_a_virtual_side_says_so_and_is_no_finer_than_its_model() -> None:
    slide = open_slide("phantom:he:1500:3", mpp=0.25)
    stainer = open_stainer(default_store().find("macenko").folder)
    with_glass = VirtualSlide(slide, stainer, calibrate_slide(slide, stainer))

    side = virtual_side(with_glass, "H&E")

    assert side.virtual
    assert side.real is slide
    assert side.mpp == 0.25  # stained pixel by pixel, at whatever scale
    assert "virtual H&E" in side.name


def test_a_virtual_slide_from_a_file_stays_virtual() -> None:
    slide = ArraySlide(noise(90, 90, 1), "export")
    said = {"virtual": True, "model": "he-to-pas-colon", "export": {"tiles_sha256": []}}

    side = side_of(slide, "PAS", said)

    assert side.virtual
    assert side.origin == {"virtual": True, "model": "he-to-pas-colon"}
    assert not side_of(slide, "PAS").virtual


def test_tissue_that_both_slides_share_is_chosen_and_always_the_same() -> None:
    he, pas = open_slide("phantom:he:3000:5"), open_slide("phantom:pas:3000:5")
    pair = Pair(
        side_of(he, "H&E"), side_of(pas, "PAS"), lambda p: np.where(p[:, 0] < 1800, 1, np.nan)
    )

    regions = tissue_regions(pair, side_um=150)

    assert len(regions) >= 4
    assert all(region.bounds.right < 1800 + 200 for region in regions)
    assert regions == tissue_regions(pair, side_um=150)
    assert not any(a.overlaps(b) for a in regions for b in regions if a is not b)


def test_blank_slides_share_no_tissue() -> None:
    blank = ArraySlide(np.full((600, 600, 3), 250, np.uint8), "blank")

    with pytest.raises(StainAppError, match="share no tissue"):
        tissue_regions(Pair(side_of(blank, "H&E"), side_of(blank, "H&E")))
