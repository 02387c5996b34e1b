"""How far landmarks lie from where a transform, or the other landmarks, expect them."""

import numpy as np
from numpy.typing import NDArray

from stainapp.registration.grid import Points
from stainapp.registration.transform import Matrix, Transform

FEWEST_FOR_SIMILARITY, FEWEST_FOR_AFFINE = 2, 5
"""Other pairs that are needed to expect one; an affine map of three follows every mistake."""
FEWEST_TO_DOUBT = 4
DOUBTFUL = 6.0
"""How many times as far off as the others are among themselves a pair is contradicted by them."""
SMALLEST_SHARE = 1e-3
"""The others are never taken to agree better than to this share of the distance they span."""


def misses_px(transform: Transform, fixed: Points, moving: Points) -> NDArray[np.float64]:
    """Return how far each pair is from fitting, (N,), in level-0 pixels of the fixed slide."""
    if len(fixed) == 0:
        return np.zeros(0)
    away = np.linalg.norm(transform.to_moving(fixed) - moving, axis=1)
    scales = np.array([scale_of(matrix) for matrix in transform.pieces])
    found: NDArray[np.float64] = away / scales[transform.fixed_piece(fixed)]
    return found


def others_expect_px(
    fixed: Points, moving: Points, *, mirrored: bool = False
) -> NDArray[np.float64]:
    """Return how far each pair is from where the others expect it, (N,), in fixed pixels.

    The others' best similarity, from five of them on their best affine map. A pair that was
    matched wrongly stands out, which it does not against a map that was fitted to it too. NaN
    where there are fewer than two others, or those are all in one place.
    """
    result = np.full(len(fixed), np.nan)
    for one in range(len(fixed)):
        others = np.arange(len(fixed)) != one
        matrix = _map_of(fixed[others], moving[others], mirrored=mirrored)
        if matrix is not None:
            result[one] = _away(matrix, fixed[[one]], moving[[one]])[0]
    return result


def contradicted(fixed: Points, moving: Points, *, mirrored: bool = False) -> int | None:
    """Return which pair all others contradict, who agree among themselves; None if there is none.

    One wrong pair pulls at every map that is fitted to it as well. So each is left out in turn,
    and the one is named without which the rest fits best compared with how far off it is.
    """
    if len(fixed) < FEWEST_TO_DOUBT:
        return None
    scores = np.zeros(len(fixed))
    for one in range(len(fixed)):
        others = np.arange(len(fixed)) != one
        a, b = fixed[others], moving[others]
        matrix = _map_of(a, b, mirrored=mirrored)
        if matrix is None:
            continue
        unknowns = 4 if len(a) < FEWEST_FOR_AFFINE else 6
        spread = np.sqrt((_away(matrix, a, b) ** 2).sum() / (2 * len(a) - unknowns))
        least = SMALLEST_SHARE * float(np.linalg.norm(np.ptp(a, axis=0)))
        off = _away(matrix, fixed[[one]], moving[[one]])[0]
        scores[one] = off / max(float(spread), least, 1e-9)
    worst = int(np.argmax(scores))
    return worst if scores[worst] > DOUBTFUL else None


def scale_of(matrix: Matrix) -> float:
    """Return by how much an affine map enlarges lengths: root mean square over all directions."""
    return float(np.sqrt((matrix[:, :2] ** 2).sum() / 2))


def _away(matrix: Matrix, fixed: Points, moving: Points) -> NDArray[np.float64]:
    """Return how far a map misses the moving points, (N,), in fixed pixels."""
    expected = fixed @ matrix[:, :2].T + matrix[:, 2]
    found: NDArray[np.float64] = np.linalg.norm(expected - moving, axis=1)
    return found / max(scale_of(matrix), 1e-9)


def _map_of(fixed: Points, moving: Points, *, mirrored: bool) -> Matrix | None:
    """Return the best map of some pairs, affine where they are enough; None if they say nothing.

    Least squares of smallest norm: what points on one line cannot tell is left as it is.
    """
    if len(fixed) < FEWEST_FOR_SIMILARITY or not np.ptp(fixed, axis=0).any():
        return None
    middle, onto = fixed.mean(axis=0), moving.mean(axis=0)
    a, b = fixed - middle, moving - onto
    if len(a) < FEWEST_FOR_AFFINE:
        turn = _turn_of(a, b, mirrored=mirrored)
    else:
        turn = np.linalg.lstsq(a, b, rcond=None)[0].T
    return np.column_stack([turn, onto - turn @ middle])


def _turn_of(a: Points, b: Points, *, mirrored: bool) -> NDArray[np.float64]:
    """Return the best turn and scale of centred points, as numbers of the complex plane."""
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0])
    z, w = ((p @ f).view(np.complex128).ravel() for p, f in ((a, flip), (b, np.eye(2))))
    factor = np.vdot(z, w) / np.vdot(z, z)
    turn: NDArray[np.float64] = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return turn @ flip
