"""Closed outlines: their area, and the pixels inside.

Where an outline crosses itself, inside is what an odd number of its turns surrounds (the even-odd
rule), in `area` and `fill` alike.
"""

from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from stainapp.geometry import Rect

Ring: TypeAlias = tuple[tuple[float, float], ...]
"""The corners of an outline; the first is not repeated at the end."""
Points: TypeAlias = NDArray[np.float64]
"""(N, 2): the same as an array."""

EDGES_AT_ONCE = 1024
ELLIPSE_CORNERS = 96


def area(ring: Ring) -> float:
    """Return the area inside, in the points' own units squared."""
    return float(sound(ring).area)


def sound(ring: Ring) -> shapely.Geometry:
    """Return what lies inside as a geometry that crosses itself nowhere, of several parts maybe."""
    inside = shapely.polygons(ring)
    return inside if inside.is_valid else shapely.make_valid(inside)  # it goes by even and odd


def ellipse(x: float, y: float, across: float, down: float) -> Ring:
    """Return the corners of the ellipse about a centre with these two radii.

    They lie on the ellipse, so that the outline encloses 0.07 % less.
    """
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)
    xs, ys = x + across * np.cos(angles), y + down * np.sin(angles)
    return tuple(zip(xs.tolist(), ys.tolist(), strict=True))


def shoelace(ring: Ring) -> float:
    """Return the area inside an outline that does not cross itself."""
    x0, y0 = ring[0]  # small numbers: no digits are lost far from the origin
    twice, before_x, before_y = 0.0, 0.0, 0.0
    for x, y in ring[1:]:
        right, down = x - x0, y - y0
        twice += before_x * down - right * before_y
        before_x, before_y = right, down
    return abs(twice) / 2


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
