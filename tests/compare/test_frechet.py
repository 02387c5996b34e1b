import numpy as np
import pytest
from numpy.typing import NDArray

from stainapp.compare import texture
from stainapp.compare.frechet import frechet, frechet_interval, shrunk_covariance
from stainapp.errors import StainAppError
from tests.compare.tissue import tiles


def normal(count: int, seed: int, width: int = 5) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (count, width))


def test_equal_sets_are_no_distance_apart() -> None:
    found = texture.features(tiles("H&E"))

    assert frechet(found, found) == pytest.approx(0, abs=1e-6)


def test_a_shift_of_one_deviation_in_one_feature_is_a_distance_of_one() -> None:
    rows = normal(500, 0)
    shifted = rows + rows.std(axis=0) * np.array([1, 0, 0, 0, 0])

    assert frechet(rows, shifted) == pytest.approx(1)


def test_a_wider_spread_is_its_closed_form() -> None:
    rows = normal(5000, 0, width=4)
    wider = rows.mean(axis=0) + (rows - rows.mean(axis=0)) * 3

    assert frechet(rows, wider) == pytest.approx(4 * (3 - 1) ** 2, rel=0.01)


def test_units_of_a_feature_do_not_matter() -> None:
    rows, other = normal(80, 1), normal(80, 2) + 0.5
    units = np.array([1, 1000, 0.1, 7, 50])

    assert frechet(rows * units, other * units) == pytest.approx(frechet(rows, other))


def test_few_tiles_of_the_same_kind_stay_near() -> None:
    many = normal(900, 0, texture.LENGTH)

    assert frechet(many, normal(60, 1, texture.LENGTH)) < 6
    assert frechet(many, normal(60, 1, texture.LENGTH) + 1) > 35


def test_the_shrunk_covariance_is_sound_with_fewer_tiles_than_features() -> None:
    values = np.linalg.eigvalsh(shrunk_covariance(normal(20, 3, width=40)))

    assert values.min() > 0.3
    assert values.max() < 3


def test_another_stain_is_farther_than_other_tissue() -> None:
    real, other, pas = (
        texture.features(tiles(stain, seed)) for stain, seed in (("H&E", 1), ("H&E", 2), ("PAS", 2))
    )

    assert real.shape == (36, texture.LENGTH)
    assert frechet(real, pas) > 10 * frechet(real, other)


def test_the_interval_holds_the_distance_and_repeats() -> None:
    rows, other = normal(80, 1), normal(80, 2) + 0.5
    regions = [str(n // 8) for n in range(80)]

    found = frechet_interval(rows, other, regions, regions)

    assert found.low < found.estimate < found.high
    assert found.estimate == frechet(rows, other)
    assert (found.n, found.clusters, found.clustered) == (80, 10, True)
    assert found == frechet_interval(rows, other, regions, regions)


def test_blank_tiles_have_finite_features() -> None:
    blank = np.full((2, 32, 32, 3), 255, np.uint8)

    assert np.isfinite(texture.features(blank)).all()


def test_too_little_to_describe_is_refused() -> None:
    with pytest.raises(StainAppError, match="at least 8 tiles"):
        frechet(normal(7, 0), normal(50, 0))
    with pytest.raises(StainAppError, match="no tiles"):
        texture.features([])
    with pytest.raises(StainAppError, match="8 x 8 px"):
        texture.features(np.zeros((1, 8, 8, 3), np.uint8))
