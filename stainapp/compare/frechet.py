"""The Fréchet distance between Gaussians fitted to two sets of features.

Dowson & Landau, J Multivar Anal 12:450-455 (1982). Of Inception's features as they are it is
FID (`plain_frechet`); of what `texture` tells of tiles it is FD-OD (`frechet`), which is no FID
and cannot be set beside one: only distances to the same reference set can be compared.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.intervals import Interval, interval_between
from stainapp.errors import StainAppError

NAME = "FD-OD"
LEAST_TILES = 8
LEAST_SPREAD = 1e-3
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
    check_sizes(reference, other, NAME)
    return _distance(*_scaled(reference, other))


def plain_frechet(first: Features, second: Features) -> float:
    """Return the squared distance of features as they are: FID, of Inception's.

    Heusel et al., NeurIPS 2017, equation 6, with unbiased covariances. Of fewer tiles than some
    thousands it is far too large, by an amount that depends on their number.

    Args:
        first: ``(N, F)``.
        second: ``(M, F)``.
    """
    a, b = (rows - rows.mean(axis=0) for rows in (first, second))
    a, b = a / np.sqrt(len(a) - 1), b / np.sqrt(len(b) - 1)
    # The root of a.T a b.T b has the trace that the singular values of a b.T sum up to, and
    # that matrix is as small as the smaller of tiles and features.
    shared = np.linalg.svd(_reduced(a) @ _reduced(b).T, compute_uv=False).sum()
    shift = first.mean(axis=0) - second.mean(axis=0)
    return max(0.0, float(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * shared))


def _reduced(rows: Features) -> Features:
    """Return at most as many rows as features, with the same ``rows.T @ rows``."""
    if len(rows) <= rows.shape[1]:
        return rows
    return np.asarray(np.linalg.qr(rows, mode="r"))


def check_sizes(reference: Features, other: Features, name: str) -> None:
    """Refuse sets too small for a distance.

    Raises:
        StainAppError: names the distance and what it needs.
    """
    for rows in (reference, other):
        if len(rows) < LEAST_TILES:
            raise StainAppError(
                f"{name} needs at least {LEAST_TILES} tiles in each set, not {len(rows)}; "
                "choose larger regions."
            )


def _scaled(reference: Features, other: Features) -> tuple[Features, Features]:
    spread = np.maximum(reference.std(axis=0), LEAST_SPREAD)
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
) -> Interval:
    """Return the distance of `frechet` with a 95 % interval; see `interval_between`."""
    check_sizes(reference, other, NAME)
    first, second = _scaled(reference, other)
    return interval_between(
        lambda a, b: _distance(first[a], second[b]), reference_clusters, other_clusters, least=0.0
    )


def plain_frechet_interval(
    first: Features,
    second: Features,
    first_clusters: Sequence[Hashable],
    second_clusters: Sequence[Hashable],
) -> Interval:
    """Return the distance of `plain_frechet` with a 95 % interval; see `interval_between`."""
    return interval_between(
        lambda a, b: plain_frechet(first[a], second[b]), first_clusters, second_clusters, least=0.0
    )


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
