"""A displacement that folds is smoothed until it can be inverted, and only where it must be."""

import numpy as np
import pytest

from stainapp.registration.deformation import STEEPEST, unfolded


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
