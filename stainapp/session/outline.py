"""Closed outlines: their area, and the pixels inside.

Where an outline crosses itself, inside is what an odd number of its turns surrounds (the even-odd
rule), in `area` and `fill` alike.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stainapp.geometry import Rect

Points: TypeAlias = NDArray[np.float64]
"""(N, 2): x, y of the corners; the first is not repeated at the end."""

EDGES_AT_ONCE = 1024
RASTER_PX = 2048
AGREEING = 5e-3


def area(points: Points) -> float:
    """Return the area inside, in the points' own units squared.

    Exact (`shoelace`), but for an outline that crosses itself: counted there on a raster of
    2048 points a side, good to about a thousandth.
    """
    simple = shoelace(points)
    if not touches_itself(points):
        return simple
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    frame = Rect(*map(float, (*low, *extent)))
    if frame.empty:
        return 0.0
    share = float(fill(points, frame, RASTER_PX, RASTER_PX).mean())
    counted = share * frame.width * frame.height
    # An outline that touches itself without crossing is simple enough for the exact formula.
    return simple if abs(simple - counted) <= AGREEING * counted else counted


def shoelace(points: Points) -> float:
    """Return the area inside an outline that does not cross itself."""
    x, y = (points - points[0]).T  # small numbers: no digits are lost far from the origin
    return abs(float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)) / 2


def touches_itself(points: Points) -> bool:
    """Whether two edges that are no neighbours have a point in common."""
    moves = np.any(points != np.roll(points, -1, axis=0), axis=1)
    points = points[moves]  # a point given twice would make neighbours of strangers
    count = len(points)
    start, end = points, np.roll(points, -1, axis=0)
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.argsort(low[:, 0])
    first = np.arange(count)
    # Edges by their left end: each meets those behind it until one begins right of its own end.
    for step in range(1, count):
        first = first[: np.searchsorted(first, count - step)]
        first = first[low[order[first + step], 0] <= high[order[first], 0]]
        if not first.size:
            return False
        a, b = order[first], order[first + step]
        apart = (np.abs(a - b) > 1) & (np.abs(a - b) < count - 1)
        level = (low[a, 1] <= high[b, 1]) & (low[b, 1] <= high[a, 1])
        a, b = a[apart & level], b[apart & level]
        if np.any(
            (_side(start[a], end[a], start[b]) * _side(start[a], end[a], end[b]) <= 0)
            & (_side(start[b], end[b], start[a]) * _side(start[b], end[b], end[a]) <= 0)
        ):
            return True
    return False


def fill(points: Points, frame: Rect, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """Return (height_px, width_px): the pixels whose centre is inside.

    A centre on a left or upper edge is inside, one on a right or lower edge is not, so that of
    neighbours with a common edge each centre belongs to one.

    Args:
        points: the outline.
        frame: what the pixels cover, in the points' units.
        width_px: number of columns.
        height_px: number of rows.
    """
    size = np.array([width_px / frame.width, height_px / frame.height])
    corners = (points - (frame.x, frame.y)) * size - 0.5  # centres lie at whole numbers
    ends = np.stack([corners, np.roll(corners, -1, axis=0)])
    upward = ends[0, :, 1] > ends[1, :, 1]
    ends[:, upward] = ends[::-1, upward]  # a common edge is computed alike from both its sides
    toggles = np.zeros(height_px * (width_px + 1), np.uint8)
    for at in range(0, len(points), EDGES_AT_ONCE):
        (x0, y0), (x1, y1) = ends[:, at : at + EDGES_AT_ONCE].transpose(0, 2, 1)
        first, last = (np.clip(np.ceil(y), 0, height_px).astype(np.intp) for y in (y0, y1))
        edge = np.repeat(np.arange(len(x0)), last - first)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(last - first) - last, last - first)
        x = x0[edge] + (row - y0[edge]) / (y1 - y0)[edge] * (x1 - x0)[edge]
        column = np.clip(np.ceil(x), 0, width_px).astype(np.intp)
        np.bitwise_xor.at(toggles, row * (width_px + 1) + column, 1)
    rows = toggles.reshape(height_px, width_px + 1)[:, :width_px]
    inside: NDArray[np.bool_] = np.bitwise_xor.accumulate(rows, axis=1).astype(np.bool_)
    return inside


def _side(start: Points, end: Points, point: Points) -> NDArray[np.float64]:
    """Return for each edge a number whose sign tells on which side of it the point lies."""
    along, out = end - start, point - start
    side: NDArray[np.float64] = np.sign(along[:, 0] * out[:, 1] - along[:, 1] * out[:, 0])
    return side
