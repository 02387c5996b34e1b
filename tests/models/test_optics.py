import numpy as np
import pytest

from stainapp.models.optics import (
    STAIN_VECTORS,
    from_optical_density,
    optical_density,
    stain_matrix,
    stained,
    unmixing,
)


def test_every_colour_survives_the_way_to_density_and_back() -> None:
    values = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)

    back = from_optical_density(optical_density(values, 240.0), 240.0)

    assert np.array_equal(back, values)


def test_density_doubles_where_the_stain_lies_twice() -> None:
    once, twice = np.array([[199, 99, 49]], np.uint8), np.array([[156, 38, 9]], np.uint8)

    ratio = optical_density(twice) / optical_density(once)

    assert ratio == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("third", [None, "DAB"])
def test_stain_rows_have_unit_length_and_the_residual_stands_upright(third: str | None) -> None:
    rows = stain_matrix("haematoxylin", "eosin", third)

    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0)
    if third is None:
        assert rows[2] @ rows[0] == pytest.approx(0.0, abs=1e-12)


def test_unmixing_removes_one_stain_and_leaves_the_others() -> None:
    stains = stain_matrix("haematoxylin", "eosin", "DAB")
    matrix = unmixing(stains, [1, 1, 0])

    assert matrix @ stains[2] == pytest.approx(0.0, abs=1e-12)
    assert matrix @ stains[0] == pytest.approx(stains[0])
    assert matrix @ stains[1] == pytest.approx(stains[1])


def test_eosin_is_stained_in_some_channel_only() -> None:
    glass = np.array([244, 244, 244], np.uint8)
    eosin = np.clip(244 * np.exp(-0.5 * np.array(STAIN_VECTORS["eosin"])), 0, 255).astype(np.uint8)
    pixels = np.stack([glass, eosin])

    assert stained(pixels, every_channel=True).tolist() == [False, False]
    assert stained(pixels, every_channel=False).tolist() == [False, True]
