import math

import numpy as np
import pytest

from stainapp.compare.metrics import MOST_PSNR, density_error, ms_ssim, psnr, ssim
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import field


def image(side: int = 192) -> RgbImage:
    return field("H&E")[:side, :side]


def noisy(sigma: float, side: int = 192) -> RgbImage:
    noise = np.random.default_rng(0).normal(0, sigma, (side, side, 3))
    return np.clip(np.rint(image(side) + noise), 0, 255).astype(np.uint8)


def test_equal_pictures_are_alike_in_every_measure() -> None:
    same = image().copy()

    assert psnr(image(), same) == MOST_PSNR
    assert ssim(image(), same) == pytest.approx(1)
    assert ms_ssim(image(), same) == pytest.approx(1, abs=1e-4)
    assert set(density_error(image(), same, "H&E").values()) == {0.0}


def test_psnr_of_a_known_difference_is_its_closed_form() -> None:
    grey = np.full((32, 32, 3), 100, np.uint8)

    assert psnr(grey, grey + np.uint8(5)) == pytest.approx(20 * math.log10(255 / 5))


def test_ssim_of_flat_pictures_is_its_closed_form() -> None:
    dark, light = (np.full((32, 32, 3), value, np.uint8) for value in (100, 150))
    constant = (0.01 * 255) ** 2

    expected = (2 * 100 * 150 + constant) / (100**2 + 150**2 + constant)
    assert ssim(dark, light) == pytest.approx(expected, abs=1e-6)


def test_ssim_weighs_its_window_as_the_paper_does() -> None:
    first, second = (i.astype(np.float64)[:11, :11, 0] for i in (image(), noisy(20)))
    # One window of 11 px has one whole place: its centre.
    axis = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weight = np.outer(axis, axis) / axis.sum() ** 2
    means = [(weight * i).sum() for i in (first, second)]
    var = [(weight * (i - m) ** 2).sum() for i, m in zip((first, second), means, strict=True)]
    both = (weight * (first - means[0]) * (second - means[1])).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * means[0] * means[1] + c1) * (2 * both + c2)
    expected /= (means[0] ** 2 + means[1] ** 2 + c1) * (sum(var) + c2)

    stacked = [np.repeat(i[:11, :11, :1], 3, axis=2) for i in (image(), noisy(20))]
    assert ssim(stacked[0], stacked[1]) == pytest.approx(expected, abs=1e-9)


def test_more_noise_is_less_alike_in_every_measure() -> None:
    little, much = noisy(5), noisy(40)

    assert psnr(image(), little) > psnr(image(), much)
    assert ssim(image(), little) > ssim(image(), much)
    few, many = ms_ssim(image(), little), ms_ssim(image(), much)
    assert few is not None
    assert many is not None
    assert few > many
    errors = [density_error(image(), other, "H&E")["eosin"] for other in (little, much)]
    assert errors[0] < errors[1]


def test_ms_ssim_needs_five_scales() -> None:
    assert ms_ssim(image(175), image(175)) is None
    assert ms_ssim(image(176), image(176)) == pytest.approx(1, abs=1e-4)


def test_density_error_of_one_dye_more_is_that_much_of_that_dye() -> None:
    unit = np.array([0.175, 0.972, 0.155]) / np.linalg.norm([0.175, 0.972, 0.155])
    paler, denser = (
        np.rint(255 * 10 ** (-amount * unit)).astype(np.uint8) for amount in (0.2, 0.5)
    )
    pictures = [np.broadcast_to(colour, (16, 16, 3)) for colour in (paler, denser)]

    found = density_error(pictures[0], pictures[1], "PAS")

    assert found["PAS"] == pytest.approx(0.3, abs=0.01)
    assert found["haematoxylin"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim])
def test_pictures_of_different_places_are_refused(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(StainAppError, match="192 x 192 and 100 x 100"):
        measure(image(), image(100))


def test_what_is_no_8_bit_picture_is_refused() -> None:
    with pytest.raises(StainAppError, match=r"float64.*8-bit RGB"):
        psnr(image(), image() / 255)  # type: ignore[arg-type]
    with pytest.raises(StainAppError, match="at least 11 px"):
        ssim(image(8), image(8))
