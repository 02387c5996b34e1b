"""The difference of two slides as a slide."""

import numpy as np
import pytest

from stainapp.compare.difference_slide import LESS, MORE, DifferenceSlide, coloured
from stainapp.errors import StainAppError
from stainapp.slides.opening import open_slide
from tests.compare.readers import ArraySlide, noise


def flat(grey: int, name: str) -> ArraySlide:
    return ArraySlide(np.full((60, 80, 3), grey, np.uint8), name)


def test_what_is_denser_is_red_and_what_is_paler_blue() -> None:
    pale, dense = flat(220, "pale"), flat(120, "dense")

    more = DifferenceSlide(pale, dense).read(0, 0, 0, 4, 4)[0, 0]
    less = DifferenceSlide(dense, pale).read(0, 0, 0, 4, 4)[0, 0]

    assert more[0] > more[2]
    assert less[2] > less[0]
    assert coloured(np.array([[-9.0, 9.0]])).tolist() == [[list(LESS), list(MORE)]]


def test_equal_slides_and_what_lies_beyond_them_are_white() -> None:
    slide = ArraySlide(noise(60, 80, 1))

    assert (DifferenceSlide(slide, slide).read(-10, -10, 0, 120, 120) == 255).all()


def test_it_is_the_same_however_it_is_cut() -> None:
    he, pas = open_slide("phantom:he:3000:5"), open_slide("phantom:pas:3000:5")
    for level in range(len(he.info.levels)):
        slide = DifferenceSlide(he, pas)
        step = round(he.info.levels[level].downsample)

        whole = slide.read(0, 0, level, 64, 64)
        part = slide.read(16 * step, 32 * step, level, 20, 10)

        assert np.array_equal(whole[32:42, 16:36], part)


def test_one_dye_can_be_looked_at_and_no_other_than_the_stain_has() -> None:
    first, second = flat(220, "pale"), flat(120, "dense")

    assert DifferenceSlide(first, second, stain="PAS", of="PAS").legend.title.count("PAS") == 1
    with pytest.raises(StainAppError, match="haematoxylin"):
        DifferenceSlide(first, second, stain="PAS", of="DAB")


def test_each_difference_has_an_identity_of_its_own() -> None:
    first, second = flat(220, "pale"), flat(120, "dense")
    slides = [
        DifferenceSlide(first, second),
        DifferenceSlide(second, first),
        DifferenceSlide(first, second, full_od=0.2),
        DifferenceSlide(first, second, stain="H&E", of="eosin"),
    ]

    assert len({slide.info.identity for slide in slides}) == len(slides)
    assert slides[0].info.levels == first.info.levels


def test_the_legend_runs_from_the_colour_of_less_to_that_of_more() -> None:
    legend = DifferenceSlide(flat(220, "pale"), flat(120, "dense"), full_od=0.3).legend

    assert tuple(legend.bar[0, 0]) == LESS
    assert tuple(legend.bar[0, -1]) == MORE
    assert legend.ends == ("-0.3", "0", "+0.3")


def test_slides_of_different_frames_are_refused() -> None:
    with pytest.raises(StainAppError, match="register"):
        DifferenceSlide(flat(220, "pale"), ArraySlide(noise(50, 50, 1), "other"))
