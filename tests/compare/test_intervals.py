import numpy as np
import pytest

from stainapp.compare.intervals import interval, intervals_of_sums
from stainapp.errors import StainAppError

REGIONS = [f"region {n}" for n in range(30) for _ in range(8)]


def clustered_values(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Eight tiles of each of 30 regions; regions differ more than their tiles. The mean is 5."""
    rng = np.random.default_rng(seed)
    return 5 + np.repeat(rng.normal(0, 1, 30), 8) + rng.normal(0, 0.5, 240)


def test_nineteen_in_twenty_intervals_hold_the_truth_though_tiles_are_alike() -> None:
    def holds(seed: int, clusters: list[str]) -> bool:
        found = interval(clustered_values(seed), clusters, n=400)
        return found.low <= 5 <= found.high

    by_region = sum(holds(seed, REGIONS) for seed in range(300))
    by_tile = sum(holds(seed, [str(n) for n in range(240)]) for seed in range(300))

    assert 270 <= by_region <= 294
    assert by_tile < 210


def test_another_statistic_of_the_same_values_is_resampled_alike() -> None:
    values = clustered_values(1)

    fast = interval(values, REGIONS, n=200)
    slow = interval(values, REGIONS, lambda rows: float(np.sum(rows) / len(rows)), n=200)

    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high))
    assert (fast.n, fast.clusters, fast.clustered) == (240, 30, True)
    assert fast.low < fast.estimate < fast.high


def test_regions_of_any_size_and_order_belong_together() -> None:
    values, regions = [1.0, 9.0, 1.0, 1.0, 9.0], ["a", "b", "a", "a", "b"]

    found = interval(values, regions)

    assert (found.low, found.high) == (1, 9)  # both resamples of one region alone occur


def test_a_single_region_falls_back_to_its_tiles_and_says_so() -> None:
    found = interval([1.0, 2, 3, 4], ["a"] * 4)

    assert not found.clustered
    assert found.clusters == 1
    assert 1 <= found.low < 2.5 < found.high <= 4


def test_the_same_seed_gives_the_same_interval() -> None:
    values = clustered_values(2)

    assert interval(values, REGIONS, seed=3) == interval(values, REGIONS, seed=3)
    assert interval(values, REGIONS, seed=3) != interval(values, REGIONS, seed=4)


@pytest.mark.parametrize(
    ("values", "clusters", "words"),
    [([], [], "0 values"), ([1.0, 2], ["a"], "2 values of 1"), ([np.nan], ["a"], "not finite")],
)
def test_values_without_a_meaning_are_refused(
    values: list[float], clusters: list[str], words: str
) -> None:
    with pytest.raises(StainAppError, match=words):
        interval(values, clusters)


def test_sums_are_resampled_as_their_rows_would_be() -> None:
    rng = np.random.default_rng(5)
    rows = rng.uniform(1, 2, (240, 2))

    def share(
        sums: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(sums[..., 0] / sums[..., 1])

    slow = interval(rows, REGIONS, lambda chosen: float(share(chosen.sum(axis=0))))
    (fast,) = intervals_of_sums(rows, REGIONS, [share])

    assert fast.estimate == pytest.approx(slow.estimate)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), rel=0.01)
    assert (fast.n, fast.clusters, fast.clustered) == (240, 30, True)


def test_sums_of_one_region_fall_back_to_its_tiles() -> None:
    rows = np.array([[1.0, 1.0], [3.0, 1.0]])

    (found,) = intervals_of_sums(rows, ["a", "a"], [lambda sums: sums[..., 0] / sums[..., 1]])

    assert (found.low, found.estimate, found.high) == (1, 2, 3)
    assert not found.clustered
