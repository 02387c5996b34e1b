"""A displacement is found over the whole reach, past places where a descent would stop."""

import numpy as np
from scipy.ndimage import gaussian_filter

from stainapp.registration.coupled import Search, sought
from stainapp.registration.view import Density, normalised

SEARCH = Search(reach_px=10, window_px=6.0, step_px=4, smooth_nodes=1.5)


def texture(seed: int) -> Density:
    rough = np.random.default_rng(seed).normal(size=(120, 160)).astype(np.float32)
    return normalised(gaussian_filter(rough, 1.5), 8.0)


def test_a_shift_of_many_times_the_details_size_is_found_everywhere() -> None:
    picture = texture(0)
    moved = np.roll(picture, (7, -8), axis=(0, 1))

    right, down = sought(picture, moved, SEARCH)

    inside = np.s_[20:-20, 20:-20]
    assert np.abs(right[inside] + 8).max() < 0.5
    assert np.abs(down[inside] - 7).max() < 0.5


def test_two_halves_that_went_apart_are_each_followed() -> None:
    picture = texture(1)
    moved = picture.copy()
    moved[:, :80] = np.roll(picture, 4, axis=0)[:, :80]
    moved[:, 80:] = np.roll(picture, -4, axis=0)[:, 80:]

    _, down = sought(picture, moved, SEARCH)

    assert np.abs(down[20:-20, 20:50] - 4).max() < 1
    assert np.abs(down[20:-20, 110:-20] + 4).max() < 1
