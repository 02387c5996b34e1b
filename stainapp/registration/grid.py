"""Values known at the nodes of a square grid over a slide, asked for anywhere on it."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Points = NDArray[np.float64]
"""(N, 2) x, y in level-0 pixels; the upper left corner of the slide is (0, 0)."""


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """Node (row, column) lies at ``(column * spacing_px, row * spacing_px)``."""

    values: NDArray[Any]
    """(rows, columns) or (rows, columns, channels)."""
    spacing_px: float
    """Level-0 pixels between neighbours."""

    @classmethod
    def covering(
        cls, width_px: int, height_px: int, spacing_px: float, channels: int | None = None
    ) -> Self:
        """Return zeros (float32) over a slide of that size, whose edges lie within the grid."""
        shape = (math.ceil(height_px / spacing_px) + 1, math.ceil(width_px / spacing_px) + 1)
        full = shape if channels is None else (*shape, channels)
        return cls(np.zeros(full, np.float32), spacing_px)

    @property
    def nodes(self) -> Points:
        """(rows * columns, 2): where the nodes lie, row by row."""
        y, x = np.indices(self.values.shape[:2], np.float64) * self.spacing_px
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def at(self, points: Points) -> NDArray[np.float64]:
        """Interpolate bilinearly; beyond the grid its edge goes on. (N,) or (N, channels)."""
        where = points.T[::-1] / self.spacing_px
        if self.values.ndim == 2:
            return _sampled(self.values, where)
        channels = np.moveaxis(self.values, 2, 0)
        return np.stack([_sampled(channel, where) for channel in channels], axis=1)

    def nearest(self, points: Points) -> NDArray[Any]:
        """Return the values of the nearest nodes."""
        rows, columns = self.values.shape[:2]
        column, row = _nearest(points.T / self.spacing_px)
        found: NDArray[Any] = self.values[row.clip(0, rows - 1), column.clip(0, columns - 1)]
        return found

    def part(self, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the nodes of these columns and rows; beyond the grid its edge goes on."""
        lines: NDArray[Any] = self.values.take(rows, axis=0, mode="clip")
        return lines.take(columns, axis=1, mode="clip")

    def around(self, left: float, top: float, right: float, bottom: float) -> NDArray[Any]:
        """Return the nodes that are nearest to any point of a rectangle."""
        rows, columns = self.values.shape[:2]
        first, last = _nearest(np.array([left, right]) / self.spacing_px).clip(0, columns - 1)
        upper, lower = _nearest(np.array([top, bottom]) / self.spacing_px).clip(0, rows - 1)
        return self.values[upper : lower + 1, first : last + 1]


def _nearest(places: NDArray[np.float64]) -> NDArray[np.int64]:
    # Half up, not to even: what is nearest must not depend on the column's parity.
    return np.floor(places + 0.5).astype(np.int64)


def _sampled(values: NDArray[Any], where: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = map_coordinates(
        values, where, order=1, mode="nearest", output=np.float64
    )
    return found
