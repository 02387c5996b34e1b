from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stainapp.errors import RegistrationError
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from tests.registration.frames import bent, info, scattered, turned, two_pieces


def test_the_identity_of_two_scales_keeps_micrometres() -> None:
    transform = Transform.identity(info(mpp=0.5), info(mpp=0.25))

    moved = transform.to_moving(np.array([[100.0, 40.0]]))

    assert moved.tolist() == [[200.0, 80.0]]


@pytest.mark.parametrize("degrees", [0, 40.9, 296])
def test_there_and_back_ends_where_it_began(degrees: float) -> None:
    fixed = info()
    straight = replace(
        Transform.identity(fixed, info()), pieces=(turned(degrees, (700.0, 90.0), 1.04),)
    )
    transform = bent(straight)
    points = scattered(fixed)

    back = transform.to_fixed(transform.to_moving(points))

    assert np.abs(back - points).max() < 0.5
    assert np.abs(transform.to_moving(points) - straight.to_moving(points)).max() > 10


def test_each_piece_moves_on_its_own_and_finds_back() -> None:
    fixed = info()
    transform = two_pieces(fixed, info())
    left, right = np.array([[300.0, 300.0]]), np.array([[1500.0, 700.0]])

    assert transform.to_moving(left).tolist() == [[700.0, 500.0]]
    assert transform.to_moving(right).tolist() == [[1530.0, 680.0]]
    both = np.concatenate([left, right])
    assert np.allclose(transform.to_fixed(transform.to_moving(both)), both)


def test_the_error_is_in_micrometres_and_unknown_where_nothing_was_measured() -> None:
    fixed = info(mpp=0.5)
    error = Grid.covering(fixed.width_px, fixed.height_px, 100.0)
    error.values[:] = 8.0
    error.values[:5, :5] = np.nan
    transform = Transform.identity(fixed, info()).with_error(error)
    points = np.array([[1500.0, 1000.0], [150.0, 150.0], [-1.0, 1000.0]])

    found = transform.error_um(points)

    assert found[0] == 4.0
    assert np.isnan(found[1:]).all()


def test_without_a_scale_the_error_in_micrometres_is_unknown() -> None:
    fixed = info(mpp=None)
    error = Grid.covering(fixed.width_px, fixed.height_px, 100.0)
    transform = Transform.identity(fixed, info()).with_error(error)
    point = np.array([[500.0, 500.0]])

    assert transform.error_px(point)[0] == 0.0
    assert np.isnan(transform.error_um(point)[0])


def test_no_points_map_to_no_points() -> None:
    transform = bent(Transform.identity(info(), info()))

    assert transform.to_moving(np.empty((0, 2))).shape == (0, 2)
    assert transform.to_fixed(np.empty((0, 2))).shape == (0, 2)
    assert transform.error_um(np.empty((0, 2))).shape == (0,)


def test_equal_maps_have_equal_digests_and_others_have_not() -> None:
    one, same = (bent(Transform.identity(info(), info())) for _ in range(2))

    assert one.digest == same.digest
    assert one.digest != bent(Transform.identity(info(), info()), amount_px=19.0).digest


def test_slides_that_it_does_not_lay_over_each_other_are_named() -> None:
    one, two, three = (
        replace(info(width), path=Path(f"{name}.svs"))
        for name, width in (("one", 2000), ("two", 1000), ("three", 500))
    )
    transform = Transform.identity(one, two)

    transform.check(one, two)

    for fixed, moving in ((two, one), (one, three), (three, two)):
        wrong = rf"two\.svs over one\.svs, and not {moving.path.name} over {fixed.path.name}"
        with pytest.raises(RegistrationError, match=wrong):
            transform.check(fixed, moving)
