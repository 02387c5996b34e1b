"""How far off a transform may be, place by place, from what its pictures still disagree about."""

import numpy as np
from scipy.spatial import cKDTree

from stainapp.registration.blocks import BLOCK, Blocks, match
from stainapp.registration.choosing import sampled
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.registration.view import View, normalised
from stainapp.slides.tissue import Mask

NORMALISED_OVER_PX = 12.0
SEEN_FROM = 9
"""Blocks that an estimate at one place rests on."""
FLOOR_PX = 0.3
"""Least error, in working pixels: what the interpolation between pixels leaves open."""
SCALE = 1.0
"""From the blocks' remaining shifts to errors at landmarks that people placed."""
LEAST_SHARE = 1 / SEEN_FROM
FARTHEST = 2.0 * BLOCK
"""Working pixels from the nearest block beyond which nothing is said."""


def error_grid(transform: Transform, fixed: View, moving: View, where: Mask) -> Grid:
    """Estimate the error of a transform, in level-0 pixels of the fixed slide; NaN off tissue."""
    moved = transform.to_moving(fixed.centres())
    warped = sampled(moving, moved).reshape(fixed.shape)
    first, second = (normalised(d, NORMALISED_OVER_PX) for d in (fixed.density, warped))
    return _spread(match(first, second, where), fixed, transform)


def _spread(blocks: Blocks, fixed: View, transform: Transform) -> Grid:
    """Take the mean of the remaining shifts around each node, of those that can be trusted.

    The fewer blocks move like their neighbours, the less do these few say.
    """
    frame, spacing = transform.fixed, BLOCK / 2 * fixed.cell_px
    grid = Grid.covering(frame.width_px, frame.height_px, spacing)
    if len(blocks.centres) == 0:
        return Grid(np.full_like(grid.values, np.nan), spacing)
    count = min(SEEN_FROM, len(blocks.centres))
    nodes = grid.nodes / fixed.cell_px
    far, near = cKDTree(blocks.centres).query(nodes, count)
    far, near = far.reshape(len(nodes), count), near.reshape(len(nodes), count)
    alike = blocks.alike()
    left = np.hypot(*blocks.shifts.T) * alike
    share = alike[near].mean(axis=1)
    mean = left[near].sum(axis=1) / np.maximum(alike[near].sum(axis=1), 1)
    error = SCALE * np.hypot(mean, FLOOR_PX) / np.maximum(share, LEAST_SHARE) * fixed.cell_px
    error[share == 0] = np.nan
    error[far[:, 0] > FARTHEST] = np.nan
    return Grid(error.reshape(grid.values.shape).astype(np.float32), spacing)
