"""How far people agree beyond chance: Cohen's and Fleiss' kappa, with bootstrap intervals.

Cohen, Educ Psychol Meas 20:37-46 (1960), weighted for ordered scores as in his Psychol Bull
70:213-220 (1968); Fleiss, Psychol Bull 76:378-382 (1971) for any number of readers.
"""

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.intervals import Interval, SumStatistic, intervals_of_sums
from stainapp.errors import StainAppError

Ratings = NDArray[np.int64]
"""``(fields, readers)``: the category of each, from 0."""
Weights = Literal["none", "linear", "quadratic"]
"""How near misses count: not at all, or by the distance of the categories or its square."""

UNDEFINED = 1.0
"""Where all say the same of everything there is no chance to agree beyond; kappa then is 0 / 0,
and what was seen is agreement."""


def cohen(
    ratings: Ratings,
    categories: int,
    clusters: Sequence[Hashable] | None = None,
    weights: Weights = "none",
) -> Interval:
    """Return Cohen's kappa of two readers, with a 95 % interval.

    Args:
        ratings: ``(N, 2)``.
        categories: how many there are.
        clusters: what the fields come from and is resampled as a whole; None for the fields.
        weights: for ordered categories, how a near miss counts.

    Raises:
        StainAppError: there are not two readers, no fields, or a category that is none.
    """
    _check(ratings, categories)
    if ratings.shape[1] != 2:
        raise StainAppError(
            f"Cohen's kappa is of two readers, not {ratings.shape[1]}; take Fleiss' for more."
        )
    miss = _misses(categories, weights)
    # Each field adds one to a cell of the table of both readers' answers.
    tables = np.zeros((len(ratings), categories * categories))
    tables[np.arange(len(ratings)), ratings[:, 0] * categories + ratings[:, 1]] = 1

    def kappa(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        table = sums.reshape(*sums.shape[:-1], categories, categories)
        shares = table / table.sum(axis=(-2, -1), keepdims=True)
        seen = (shares * miss).sum(axis=(-2, -1))
        first, second = shares.sum(axis=-1), shares.sum(axis=-2)
        chance = np.einsum("...i,ij,...j->...", first, miss, second)
        return _beyond(seen, chance)

    return _interval(tables, clusters, kappa)


def fleiss(
    ratings: Ratings, categories: int, clusters: Sequence[Hashable] | None = None
) -> Interval:
    """Return Fleiss' kappa of two or more readers who all rated all fields.

    Args:
        ratings: ``(N, readers)``.
        categories: how many there are.
        clusters: as in `cohen`.

    Raises:
        StainAppError: there are fewer than two readers, no fields, or a category that is none.
    """
    _check(ratings, categories)
    readers = ratings.shape[1]
    if readers < 2:
        raise StainAppError("One reader agrees with nobody; kappa needs two or more.")
    counts = np.stack([(ratings == one).sum(axis=1) for one in range(categories)], axis=1)
    return fleiss_of_counts(counts, clusters)


def fleiss_of_counts(
    counts: NDArray[np.int64], clusters: Sequence[Hashable] | None = None
) -> Interval:
    """Return Fleiss' kappa of how many readers put each field into each category, ``(N, K)``.

    Raises:
        StainAppError: the fields were not all rated by the same number of readers, two or more.
    """
    readers = int(counts[0].sum()) if len(counts) else 0
    if readers < 2 or (counts.sum(axis=1) != readers).any():
        raise StainAppError("Each field must have been rated by as many readers, two or more.")
    pairs = (counts * (counts - 1)).sum(axis=1) / (readers * (readers - 1))
    rows = np.column_stack([np.ones(len(counts)), pairs, counts])

    def kappa(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        number, agreeing, often = sums[..., 0], sums[..., 1], sums[..., 2:]
        shares = often / (number[..., None] * readers)
        chance = (shares**2).sum(axis=-1)
        return _beyond(1 - agreeing / number, 1 - chance)

    return _interval(rows, clusters, kappa)


def _beyond(missed: NDArray[np.float64], by_chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 less the disagreement that was seen over that which chance would give."""
    some = by_chance > 1e-12
    return np.where(some, 1 - missed / np.where(some, by_chance, 1.0), UNDEFINED)


def _misses(categories: int, weights: Weights) -> NDArray[np.float64]:
    apart = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories)))
    if weights == "none":
        return np.asarray(apart > 0, np.float64)
    power = 1 if weights == "linear" else 2
    return np.asarray((apart / max(1, categories - 1)) ** power, np.float64)


def _interval(
    rows: NDArray[np.float64], clusters: Sequence[Hashable] | None, kappa: SumStatistic
) -> Interval:
    (found,) = intervals_of_sums(rows, clusters or list(range(len(rows))), [kappa])
    return found


def _check(ratings: Ratings, categories: int) -> None:
    if ratings.ndim != 2 or not len(ratings):
        raise StainAppError("Nobody has rated the same fields; kappa needs some that all have.")
    if ratings.min() < 0 or ratings.max() >= categories:
        raise StainAppError(f"A rating lies outside the {categories} categories there are.")
