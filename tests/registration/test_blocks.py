import numpy as np
from scipy.ndimage import gaussian_filter

from stainapp.registration.blocks import match, surety
from stainapp.registration.view import Density, normalised

WHERE = np.ones((200, 240), bool)


def texture(seed: int) -> Density:
    rough = np.random.default_rng(seed).normal(size=(200, 240)).astype(np.float32)
    return normalised(gaussian_filter(rough, 2.0), 8.0)


def test_blocks_are_found_where_they_went_to_a_fraction_of_a_pixel() -> None:
    picture = texture(0)
    moved = np.roll(picture, (3, -5), axis=(0, 1))

    blocks = match(picture, moved, WHERE)

    inner = (np.abs(blocks.centres - (120, 100)) < (80, 60)).all(axis=1)
    assert inner.sum() > 20
    assert np.abs(blocks.shifts[inner] - (-5, 3)).max() < 0.2
    assert blocks.peaks[inner].min() > 0.9


def test_pictures_with_nothing_in_common_agree_no_better_than_chance() -> None:
    assert surety(match(texture(0), texture(1), WHERE)) < 4.0
    assert surety(match(texture(0), texture(0), WHERE)) > 9.0


def test_an_empty_picture_agrees_with_nothing() -> None:
    blocks = match(texture(0), np.zeros_like(texture(0)), WHERE)

    assert not blocks.alike().any()


def test_no_place_gives_no_blocks_and_no_surety() -> None:
    blocks = match(texture(0), texture(0), ~WHERE)

    assert len(blocks.centres) == 0
    assert surety(blocks) == 0.0
