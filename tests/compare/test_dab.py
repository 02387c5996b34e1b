import numpy as np
import pytest

from stainapp.compare.dab import (
    Thresholds,
    grades,
    h_score,
    histogram,
    nuclear_dab,
    positive_share,
    shift,
)
from stainapp.compare.nuclei import Labels, nuclei
from stainapp.errors import StainAppError
from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.phantom_optics import DYES, transmit
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import CORNER, MPP, field

USUAL = Thresholds()


def painted(browns: list[float], blue: float = 0.3) -> tuple[RgbImage, Labels]:
    """Return nuclei of 10 px a side, of that much DAB each, in a row on glass."""
    labels = np.zeros((12, 12 * len(browns)), np.int32)
    brown = np.zeros(labels.shape, np.float32)
    for n, amount in enumerate(browns):
        labels[1:11, 12 * n + 1 : 12 * n + 11] = n + 1
        brown[labels == n + 1] = amount
    dyes = {"haematoxylin": np.where(labels > 0, np.float32(blue), 0), "DAB": brown}
    assert dyes.keys() <= DYES.keys()
    return transmit(dyes), labels


def test_the_brown_of_a_nucleus_is_what_was_laid_on_it() -> None:
    image, labels = painted([0.0, 0.3, 0.5, 0.9])

    found = nuclear_dab(image, labels)

    assert found == pytest.approx([0, 0.3, 0.5, 0.9], abs=0.03)  # glass is not quite white


def test_nuclei_without_one_give_no_amounts() -> None:
    image, labels = painted([0.5])

    assert nuclear_dab(image, np.zeros_like(labels)).shape == (0,)


def test_grades_begin_at_their_thresholds() -> None:
    counts = grades(np.array([0.0, 0.19, 0.2, 0.39, 0.4, 0.6, 2.0]), USUAL)

    assert counts.tolist() == [2, 2, 1, 2]


def test_ten_nuclei_score_what_a_hand_computes() -> None:
    counts = np.array([4, 3, 2, 1])

    assert positive_share(counts) == pytest.approx(0.6)
    assert h_score(counts) == pytest.approx(1 * 30 + 2 * 20 + 3 * 10)


def test_tiles_count_by_their_nuclei() -> None:
    tiles = np.array([[9, 0, 0, 0], [0, 0, 0, 1]])

    assert positive_share(tiles) == pytest.approx(0.1)
    assert h_score(tiles) == pytest.approx(30)


def test_the_score_lies_between_0_and_300_and_is_0_of_nothing() -> None:
    assert h_score(np.array([0, 0, 0, 5])) == 300
    assert h_score(np.array([5, 0, 0, 0])) == 0
    assert (h_score(np.zeros(4, int)), positive_share(np.zeros(4, int))) == (0, 0)


def test_a_laboratory_s_own_thresholds_move_the_score() -> None:
    brown = np.array([0.1, 0.3, 0.5, 0.7])

    assert h_score(grades(brown, USUAL)) == pytest.approx(150)
    assert h_score(grades(brown, Thresholds(0.05, 0.2, 0.3))) == pytest.approx(250)


def test_thresholds_that_do_not_rise_are_refused() -> None:
    with pytest.raises(StainAppError, match=r"0\.4, 0\.2, 0\.6"):
        Thresholds(0.4, 0.2, 0.6)
    with pytest.raises(StainAppError, match="above 0"):
        Thresholds(0.0, 0.2, 0.6)


def test_a_distribution_that_is_moved_is_that_far() -> None:
    brown = np.linspace(0.1, 0.5, 50)

    assert shift(histogram(brown), histogram(brown)) == 0
    assert shift(histogram(brown), histogram(brown + 0.2)) == pytest.approx(0.2)
    assert shift(histogram(np.empty(0)), histogram(np.array([0.4]))) == pytest.approx(0.4)


def test_the_phantom_s_positive_nuclei_are_counted() -> None:
    phantom = PhantomSlide("DAB", (4000, 4000), 1)
    truth = phantom.labels(CORNER, CORNER, 0, 512, 512)
    numbers = np.unique(truth)[1:]
    positive = phantom.marker_positive(numbers)
    image = field("DAB")[:512, :512]

    by_truth = grades(nuclear_dab(image, truth), USUAL)
    by_segmenter = grades(nuclear_dab(image, nuclei(image, MPP, "DAB")), USUAL)

    assert 0.05 < positive.mean() < 0.5
    assert positive_share(by_truth) == pytest.approx(positive.mean(), abs=0.005)
    assert positive_share(by_segmenter) == pytest.approx(positive.mean(), abs=0.03)
