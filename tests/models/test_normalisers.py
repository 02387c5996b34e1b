from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from stainapp.errors import ModelError
from stainapp.models import normalisers
from stainapp.models.optics import optical_density, stained
from stainapp.slides.reader import RgbImage
from tests.models.factories import REFERENCES, tissue_image

FITTED = ["reinhard", "macenko"]


def colours(count: int = 100_000) -> RgbImage:
    return np.random.default_rng(1).integers(0, 256, (count, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", FITTED)
def test_normalising_to_itself_changes_little(kind: str) -> None:
    image = tissue_image()
    reference = normalisers.fit_template(kind, image)

    result = normalisers.apply(
        kind, image, normalisers.fit(kind, image[None], reference), reference
    )

    mask = stained(image, every_channel=True)
    assert np.abs(result[mask].astype(int) - image[mask]).mean() < 1.5


@pytest.mark.parametrize("kind", FITTED)
def test_a_slide_takes_on_the_template_s_colours(kind: str, data: Path) -> None:
    source, target = (
        np.array(Image.open(data / "fields" / f"torchstain_{name}.png").convert("RGB"))
        for name in ("source", "target")
    )
    reference = normalisers.fit_template(kind, target)
    before = normalisers.fit(kind, source[None], reference)

    result = normalisers.apply(kind, source, before, reference)

    after = normalisers.fit(kind, result[None], reference)
    key = {"reinhard": "lab_mean", "macenko": "stain_matrix"}[kind]
    goal = np.asarray(reference[key])
    assert np.abs(after[key] - goal).max() < 0.3 * np.abs(before[key] - goal).max()


def test_reinhard_equals_the_exact_formula_within_one_grey_level() -> None:
    pixels = colours()
    arrays = {"lab_mean": np.array([60.0, 25, -20]), "lab_std": np.array([12.0, 9, 8])}
    reference = REFERENCES["reinhard"]
    mean, spread = np.array(reference["lab_mean"]), np.array(reference["lab_std"])
    lab = (rgb2lab(pixels) - arrays["lab_mean"]) / arrays["lab_std"] * spread + mean

    result = normalisers.apply("reinhard", pixels, arrays, reference)

    inside = (lab[:, 0] > 5) & (lab[:, 0] < 100)
    with np.errstate(all="ignore"):
        exact = lab2rgb(lab[inside]) * 255
    error = np.abs(result[inside] - np.clip(exact, 0, 255))
    assert error.max() < 1.01


def test_macenko_equals_the_exact_formula_within_rounding() -> None:
    pixels = colours()
    arrays = normalisers.fit("macenko", tissue_image()[None], {})
    reference = REFERENCES["macenko"]
    amounts = optical_density(pixels, 240.0) @ np.linalg.pinv(arrays["stain_matrix"]).T
    amounts = amounts * np.array(reference["max_concentrations"]) / arrays["max_concentrations"]
    exact = 240 * np.exp(-amounts @ np.array(reference["stain_matrix"]).T) - 1

    result = normalisers.apply("macenko", pixels, arrays, reference)

    assert np.abs(result - np.clip(exact, 0, 255)).max() < 0.51


@pytest.mark.parametrize("kind", [*FITTED, "unmix"])
def test_a_pixel_is_mapped_the_same_wherever_it_lies(kind: str) -> None:
    pixels = colours(200_003)
    arrays = normalisers.fit(kind, tissue_image()[None], REFERENCES[kind])
    whole = normalisers.apply(kind, pixels, arrays, REFERENCES[kind])

    for start, stop in ((0, 1), (7, 38), (199_990, 200_003), (31_000, 70_001)):
        part = normalisers.apply(kind, pixels[start:stop], arrays, REFERENCES[kind])
        assert np.array_equal(part, whole[start:stop])


@pytest.mark.parametrize("kind", FITTED)
@pytest.mark.parametrize("value", [0, 255])
def test_no_tissue_is_refused_or_mapped_without_nan(kind: str, value: int) -> None:
    tiles = np.full((2, 64, 64, 3), value, np.uint8)

    if value == 255:
        with pytest.raises(ModelError, match="stained pixels"):
            normalisers.fit(kind, tiles, {})
    else:
        arrays = normalisers.fit(kind, tiles, {})
        assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("kind", FITTED)
def test_a_slide_of_one_stain_is_normalised_without_extremes(kind: str) -> None:
    amount = np.random.default_rng(0).uniform(0, 1.5, (1, 128, 128, 1))
    tiles = (244 * np.exp(-amount * np.array([0.65, 0.70, 0.29]))).astype(np.uint8)
    reference: dict[str, Any] = REFERENCES[kind]

    arrays = normalisers.fit(kind, tiles, reference)
    result = normalisers.apply(kind, tiles, arrays, reference)

    order = np.argsort(tiles.sum(axis=-1).ravel())
    brightness = result.sum(axis=-1).ravel()[order].astype(float)
    assert brightness[-500:].mean() > brightness[:500].mean() + 100


def test_unmixing_takes_no_template() -> None:
    with pytest.raises(ModelError, match="template"):
        normalisers.fit_template("unmix", tissue_image(200, 200))
