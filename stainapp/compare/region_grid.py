"""A region cut into pieces of one size, on a grid that begins at the slide's corner.

The grid knows nothing of the region, so that a place is measured alike in whichever region it lies.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.geometry import Rect
from stainapp.session.regions import Region

Mask = NDArray[np.bool_]

PIECE_UM = 128.0
"""Side of a piece: large enough that nuclei set their own threshold in it."""
LEAST_PX = 64
MOST_PX = 1024


@dataclass(frozen=True, slots=True)
class Grid:
    """Squares over a frame, in pixels of the scale that is compared at."""

    step: float
    """Level-0 pixels per pixel."""
    side_px: int
    width_px: int
    """Of the frame, as `height_px`."""
    height_px: int

    @classmethod
    def over(cls, width_px: int, height_px: int, frame_mpp: float, mpp: float) -> "Grid":
        """Lay the grid on a frame of so many level-0 pixels, to be compared at ``mpp``."""
        step = mpp / frame_mpp
        side = min(MOST_PX, max(LEAST_PX, round(PIECE_UM / mpp)))
        return cls(step, side, math.ceil(width_px / step), math.ceil(height_px / step))


@dataclass(frozen=True, slots=True)
class Piece:
    """One square of the grid, and which of its pixels are the region's."""

    i: int
    """Column of its first pixel, and `j` its row."""
    j: int
    inside: Mask
    """``(side, side)``; pixels beyond the frame are outside."""

    def points(self, step: float, apart_px: int) -> NDArray[np.float64]:
        """Return some pixels' centres inside, ``(N, 2)`` x, y in level-0 pixels, at least one."""
        rows, columns = np.nonzero(self.inside)
        some = (rows % apart_px == apart_px // 2) & (columns % apart_px == apart_px // 2)
        if some.any():
            rows, columns = rows[some], columns[some]
        else:
            middle = len(rows) // 2
            rows, columns = rows[middle : middle + 1], columns[middle : middle + 1]
        return np.stack([columns + self.i + 0.5, rows + self.j + 0.5], axis=1) * step


def count(region: Region, grid: Grid) -> int:
    """Return how many squares `pieces` looks at, of which it may leave some out."""
    rows, columns = _spans(region.bounds, grid)
    return len(rows) * len(columns)


def pieces(region: Region, grid: Grid) -> Iterator[Piece | None]:
    """Yield each square about a region, row by row; None where none of its pixels are inside."""
    side, step = grid.side_px, grid.step
    rows, columns = _spans(region.bounds, grid)
    for row in rows:
        for column in columns:
            i, j = column * side, row * side
            inside = region.mask(i * step, j * step, step, side, side)
            inside[max(0, grid.height_px - j) :] = False
            inside[:, max(0, grid.width_px - i) :] = False
            yield Piece(i, j, inside) if inside.any() else None


def _spans(bounds: Rect, grid: Grid) -> tuple[range, range]:
    """Return the rows and columns of the grid that a rectangle in level-0 pixels touches."""
    size = grid.side_px * grid.step

    def span(low: float, high: float, whole_px: int) -> range:
        last = math.ceil(whole_px / grid.side_px)
        return range(max(0, math.floor(low / size)), min(last, math.ceil(high / size)))

    rows = span(bounds.y, bounds.bottom, grid.height_px)
    return rows, span(bounds.x, bounds.right, grid.width_px)
