"""Transforms from points that a person placed on both slides, and corrections by such points."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist, pdist
from skimage.transform import AffineTransform, SimilarityTransform

from stainapp.errors import RegistrationError
from stainapp.registration.grid import Grid, Points
from stainapp.registration.transform import Frame, Matrix, Transform, inverse_of, mapped
from stainapp.slides.reader import SlideInfo

NODES_ACROSS = 96
"""Nodes of a new field along the slide's longer side."""
STEEPEST = 0.7
"""How much a displacement may change per unit of way; from 1 on the slide would fold."""
FEWEST_FOR_AFFINE = 3
FEWEST_FOR_BEND = 6
FLATTEST = 0.02
"""Ratio of the spread across to the spread along below which points count as on one line."""


def from_points(
    fixed: SlideInfo,
    moving: SlideInfo,
    fixed_points: Points,
    moving_points: Points,
    *,
    mirrored: bool = False,
) -> Transform:
    """Lay the slides over each other by matched points alone.

    One pair gives a shift at true scale, two a similarity, three and more the best affine map
    (a similarity if they lie on one line), six and more a smooth deformation on top.

    Args:
        fixed: the slide that stays.
        moving: the other one.
        fixed_points: (N, 2) level-0 pixels.
        moving_points: (N, 2) level-0 pixels, in the same order.
        mirrored: whether the moving slide lies upside down; two pairs cannot tell.

    Raises:
        RegistrationError: there are none, they coincide, or they contradict each other.
    """
    a, b = _checked(fixed_points, moving_points)
    matrix = _map_through(Transform.identity(fixed, moving).pieces[0], a, b, mirrored=mirrored)
    straight = Transform(
        fixed=Frame.of(fixed), moving=Frame.of(moving), pieces=(matrix,), method="points"
    )
    if len(a) < FEWEST_FOR_BEND or _on_a_line(a):
        return replace(straight, landmarks=_rows(a, b))
    return replace(refined(straight, a, b, far=True), method="landmarks")


def refined(
    transform: Transform, fixed_points: Points, moving_points: Points, *, far: bool = False
) -> Transform:
    """Correct a transform so that it maps each of the fixed points onto its moving one.

    The correction is exact at the points, smooth between them and, unless ``far``, fades away
    from them: over the distance at which the points see their neighbours, as a Gaussian process
    with a Gaussian kernel would predict it.

    Args:
        transform: what to correct; stays as it is.
        fixed_points: (N, 2) level-0 pixels.
        moving_points: (N, 2) level-0 pixels, in the same order.
        far: continue the correction beyond the points, as a thin-plate spline does.

    Raises:
        RegistrationError: the points contradict each other: the slide would fold.
    """
    a, b = _checked(fixed_points, moving_points)
    back = tuple(inverse_of(matrix) for matrix in transform.pieces)
    wanted = mapped(back, transform.fixed_piece(a), b) - a
    field = transform.field or _new_field(transform, a)
    change = _spline(a, wanted - field.at(a), field) if far else _nearby(a, wanted, field)
    values = (field.values + change).astype(np.float32)
    _refuse_folds(values, field.spacing_px)
    return replace(
        transform,
        field=Grid(values, field.spacing_px),
        method=f"{transform.method}, refined" if transform.landmarks == () else transform.method,
        landmarks=_rows(a, b),
    )


def similarity_of(a: Points, b: Points, *, mirrored: bool = False) -> Matrix:
    """Return the best shift, turn and scale from points a to points b, (2, 3)."""
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0])
    estimate = SimilarityTransform.from_estimate(a @ flip, b)
    matrix: Matrix = np.asarray(estimate.params, np.float64)[:2]
    matrix[:, :2] = matrix[:, :2] @ flip
    return matrix


def affine_of(a: Points, b: Points) -> Matrix:
    """Return the best affine map in the least squares sense, (2, 3)."""
    matrix: Matrix = np.asarray(AffineTransform.from_estimate(a, b).params, np.float64)[:2]
    return matrix


