import numpy as np
import pytest

from stainapp.compare.blank import glass_of, new_structures
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import MPP, field

GLASS = (243, 242, 244)


def half_blank() -> RgbImage:
    """256 px of tissue with its right half empty."""
    image = field("H&E")[:256, :256].copy()
    image[:, 128:] = GLASS
    return image


def test_tissue_drawn_on_glass_is_counted() -> None:
    source = half_blank()
    drawn = source.copy()
    drawn[100:150, 180:240] = (180, 60, 160)

    new, blank = new_structures(source, drawn, GLASS, GLASS, MPP)

    assert 0.85 * 256 * 128 < blank < 256 * 128  # a rim beside the tissue is left out
    assert 0.9 * 50 * 60 < new < 1.4 * 50 * 60  # the squares it is judged by reach over its edge


def test_another_stain_of_the_same_tissue_is_nothing_new() -> None:
    pas = field("PAS")[:256, :256].copy()
    pas[:, 128:] = (235, 230, 236)

    assert new_structures(half_blank(), pas, GLASS, (235, 230, 236), MPP)[0] == 0


def test_noise_on_glass_is_nothing_new() -> None:
    noise = np.random.default_rng(0).normal(0, 6, (256, 256, 3))
    grainy = np.clip(half_blank() + noise, 0, 255).astype(np.uint8)

    assert new_structures(half_blank(), grainy, GLASS, GLASS, MPP)[0] == 0


def test_a_tile_that_is_all_tissue_has_no_glass() -> None:
    dense = np.full((128, 128, 3), 120, np.uint8)

    assert new_structures(dense, dense, GLASS, GLASS, MPP) == (0, 0)


def test_glass_is_seen_between_tissue() -> None:
    assert glass_of(half_blank()[None]) == GLASS


def test_other_places_are_refused() -> None:
    with pytest.raises(StainAppError, match="same place"):
        new_structures(half_blank(), half_blank()[:100], GLASS, GLASS, MPP)
