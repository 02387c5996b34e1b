"""How far off a transform may be, place by place, from what its pictures still disagree about.

Where the way from one picture to the other and the way back end up apart, one of them is wrong; and
where no block of the one is found near its place on the other, nothing is known.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from stainapp.registration.blocks import BLOCK, match
from stainapp.registration.choosing import sampled
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.registration.view import Density, View, normalised
from stainapp.slides.tissue import Mask

NORMALISED_OVER_PX = 12.0
APART_OVER_PX = 8.0
"""Standard deviation, in pixels of the view, of the window over which the disagreement is averaged:
one place where the ways happen to agree says little."""
LEAST_WEIGHT = 1e-2
"""Of the tissue in that window."""
SCALE = 1.3
"""From the mean disagreement to the mean error at landmarks that people placed on serial sections
of a lung lesion: 1.2 to 1.5 times, 1.28 over three pairs of stains."""
FLOOR_PX = 0.3
"""Least error, in working pixels: what the interpolation between pixels leaves open."""
FACTORS = 1, 4
"""Reductions of the view at which blocks are sought: another stain may share no small details."""
SEEN_FROM = 9
"""Blocks around a place of which one must be found."""
FARTHEST = 2.0 * BLOCK
"""Working pixels from the nearest block beyond which nothing is said."""


def error_grid(
    transform: Transform, fixed: View, moving: View, where: Mask, apart: Density
) -> Grid:
    """Estimate the error of a transform, in level-0 pixels of the fixed slide; NaN if unknown.

    Args:
        transform: with its field.
        fixed: the slide it leads from.
        moving: the slide it leads to.
        where: tissue of ``fixed``.
        apart: (rows, columns) of ``fixed``, its pixels; see `deformation.Bend`.
    """
    frame, spacing = transform.fixed, BLOCK / 2 * fixed.cell_px
    grid = Grid.covering(frame.width_px, frame.height_px, spacing)
    ways = sampled(View(_around(apart, where), where, fixed.cell_px), grid.nodes)
    error = np.hypot(SCALE * ways, FLOOR_PX) * fixed.cell_px
    error[~_seen(transform, fixed, moving, where, grid.nodes)] = np.nan
    return Grid(error.reshape(grid.values.shape).astype(np.float32), spacing)


def _around(apart: Density, where: Mask) -> Density:
    """Average around each pixel over the tissue there, NaN if none: on glass ways go anywhere."""
    weight = gaussian_filter(where.astype(np.float32), APART_OVER_PX)
    total = gaussian_filter(apart * where, APART_OVER_PX)
    mean = total / np.maximum(weight, LEAST_WEIGHT)
    return np.where(weight < LEAST_WEIGHT, np.float32(np.nan), mean)


def _seen(
    transform: Transform,
    fixed: View,
    moving: View,
    where: Mask,
    points: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell at which level-0 points, (N,), some block around was found near its place."""
    laid = sampled(moving, transform.to_moving(fixed.centres())).reshape(fixed.shape)
    seen = np.zeros(len(points), bool)
    for factor in FACTORS:
        first, second = (
            View(d, where, fixed.cell_px).reduced(factor) for d in (fixed.density, laid)
        )
        one, other = (normalised(view.density, NORMALISED_OVER_PX) for view in (first, second))
        blocks = match(one, other, first.tissue)
        if len(blocks.centres):
            count = min(SEEN_FROM, len(blocks.centres))
            far, near = cKDTree(blocks.centres).query(points / first.cell_px, count)
            found = blocks.alike()[near].reshape(len(points), count).any(axis=1)
            seen |= found & (far.reshape(len(points), count)[:, 0] * factor <= FARTHEST)
    return seen
