"""FD-OD: how far one set of tiles is from another in what `texture` tells of them.

The Fréchet distance between Gaussians fitted to both sets (Dowson & Landau, J Multivar Anal
12:450-455, 1982), as FID takes it of Inception's features. It is no FID and cannot be set
beside one: only distances to the same reference set can be compared.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.intervals import Interval, members
from stainapp.errors import StainAppError

NAME = "FD-OD"
LEAST_TILES = 8
_LEAST_SPREAD = 1e-3
"""A feature that hardly varies in the reference would otherwise outweigh all others."""

Features = NDArray[np.float64]


def frechet(reference: Features, other: Features) -> float:
    """Return the squared Fréchet distance; 0 for equal sets.

    Both are measured in standard deviations of the reference's features, so swapping them
    gives another number. Covariances are shrunk (Ledoit & Wolf, J Multivar Anal 88:365-411,
    2004), which keeps the distance steady from some 60 tiles on; below that it is biased.

    Args:
        reference: ``(N, F)``, as `texture.features` gives them.
        other: ``(M, F)``.

    Raises:
        StainAppError: a set has too few tiles.
    """
    for rows in (reference, other):
        if len(rows) < LEAST_TILES:
            raise StainAppError(
                f"{NAME} needs at least {LEAST_TILES} tiles in each set, not {len(rows)}; "
                "choose larger regions."
            )
    return _distance(*_scaled(reference, other))


def _scaled(reference: Features, other: Features) -> tuple[Features, Features]:
    spread = np.maximum(reference.std(axis=0), _LEAST_SPREAD)
    return reference / spread, other / spread


def _distance(first: Features, second: Features) -> float:
    shift = first.mean(axis=0) - second.mean(axis=0)
    a, b = shrunk_covariance(first), shrunk_covariance(second)
    root = _root(a)
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    return max(0.0, float(shift @ shift + np.trace(a) + np.trace(b) - 2 * shared))


def frechet_interval(
    reference: Features,
    other: Features,
    reference_clusters: Sequence[Hashable],
    other_clusters: Sequence[Hashable],
    n: int = 200,
    seed: int = 0,
) -> Interval:
    """Return the distance with a 95 % interval; regions of both sets are resampled.

    Repeated tiles shrink covariances and so push every resampled distance up. Only their
    spread is used, laid around the estimate.
    """
    rng = np.random.default_rng(seed)
    estimate = frechet(reference, other)
    first, second = _scaled(reference, other)
    distances = [
        _distance(
            first[_resampled(reference_clusters, rng)], second[_resampled(other_clusters, rng)]
        )
        for _ in range(n)
    ]
    off = np.percentile(distances, [2.5, 97.5]) - np.median(distances)
    clusters = len(set(other_clusters))
    low, high = max(0.0, estimate + float(off[0])), estimate + float(off[1])
    return Interval(estimate, low, high, len(other), clusters, clusters > 1)


def _resampled(clusters: Sequence[Hashable], rng: np.random.Generator) -> NDArray[np.int64]:
    groups = members(clusters)
    if len(groups) == 1:
        return rng.integers(0, len(clusters), len(clusters))
    return np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])


def shrunk_covariance(rows: Features) -> Features:
    """Return the covariance of ``(N, F)``, drawn towards a multiple of the identity.

    By as much as Ledoit & Wolf (2004) find best: lemma 3.2 to 3.5 there.
    """
    count, width = rows.shape
    centred = rows - rows.mean(axis=0)
    sample = centred.T @ centred / count
    level = float(np.trace(sample)) / width
    away = float(((sample - level * np.eye(width)) ** 2).sum())
    squares = float(((centred**2).sum(axis=1) ** 2).sum())
    noise = (squares / count - float((sample**2).sum())) / count
    share = min(1.0, noise / away) if away > 0 else 0.0
    shrunk: Features = share * level * np.eye(width) + (1 - share) * sample
    return shrunk


def _root(matrix: Features) -> Features:
    values, vectors = np.linalg.eigh(matrix)
    root: Features = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
