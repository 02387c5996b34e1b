"""How far one set of features is from another by a kernel: KID's distance, of any features.

The squared maximum mean discrepancy (Gretton et al., JMLR 13:723-773, 2012, equation 3) with the
cubic kernel ``(x . y / d + 1) ** 3`` of Binkowski et al., ICLR 2018. Its estimate has no bias,
so it can be believed of few tiles, and can come out below 0 where there is no difference.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.frechet import LEAST_SPREAD, Features, check_sizes
from stainapp.compare.intervals import Interval, Rows, interval_between

NAME = "KD-OD"
"""Of the features of `texture`. It is no KID, which is of Inception's."""


def kernel_distance(first: Features, second: Features) -> float:
    """Return the unbiased estimate over all tiles at once; 0 is expected of equal populations.

    KID as published is its mean over random subsets of 1000, which estimates the same number.

    Args:
        first: ``(N, F)`` features.
        second: ``(M, F)``.

    Raises:
        StainAppError: a set has too few tiles.
    """
    check_sizes(first, second, "A kernel distance")
    return _Kernels(first, second).distance(np.arange(len(first)), np.arange(len(second)))


def kernel_interval(
    first: Features,
    second: Features,
    first_clusters: Sequence[Hashable],
    second_clusters: Sequence[Hashable],
) -> Interval:
    """Return the distance with a 95 % interval; see `interval_between`."""
    check_sizes(first, second, "A kernel distance")
    return interval_between(_Kernels(first, second).distance, first_clusters, second_clusters)


def standardised(reference: Features, other: Features) -> tuple[Features, Features]:
    """Return both sets in deviations of the reference's features from their means.

    For features of different units; KID takes Inception's as they are.
    """
    mean = reference.mean(axis=0)
    spread = np.maximum(reference.std(axis=0), LEAST_SPREAD)
    return (reference - mean) / spread, (other - mean) / spread


class _Kernels:
    """The kernel of every pair, so that resampling costs sums alone."""

    def __init__(self, first: Features, second: Features) -> None:
        self._first, self._both, self._second = (
            (a @ b.T / a.shape[1] + 1) ** 3
            for a, b in ((first, first), (first, second), (second, second))
        )

    def distance(self, rows: Rows, columns: Rows) -> float:
        a = np.bincount(rows, minlength=len(self._first)).astype(np.float64)
        b = np.bincount(columns, minlength=len(self._second)).astype(np.float64)
        across = a @ self._both @ b / (a.sum() * b.sum())
        return float(_within(self._first, a) + _within(self._second, b) - 2 * across)


def _within(kernel: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return the mean over pairs of two tiles; a tile drawn twice makes no pair with itself."""
    own = counts**2 @ np.diag(kernel)
    pairs = counts.sum() ** 2 - (counts**2).sum()
    if not pairs:  # only one tile was drawn, again and again
        return float(own / counts.sum() ** 2)
    return float((counts @ kernel @ counts - own) / pairs)
