"""Agreement beyond chance, against published examples."""

import numpy as np
import pytest

from stainapp.compare.kappa import Ratings, cohen, fleiss, fleiss_of_counts
from stainapp.errors import StainAppError

COHEN_1960 = ((88, 14, 18), (10, 40, 10), (2, 6, 12))
"""Two judges and 200 people: Cohen (1960), table 1, as counts. Kappa is .492."""
FLEISS_1971 = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip
"""Fourteen readers, ten fields, five categories, much used as an example. Kappa is .210."""


def ratings_of(table: tuple[tuple[int, ...], ...]) -> Ratings:
    pairs = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return np.array(pairs, np.int64)


def test_cohens_own_example_comes_out_as_published() -> None:
    found = cohen(ratings_of(COHEN_1960), 3)

    assert found.estimate == pytest.approx(0.492, abs=5e-4)
    # His large-sample standard error is sqrt(.70 * .30 / (200 * .59^2)) = .055.
    assert found.low == pytest.approx(0.492 - 1.96 * 0.055, abs=0.03)
    assert found.high == pytest.approx(0.492 + 1.96 * 0.055, abs=0.03)


def test_fleiss_example_comes_out_as_published() -> None:
    found = fleiss_of_counts(np.array(FLEISS_1971))

    assert found.estimate == pytest.approx(0.210, abs=5e-4)
    assert found.low < found.estimate < found.high


def test_a_near_miss_counts_less_the_heavier_it_is_weighed() -> None:
    near = ratings_of(((8, 2, 0), (2, 8, 2), (0, 2, 8)))

    plain, linear, square = (
        cohen(near, 3, weights=w).estimate for w in ("none", "linear", "quadratic")
    )

    assert plain < linear < square < 1
    # By hand: 24 of 32 agree; margins 10, 12, 10 of 32.
    assert plain == pytest.approx((24 / 32 - 344 / 1024) / (1 - 344 / 1024))
    missed, chance = 8 * 0.25 / 32, (4 * 120 * 0.25 + 2 * 100) / 1024
    assert square == pytest.approx(1 - missed / chance)


def test_of_two_categories_weights_change_nothing() -> None:
    two = ratings_of(((20, 5), (10, 15)))

    assert cohen(two, 2).estimate == pytest.approx(0.4)
    assert cohen(two, 2, weights="quadratic").estimate == pytest.approx(0.4)


def test_of_as_many_readers_as_two_fleiss_pools_what_cohen_keeps_apart() -> None:
    # Scott's pi, of which Fleiss' is the generalisation: margins are shared.
    two = ratings_of(((20, 5), (10, 15)))
    shares = np.array([55, 45]) / 100
    chance = float((shares**2).sum())

    assert fleiss(two, 2).estimate == pytest.approx((0.7 - chance) / (1 - chance))


def test_readers_who_always_say_the_same_agree() -> None:
    same = np.zeros((6, 2), np.int64)

    assert cohen(same, 2).estimate == fleiss(same, 2).estimate == 1


def test_regions_are_resampled_as_a_whole() -> None:
    rng = np.random.default_rng(3)
    often = np.repeat(rng.integers(0, 2, (12, 2)), 10, axis=0)
    regions = [n // 10 for n in range(120)]

    alone, together = cohen(often, 2), cohen(often, 2, regions)

    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.clusters == 12


@pytest.mark.parametrize(
    "ratings",
    [np.zeros((3, 1), np.int64), np.zeros((0, 2), np.int64), np.full((3, 2), 5)],
)
def test_what_no_kappa_can_be_of_is_refused(ratings: Ratings) -> None:
    for kappa in (cohen, fleiss):
        with pytest.raises(StainAppError):
            kappa(ratings, 2)


def test_fields_that_some_have_not_rated_are_refused() -> None:
    with pytest.raises(StainAppError, match="as many readers"):
        fleiss_of_counts(np.array([[2, 0], [1, 0]]))
