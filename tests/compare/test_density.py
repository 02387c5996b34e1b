import numpy as np
import pytest
from skimage.color import rgb2hed

from stainapp.compare.density import amounts, density
from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.phantom_optics import GLASS
from tests.compare.tissue import CORNER, field


def test_amounts_are_skimage_s_deconvolution_in_optical_density() -> None:
    image = field("H&E")[:200, :200]

    found = amounts(image, "H&E")

    # skimage counts densities to the base of 1e-6, keeps none below 0 and its rows not of length 1
    rows = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    expected = 6 * rgb2hed(image) * np.linalg.norm(rows, axis=1)
    for n, dye in enumerate(["haematoxylin", "eosin", "DAB"]):
        np.testing.assert_allclose(np.maximum(found[dye], 0), expected[..., n], atol=1e-5)


def test_the_phantom_s_true_amounts_come_back() -> None:
    slide = PhantomSlide("PAS", (4000, 4000), 1)
    place = (CORNER, CORNER, 0, 200, 200)

    found = amounts(slide.read(*place), "PAS")

    glass = amounts(np.array(GLASS, np.uint8), "PAS")
    for dye, true in slide.amounts(*place).items():
        name = {"PAS magenta": "PAS"}.get(dye, dye)
        assert np.abs(found[name] - glass[name] - true).mean() < 0.01
        assert true.max() > 0.3


def test_white_has_no_density_and_black_a_finite_one() -> None:
    assert density(np.array([255, 0], np.uint8)).tolist() == pytest.approx([0, np.log10(255)])


def test_a_stain_of_unknown_dyes_is_measured_by_its_channels() -> None:
    image = np.array([[[10, 100, 200]]], np.uint8)

    found = amounts(image, "Masson")

    assert list(found) == ["red", "green", "blue"]
    np.testing.assert_allclose([found[name][0, 0] for name in found], density(image)[0, 0])