def _map_through(shift: Matrix, a: Points, b: Points, *, mirrored: bool) -> Matrix:
    if len(a) == 1:
        turn = shift[:, :2] @ np.diag([-1.0 if mirrored else 1.0, 1.0])
        return np.column_stack([turn, b[0] - turn @ a[0]])
    if len(a) >= FEWEST_FOR_AFFINE and not _on_a_line(a):
        matrix = affine_of(a, b)
        if abs(np.linalg.det(matrix[:, :2])) < 1e-6:
            raise RegistrationError(
                "The points lie on one line on one of the slides only; check how they are paired."
            )
        return matrix
    return similarity_of(a, b, mirrored=mirrored)


def _nearby(a: Points, wanted: Points, field: Grid) -> NDArray[np.float64]:
    """Interpolate what is missing at the points by a Gaussian process with mean zero."""
    missing = wanted - field.at(a)
    reach = _reach(a, field)
    # Half a thousandth of noise keeps near-equal points solvable.
    weights = np.linalg.solve(_kernel(a, a, reach) + 5e-4 * np.eye(len(a)), missing)
    change: NDArray[np.float64] = _kernel(field.nodes, a, reach) @ weights
    return change.reshape(field.values.shape)


def _reach(a: Points, field: Grid) -> float:
    """Return over which distance a correction fades: one and a half times to the neighbour."""
    rows, columns = field.values.shape[:2]
    most = 0.25 * max(rows, columns) * field.spacing_px
    if len(a) == 1:
        return float(most)
    between = cdist(a, a)
    np.fill_diagonal(between, np.inf)
    near = 1.5 * float(np.median(between.min(axis=1)))
    return float(min(max(near, 2 * field.spacing_px), most))


def _kernel(a: Points, b: Points, reach: float) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = np.exp(-0.5 * (cdist(a, b) / reach) ** 2)
    return kernel


def _spline(a: Points, missing: Points, field: Grid) -> NDArray[np.float64]:
    spline = RBFInterpolator(a, missing, kernel="thin_plate_spline", degree=1)
    change: NDArray[np.float64] = spline(field.nodes)
    return change.reshape(field.values.shape)


def _new_field(transform: Transform, a: Points) -> Grid:
    """Return a field of zeros, fine enough to hold what the points say."""
    width, height = transform.fixed.width_px, transform.fixed.height_px
    spacing = max(width, height) / NODES_ACROSS
    if len(a) > 1:
        spacing = min(spacing, max(float(pdist(a).min()), max(width, height) / 512))
    return Grid.covering(width, height, spacing, 2)


def _refuse_folds(values: NDArray[np.float32], spacing: float) -> None:
    if steepness(values, spacing) > STEEPEST:
        raise RegistrationError(
            "The landmarks contradict each other: the slide would fold between them; "
            "check that each is paired with its own, and remove those that are not."
        )


def steepness(values: NDArray[np.float32], spacing: float) -> float:
    """Return the largest change of a displacement (rows, columns, 2) per unit of way."""
    steps = [np.linalg.norm(np.diff(values, axis=axis), axis=2) for axis in (0, 1)]
    return max([float(step.max()) for step in steps if step.size], default=0.0) / spacing


def _checked(fixed_points: Points, moving_points: Points) -> tuple[Points, Points]:
    a, b = (np.asarray(p, np.float64).reshape(-1, 2) for p in (fixed_points, moving_points))
    if len(a) != len(b) or len(a) == 0:
        raise RegistrationError(
            f"{len(a)} points on the fixed slide and {len(b)} on the moving one make no pairs; "
            "place as many on each."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise RegistrationError("A landmark has no place; remove it.")
    for points in (a, b):
        if len(points) > 1 and pdist(points).min() < 1e-3:
            raise RegistrationError("Two landmarks lie on the same point; remove one of them.")
    return a, b


def _on_a_line(a: Points) -> bool:
    spread = np.linalg.svd(a - a.mean(axis=0), compute_uv=False)
    return bool(spread[-1] < FLATTEST * spread[0])


def _rows(a: Points, b: Points) -> tuple[tuple[float, float, float, float], ...]:
    return tuple(
        (float(x), float(y), float(u), float(v)) for (x, y), (u, v) in zip(a, b, strict=True)
    )
