"""Thousands of outlines as a few paths that are quick to paint: one for each colour and cell.

The slide is parted into cells, and a region belongs to the cell of its centre. A path is made when
its cell is first seen, without the corners that fall together on the screen, and is kept until
one of its regions changes or the view comes closer or goes farther by a factor of two.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import floor, log2
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyqtgraph import arrayToQPath
from PySide6.QtGui import QPainterPath

from stainapp.geometry import Rect
from stainapp.session.feature_properties import Colour
from stainapp.session.region_index import RegionIndex
from stainapp.session.regions import Region

CELLS = 8
"""Cells along each side of what the regions cover together."""
THIN = 0.75
"""Corners closer than so many screen pixels fall together."""
Key: TypeAlias = tuple[int, Colour, bool]
"""A cell, a colour, and whether it holds the selected regions."""
Corners: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Regions of one cell that are painted alike."""

    colour: Colour
    selected: bool
    path: QPainterPath
    points: Corners
    """(N, 2): what is painted as dots."""


class RegionBatches:
    """Keeps the paths of a set of regions, which changes from time to time."""

    def __init__(self) -> None:
        self._index = RegionIndex()
        self._members: dict[Key, list[Region]] = {}
        self._boxes: dict[Key, Corners] = {}
        self._made: dict[Key, tuple[float, tuple[int, ...], Batch]] = {}
        self._colours: Mapping[str, Colour] = {}
        self._selected: frozenset[str] = frozenset()
        self._left_out: frozenset[str] = frozenset()

    def show(
        self,
        index: RegionIndex,
        colours: Mapping[str, Colour],
        selected: frozenset[str],
        left_out: frozenset[str],
    ) -> None:
        """Take up regions, with a colour for each by its id; those left out are not painted."""
        same = (self._index is index, self._colours is colours)
        if all(same) and (self._selected, self._left_out) == (selected, left_out):
            return
        self._index, self._colours = index, colours
        self._selected, self._left_out = selected, left_out
        self._members = {}
        for place, cell in enumerate(_cells(index)):
            region = index.regions[place]
            if region.id not in left_out:
                key = (cell, colours[region.id], region.id in selected)
                self._members.setdefault(key, []).append(region)
        self._boxes = {key: _around(members) for key, members in self._members.items()}
        self._made = {key: made for key, made in self._made.items() if key in self._members}

    def within(self, rect: Rect, pixel: float) -> Iterator[Batch]:
        """Yield the batches that a rectangle meets, the selected last.

        Args:
            rect: in level-0 pixels.
            pixel: level-0 pixels that one screen pixel covers.
        """
        step = 2.0 ** floor(log2(max(pixel * THIN, 1e-9)))
        for key in sorted(self._members, key=lambda key: key[2]):
            x0, y0, x1, y1 = self._boxes[key]
            if x0 <= rect.right and x1 >= rect.x and y0 <= rect.bottom and y1 >= rect.y:
                yield self._batch(key, step)

    def _batch(self, key: Key, step: float) -> Batch:
        members = self._members[key]
        same = tuple(map(id, members))
        known = self._made.get(key)
        if known is None or known[:2] != (step, same):
            _, colour, selected = key
            path, points = _path(members, step)
            known = self._made[key] = (step, same, Batch(colour, selected, path, points))
        return known[2]


def _cells(index: RegionIndex) -> list[int]:
    """Return the cell of each region."""
    if not index.regions:
        return []
    centres = (index.boxes[:, :2] + index.boxes[:, 2:]) / 2
    low, high = centres.min(axis=0), centres.max(axis=0)
    places = (centres - low) / np.maximum(high - low, 1.0) * CELLS
    columns, rows = np.minimum(places.astype(np.intp), CELLS - 1).T
    cells: list[int] = (rows * CELLS + columns).tolist()
    return cells


def _around(members: Iterable[Region]) -> Corners:
    bounds = np.array([(b.x, b.y, b.right, b.bottom) for b in (m.bounds for m in members)])
    return np.concatenate([bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)])


def _path(members: Iterable[Region], step: float) -> tuple[QPainterPath, Corners]:
    """Return the outlines as one path, with a corner for each square of this side, and the dots."""
    rings: list[tuple[tuple[float, float], ...]] = []
    dots: list[tuple[float, float]] = []
    for region in members:
        if region.shape == "points":
            dots += region.points
        elif region.shape == "line":
            rings.append(region.points)
        else:
            rings += [(*ring, ring[0]) for polygon in region.polygons for ring in polygon]
    points = np.array(dots, np.float64).reshape(-1, 2)
    if not rings:
        return QPainterPath(), points
    lengths = np.fromiter(map(len, rings), np.intp, len(rings))
    flat = np.array([corner for ring in rings for corner in ring], np.float64)
    ends = np.cumsum(lengths) - 1
    starts = ends - lengths + 1
    squares = np.floor(flat / step)
    kept = np.ones(len(flat), bool)
    kept[1:] = (squares[1:] != squares[:-1]).any(axis=1)
    kept[starts] = kept[ends] = True
    connected = np.ones(len(flat), np.uint8)
    connected[ends] = 0
    flat, connected = flat[kept], connected[kept]
    path = arrayToQPath(flat[:, 0].copy(), flat[:, 1].copy(), connected, finiteCheck=False)
    return path, points
