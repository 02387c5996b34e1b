"""Where each place of one picture lies on another, by weighing every displacement within reach.

A descent stops at the first wall of tissue that fits. Here the cost of all displacements is taken
once at the nodes of a grid; then two steps take turns: each node chooses the displacement that is
cheap and near the field, and the field is made smooth, with an ever stronger pull between the two
(Heinrich et al., "Non-parametric discrete registration with convex optimisation", WBIR 2014,
LNCS 8545:51-61).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from stainapp.registration.view import Density

Field = NDArray[np.float32]
"""(2, rows, columns): x and y displacement at each pixel of a view, in its pixels."""

PULLS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Cost of a pixel's distance squared from the field, in spreads of the nodes' costs."""


@dataclass(frozen=True, slots=True)
class Search:
    """How far and how finely to seek."""

    reach_px: int
    window_px: float
    """Standard deviation of the Gaussian window that is compared."""
    step_px: int
    """Between nodes."""
    smooth_nodes: float
    """Standard deviation of the field's smoothing, in nodes."""


def sought(first: Density, second: Density, search: Search) -> Field:
    """Find the displacement from each pixel of a picture to where it lies on another.

    Args:
        first: (rows, columns), locally normalised.
        second: the same shape, roughly laid over the first.
        search: reach, window and nodes.
    """
    costs, down, right = _costs(first, second, search)
    field = _smoothed(_cheapest(costs, down, right), 2 * search.smooth_nodes)
    for pull in PULLS:
        away = [(d[:, None, None] - f) ** 2 for d, f in zip((right, down), field, strict=True)]
        chosen = _cheapest(costs + pull * (away[0] + away[1]), down, right)
        field = _smoothed(chosen, search.smooth_nodes)
    where = (np.indices(first.shape, np.float32) - search.step_px // 2) / search.step_px
    return _stacked([map_coordinates(part, where, order=1, mode="nearest") for part in field])


def _costs(
    first: Density, second: Density, search: Search
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the cost of each displacement at each node, and the displacements, down and right."""
    reach, step = search.reach_px, search.step_px
    rows, columns = first.shape
    padded = np.pad(second, reach, mode="edge")
    nodes = np.ix_(np.arange(step // 2, rows, step), np.arange(step // 2, columns, step))
    shifts = np.stack([n.ravel() for n in np.mgrid[-reach : reach + 1, -reach : reach + 1]])
    costs = np.stack(
        [
            -gaussian_filter(
                first * padded[reach + y :, reach + x :][:rows, :columns],
                search.window_px,
                truncate=2.5,
            )[nodes]
            for y, x in shifts.T.tolist()
        ]
    )
    spread = max(float(np.median(costs.std(axis=0))), 1e-9)
    down, right = shifts.astype(np.float32)
    return np.asarray(costs / spread, np.float32), down, right


def _cheapest(
    costs: NDArray[np.float32], down: NDArray[np.float32], right: NDArray[np.float32]
) -> Field:
    best = costs.argmin(axis=0)
    return _stacked([right[best], down[best]])


def _smoothed(field: Field, sigma: float) -> Field:
    return _stacked([gaussian_filter(part, sigma, mode="nearest") for part in field])


def _stacked(parts: list[NDArray[np.float32]]) -> Field:
    return np.stack(parts).astype(np.float32, copy=False)
