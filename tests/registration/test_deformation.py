"""What is left between two pictures is followed both ways; what folds is smoothed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from stainapp.registration.coupled import Field
from stainapp.registration.deformation import STEEPEST, STEPS, deformation, inverted, unfolded
from stainapp.registration.view import Density

SHAPE = 240, 300


def tissue(seed: int) -> Density:
    rough = np.random.default_rng(seed).normal(size=SHAPE)
    return np.asarray(0.3 + gaussian_filter(rough, 2.0), np.float32)


def wave(height_px: float) -> Field:
    y, x = np.indices(SHAPE, np.float32)
    return height_px * np.stack([np.sin(y / 60), np.cos(x / 70)]).astype(np.float32)


def bent_by(picture: Density, field: Field) -> Density:
    there = np.indices(SHAPE, np.float32) + field[::-1]
    return np.asarray(map_coordinates(picture, there, order=1, mode="nearest"), np.float32)


def test_a_bend_is_followed_to_a_fraction_of_a_pixel_and_both_ways_agree() -> None:
    bend, steps = wave(12.0), []
    moving = tissue(0)

    found = deformation(bent_by(moving, bend), moving, lambda: steps.append(1))

    inside = np.s_[:, 40:-40, 40:-40]
    assert np.median(np.hypot(*(found.field - bend)[inside])) < 0.3
    assert np.median(found.apart[inside[1:]]) < 0.6
    assert len(steps) == STEPS


def test_pictures_with_nothing_in_common_are_bent_differently_there_and_back() -> None:
    found = deformation(tissue(0), tissue(1), lambda: None)

    assert np.median(found.apart) > 3.0


def test_the_inverse_leads_back() -> None:
    bend = wave(12.0)

    there_and_back = inverted(bend) + np.stack([bent_by(part, inverted(bend)) for part in bend])

    assert np.abs(there_and_back[:, 40:-40, 40:-40]).max() < 0.05


@pytest.mark.parametrize("jump_px", [2.0, 40.0])
def test_a_fold_is_smoothed_out_however_small_its_place_and_large_its_jump(jump_px: float) -> None:
    field = np.zeros((2, 90, 120), np.float32)
    field[0, 40:42, 60:62] = jump_px

    smooth = unfolded(field)

    steps = [np.hypot(*np.diff(smooth, axis=axis)).max() for axis in (1, 2)]
    assert max(steps) <= STEEPEST


def test_what_can_be_inverted_stays_as_it_is() -> None:
    field = np.random.default_rng(0).uniform(-0.2, 0.2, (2, 50, 60)).astype(np.float32)

    assert np.array_equal(unfolded(field), field)
