"""From a volume's numbers to grey levels, by what one pass over some of it tells."""

from typing import Any

import numpy as np
import pytest

from stainapp.errors import RecipeError
from training.volume_levels import DEVIATIONS, REMEMBERED, Levels, levels_of, statistics_of


def parts(dtype: Any, count: int = 7, size: int = 5000) -> list[np.ndarray]:
    """Return chunks of unlike brightness and size."""
    rng = np.random.default_rng(2)
    made = [rng.normal(2000 + 300 * n, 90 + 10 * n, size + 31 * n) for n in range(count)]
    return [one.clip(0, 4000).astype(dtype).reshape(-1, 1) for one in made]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_one_pass_tells_what_all_numbers_at_once_would(dtype: Any) -> None:
    some = parts(dtype)
    everything = np.concatenate(some).astype(np.float64)

    found = statistics_of(iter(some))

    assert found is not None
    assert (found.least, found.most) == (everything.min(), everything.max())
    assert found.mean == pytest.approx(everything.mean(), rel=1e-9)
    assert found.deviation == pytest.approx(everything.std(), rel=1e-9)
    assert found.percentiles(0.5, 99.5) == pytest.approx(np.percentile(everything, (0.5, 99.5)))


def test_percentiles_of_large_chunks_are_near_the_exact_ones() -> None:
    some = [one.ravel() for one in parts(np.float32, count=3, size=20 * REMEMBERED)]
    everything = np.concatenate(some)

    found = statistics_of(iter(some))

    assert found is not None
    assert len(found.remembered) < 4 * REMEMBERED
    exact = np.percentile(everything, (0.5, 99.5))
    spread = everything.std()
    assert np.abs(np.subtract(found.percentiles(0.5, 99.5), exact)).max() < 0.02 * spread


def test_what_is_no_number_is_passed_over_and_shown_as_black() -> None:
    values = np.array([1.0, np.nan, 3.0, np.inf, -np.inf], np.float32)

    levels = levels_of("minmax", (0, 100), values.dtype, "a", [values])

    assert (levels.low, levels.high) == (1, 3)
    assert levels.apply(values).tolist() == [0, 0, 255, 255, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_line_is_straight_and_cut_off_at_its_ends(dtype: Any) -> None:
    values = np.array([0, 50, 100, 150, 200, 250], dtype)

    levels = Levels("minmax", 50, 200, np.dtype(dtype)).apply(values)

    assert levels.dtype == np.uint8
    assert levels.tolist() == [0, 0, 85, 170, 255, 255]


@pytest.mark.parametrize("mode", ["minmax", "percentile", "zscore"])
def test_each_mode_takes_its_own_ends(mode: Any) -> None:
    some = parts(np.float64)
    everything = np.concatenate(some)

    levels = levels_of(mode, (10, 90), np.dtype(np.float64), "a", iter(some))

    mean, reach = everything.mean(), DEVIATIONS * everything.std()
    expected = {
        "minmax": (everything.min(), everything.max()),
        "percentile": np.percentile(everything, (10, 90)),
        "zscore": (mean - reach, mean + reach),
    }[mode]
    assert (levels.low, levels.high) == pytest.approx(tuple(expected))


def test_left_alone_eight_bits_stay_and_others_are_stretched() -> None:
    untouched: list[np.ndarray] = []

    eight = levels_of("auto", (0.5, 99.5), np.dtype(np.uint8), "a", iter(untouched))
    more = levels_of("auto", (0.5, 99.5), np.dtype(np.uint16), "a", parts(np.uint16))

    assert (eight.mode, more.mode) == ("none", "percentile")
    assert eight.apply(np.arange(256, dtype=np.uint8)).tolist() == list(range(256))


def test_sixteen_bits_as_they_are_would_be_no_grey_levels() -> None:
    with pytest.raises(
        RecipeError, match=r"a holds uint16, which are no grey levels of 0\.\.255; set"
    ):
        levels_of("none", (0, 100), np.dtype(np.uint16), "a", [])
