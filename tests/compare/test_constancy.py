"""Colour constancy of pictures, before and after they are normalised."""

import numpy as np
import pytest

from stainapp.compare.constancy import (
    LEAST_PIXELS,
    deviation,
    normalised_medians,
    tissue_of,
    variation,
)
from stainapp.compare.evaluation import evaluate
from stainapp.compare.question import Question, TileSet
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import MPP, tiles

SIDE = 128


def measured(images: RgbImage) -> np.ndarray:
    return normalised_medians(images, tissue_of(images))


def test_it_is_the_median_over_the_95th_percentile_of_the_tissue_alone() -> None:
    image = np.full((1, 40, 40, 3), 255, np.uint8)
    image[0, :20] = (np.arange(800) % 100 + 50).reshape(20, 40, 1)

    values = (np.arange(800) % 100 + 50).astype(float)
    assert measured(image)[0] == pytest.approx(np.median(values) / np.percentile(values, 95))


def test_twice_the_light_changes_nothing_and_more_density_does() -> None:
    dark = tiles("H&E", side=SIDE, count=2) // 2
    inside = tissue_of(dark)

    bright, dense = dark * 2, (255 * (dark / 255) ** 1.5).astype(np.uint8)

    np.testing.assert_allclose(
        normalised_medians(bright, inside), normalised_medians(dark, inside), rtol=1e-6
    )
    assert (normalised_medians(dense, inside) < normalised_medians(dark, inside)).all()


def test_a_blank_or_black_picture_has_no_value_and_raises_nothing() -> None:
    pictures = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (255, 0)])
    nearly = pictures[:1].copy()
    nearly[0].reshape(-1, 3)[: LEAST_PIXELS - 1] = 100

    assert np.isnan(measured(pictures)).all()
    assert np.isnan(measured(nearly)).all()


def test_variation_is_deviation_over_the_mean() -> None:
    values = np.array([0.5, 0.7, 0.9])

    assert deviation(values) == pytest.approx(np.std(values))
    assert variation(values) == pytest.approx(np.std(values) / 0.7)


def question(stain: str) -> Question:
    """Ask of tiles whose density differs from one to the next."""
    images = tiles("H&E", side=SIDE, count=6)
    powers = np.linspace(0.6, 1.8, len(images)).reshape(-1, 1, 1, 1)
    varied = (255 * (images / 255.0) ** powers).astype(np.uint8)
    regions = [f"region {n // 2}" for n in range(len(images))]
    return Question(
        TileSet(varied, regions, "H&E", MPP), TileSet(images, regions, stain, MPP), paired=False
    )


def test_a_normaliser_that_evens_pictures_out_has_the_smaller_deviation_in_the_table() -> None:
    asked = question("H&E")

    table = evaluate(asked, {"model": asked.target.images.copy(), "untouched": asked.source.images})

    for measure in ("NMI deviation", "NMI variation", "mean NMI error"):
        better, worse = table.value(measure), table.value(measure, "untouched")
        assert better is not None
        assert worse is not None
        assert better < worse
    assert table.value("NMI deviation", "real") == pytest.approx(
        table.value("NMI deviation"),
        rel=0.2,  # the source tells where there is tissue
    )


def test_constancy_is_not_asked_of_another_stain() -> None:
    asked = question("PAS")

    table = evaluate(asked, {"model": asked.source.images})

    assert not any("NMI" in row.measure for row in table.rows)
