from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from stainapp.slides.mosaic import Grid, TileCache, downsample_of
from tests.slides.fakes import noise


def test_a_region_over_the_edge_is_white_outside_and_exact_inside() -> None:
    picture = noise(70, 50)
    grid = Grid(70, 50, 32, 16)

    region = grid.read(
        -5, 40, 90, 20, lambda c, r: picture[r * 16 : r * 16 + 16, c * 32 : c * 32 + 32]
    )

    assert np.array_equal(region[:10, 5:75], picture[40:])
    region[:10, 5:75] = 255
    assert (region == 255).all()


def test_a_region_wholly_outside_is_white_and_asks_for_no_tile() -> None:
    def no_tile(_column: int, _row: int) -> np.ndarray:
        raise AssertionError

    assert (Grid(70, 50, 32, 16).read(100, 100, 8, 8, no_tile) == 255).all()


def test_a_tile_wanted_by_two_threads_is_made_once() -> None:
    cache, made, go, started = TileCache(1000), [], Event(), Event()

    def make() -> np.ndarray:
        made.append(1)
        started.set()
        assert go.wait(10)
        return np.zeros((2, 2, 3), np.uint8)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", make)
        assert started.wait(10)
        second = pool.submit(cache.get, "key", make)
        go.set()

        assert first.result() is second.result()
    assert made == [1]


def test_a_tile_that_failed_is_tried_again() -> None:
    cache = TileCache(1000)

    def fail() -> np.ndarray:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the one above
        cache.get("key", fail)

    assert cache.get("key", lambda: noise(2, 2)).shape == (2, 2, 3)


def test_the_cache_forgets_the_tile_used_longest_ago() -> None:
    cache, made = TileCache(2 * 12), []

    def get(key: str) -> None:
        def make() -> np.ndarray:
            made.append(key)
            return np.zeros((2, 2, 3), np.uint8)

        cache.get(key, make)

    for key in "abac":
        get(key)
    get("a")
    get("b")

    assert made == ["a", "b", "c", "b"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [((3337, 4903), 4.0), ((3336, 4903), 4.0), ((3000, 4400), 4.453), ((13346, 19612), 1.0)],
)
def test_a_downsample_is_whole_where_rounding_explains_the_rest(
    level: tuple[int, int], expected: float
) -> None:
    assert downsample_of((13346, 19612), level) == pytest.approx(expected, abs=1e-3)
