"""95 % intervals by the bootstrap, resampling regions rather than tiles.

Tiles of one region look alike, so that resampling single tiles would promise more than was
measured. Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; whole
clusters as in Davison & Hinkley, Bootstrap Methods (1997), section 3.8.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stainapp.errors import StainAppError

Statistic = Callable[[NDArray[Any]], float]
"""Of values ``(N, ...)``, one row a tile."""

SumStatistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Of sums ``(..., K)``, one statistic for each: ``(...)``."""

Rows = NDArray[np.int64]
Distance = Callable[[Rows, Rows], float]
"""Between chosen rows of one set and of another; a row may be chosen more than once."""

RESAMPLES = 2000
SET_RESAMPLES = 200
"""Of distances between sets, each of which takes as long as all of `RESAMPLES` means."""
DRAWS_AT_ONCE = 1 << 20
"""Of tiles, so that resampling a large slide needs little memory."""
FEW_CLUSTERS = 10
"""Below it the interval is known to be too narrow, and tables say so."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic and where it would lie in 95 of 100 repetitions."""

    estimate: float
    low: float
    high: float
    n: int
    """Tiles."""
    clusters: int
    """Regions they come from."""
    clustered: bool
    """Whether regions were resampled. False where there is but one: then tiles were, and
    the interval says nothing about other regions."""


def mean(values: NDArray[Any]) -> float:
    return float(np.mean(values))


def interval(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    statistic: Statistic = mean,
    n: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a statistic with its percentile interval; the same for the same seed.

    Args:
        values: ``(N, ...)``, one row a tile, all finite.
        clusters: the region of each.
        statistic: of the rows.
        n: resamples.
        seed: of the random choice.

    Raises:
        StainAppError: there are no values, not as many regions, or a value is not finite.
    """
    rows, groups = _grouped(values, clusters)
    replicates = _replicates(rows, groups, statistic, n, seed)
    low, high = np.percentile(replicates, [2.5, 97.5])
    return Interval(
        statistic(rows), float(low), float(high), len(rows), _count(clusters), _count(clusters) > 1
    )


def intervals_of_sums(
    rows: Rows | NDArray[np.float64],
    clusters: Sequence[Hashable],
    statistics: Sequence[SumStatistic],
    n: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Return statistics of what tiles sum up to, all over the same resamples.

    The same figures as `interval` with a statistic that sums its rows first, from one product
    of matrices: a slide has thousands of tiles and some twenty measures of each region.

    Args:
        rows: ``(N, K)``, one row a tile, all finite.
        clusters: the region of each.
        statistics: of sums ``(..., K)``, giving ``(...)``, each finite.
        n: resamples.
        seed: of the random choice.

    Raises:
        StainAppError: as `interval`.
    """
    values, groups = _grouped(rows, clusters)
    sums = np.array([values[group].sum(axis=0) for group in groups], np.float64)
    count, rng = len(groups), np.random.default_rng(seed)
    step = max(1, DRAWS_AT_ONCE // count)
    drawn = np.concatenate(
        [
            rng.multinomial(count, np.full(count, 1 / count), min(step, n - at)) @ sums
            for at in range(0, n, step)
        ]
    )
    whole, regions = sums.sum(axis=0), _count(clusters)
    found = []
    for statistic in statistics:
        low, high = np.percentile(statistic(drawn), [2.5, 97.5])
        estimate = float(statistic(whole))
        found.append(Interval(estimate, float(low), float(high), len(values), regions, regions > 1))
    return found


def interval_between(
    distance: Distance,
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    least: float = -np.inf,
    seed: int = 0,
) -> Interval:
    """Return a distance between two sets with a 95 % interval; regions of both are resampled.

    Tiles that are repeated make a set look narrower than it is, and so move every resampled
    distance. Only the spread of these is used, laid around the estimate.

    Args:
        distance: of rows of the two sets.
        first: the region of each tile of the reference.
        second: of each tile of the other set.
        least: what no distance of this kind can be below.
        seed: of the random choice.
    """
    rng = np.random.default_rng(seed)
    groups = [_groups(clusters) for clusters in (first, second)]
    estimate = distance(np.arange(len(first)), np.arange(len(second)))
    distances = [
        distance(*(np.concatenate([g[i] for i in rng.integers(0, len(g), len(g))]) for g in groups))
        for _ in range(SET_RESAMPLES)
    ]
    off = np.percentile(distances, [2.5, 97.5]) - np.median(distances)
    low, high = (max(least, estimate + float(one)) for one in off)
    count = _count(second)
    return Interval(estimate, low, high, len(second), count, count > 1)


def _grouped(values: ArrayLike, clusters: Sequence[Hashable]) -> tuple[NDArray[Any], list[Rows]]:
    """Return the values and the rows of each group to resample: regions, or single tiles."""
    rows = np.asarray(values)
    if len(rows) == 0 or len(rows) != len(clusters):
        raise StainAppError(
            f"{len(rows)} values of {len(clusters)} regions give no interval; "
            "name the region of each tile."
        )
    if not np.isfinite(rows).all():
        raise StainAppError("A measure is not finite; leave out the tiles it has no value for.")
    return rows, _groups(clusters)


def _groups(clusters: Sequence[Hashable]) -> list[Rows]:
    """Return what is resampled as a whole: regions, or single tiles where there is but one."""
    return list(np.arange(len(clusters))[:, None]) if _count(clusters) == 1 else members(clusters)


def members(clusters: Sequence[Hashable]) -> list[Rows]:
    """Return the rows of each region, regions in the order they are first met."""
    found: dict[Hashable, list[int]] = {}
    for row, cluster in enumerate(clusters):
        found.setdefault(cluster, []).append(row)
    return [np.asarray(rows, np.int64) for rows in found.values()]


def _count(clusters: Sequence[Hashable]) -> int:
    return len(set(clusters))


def _replicates(
    rows: NDArray[Any],
    groups: list[Rows],
    statistic: Statistic,
    n: int,
    seed: int,
) -> NDArray[np.float64]:
    draws = np.random.default_rng(seed).integers(0, len(groups), (n, len(groups)))
    if statistic is mean and rows.ndim == 1:  # the same figures from sums, a hundred times faster
        sums = np.array([rows[group].sum() for group in groups], np.float64)
        sizes = np.array([len(group) for group in groups])
        means: NDArray[np.float64] = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
        return means
    return np.array([statistic(rows[np.concatenate([groups[i] for i in draw])]) for draw in draws])
