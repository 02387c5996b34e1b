"""Thousands of outlines as a few paths that are quick to paint: one for each colour and cell.

The slide is parted into cells, and a region belongs to the cell of its centre. A path is made when
its cell is first seen, without the corners that fall together on the screen, and another one each
time the view comes closer or goes farther by a factor of two. All are kept until a region changes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log2
from operator import is_, itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyqtgraph import arrayToQPath
from PySide6.QtGui import QPainterPath

from stainapp.geometry import Rect
from stainapp.session.feature_properties import Colour
from stainapp.session.region_index import RegionIndex
from stainapp.session.regions import Region

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


@dataclass(frozen=True, slots=True)
class _Outline:
    """A region as arrays."""

    region: Region
    corners: Corners
    """(N, 2): ring after ring, each closed by its first corner."""
    lengths: tuple[int, ...]
    """Corners of each ring."""


class RegionBatches:
    """Keeps the paths of a set of regions, which changes from time to time.

    Args:
        cells: along each side of what the regions cover together. Few make few paths; many
            leave out more of what is not in view.
    """

    def __init__(self, cells: int) -> None:
        self._cells = cells
        self._index = RegionIndex()
        self._colours: Mapping[str, Colour] = {}
        self._selected: frozenset[str] = frozenset()
        self._left_out: frozenset[str] = frozenset()
        self._members: dict[Key, list[Region]] = {}
        self._keys: list[Key] = []
        """The selected last."""
        self._boxes: Corners = np.empty((0, 4))
        """(N, 4): left, top, right, bottom of the regions of each key, in the order of the keys."""
        self._made: dict[Key, dict[float, Batch]] = {}
        self._outlines: dict[str, _Outline] = {}

    def show(
        self,
        index: RegionIndex,
        colours: Mapping[str, Colour],
        selected: frozenset[str],
        left_out: frozenset[str],
    ) -> None:
        """Take up regions, with a colour for each by its id; those left out are not painted."""
        same = self._index is index and self._colours is colours
        if same and (self._selected, self._left_out) == (selected, left_out):
            return
        self._index, self._colours = index, colours
        self._selected, self._left_out = selected, left_out
        members: dict[Key, list[int]] = {}
        for place, (region, cell) in enumerate(zip(index.regions, self._cell_of(), strict=True)):
            if region.id not in left_out:
                key = (cell, colours[region.id], region.id in selected)
                members.setdefault(key, []).append(place)
        before = self._members
        self._members = {key: [index.regions[p] for p in places] for key, places in members.items()}
        self._keys = sorted(members, key=itemgetter(2))
        boxes = [_around(index.boxes[members[key]]) for key in self._keys]
        self._boxes = np.array(boxes, np.float64).reshape(-1, 4)
        self._made = {
            key: self._made.get(key, {}) if _same(before.get(key), now) else {}
            for key, now in self._members.items()
        }

    def within(self, rect: Rect, thin_px: float) -> Iterator[Batch]:
        """Yield the batches that a rectangle meets, the selected last.

        Args:
            rect: in level-0 pixels.
            thin_px: corners closer than so many level-0 pixels may fall together.
        """
        step = 2.0 ** floor(log2(max(thin_px, 1e-9)))
        left, top, right, bottom = self._boxes.T
        met = (left <= rect.right) & (right >= rect.x) & (top <= rect.bottom) & (bottom >= rect.y)
        for place in np.flatnonzero(met).tolist():
            yield self._batch(self._keys[place], step)

    def _batch(self, key: Key, step: float) -> Batch:
        made = self._made[key]
        if step not in made:
            _, colour, selected = key
            members = self._members[key]
            lines = [self._outline(r) for r in members if r.shape != "points"]
            dots = [point for r in members if r.shape == "points" for point in r.points]
            points = np.array(dots, np.float64).reshape(-1, 2)
            made[step] = Batch(colour, selected, _path(lines, step), points)
        return made[step]

    def _outline(self, region: Region) -> _Outline:
        known = self._outlines.get(region.id)
        if known is None or known.region is not region:
            rings = [
                ring if not region.encloses else (*ring, ring[0]) for _, _, ring in region.rings
            ]
            corners = np.array([corner for ring in rings for corner in ring], np.float64)
            known = _Outline(region, corners, tuple(map(len, rings)))
            self._outlines[region.id] = known
        return known

    def _cell_of(self) -> Sequence[int]:
        """Return the cell of each region."""
        if not self._index.regions:
            return []
        boxes = self._index.boxes
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        low, high = centres.min(axis=0), centres.max(axis=0)
        places = (centres - low) / np.maximum(high - low, 1.0) * self._cells
        columns, rows = np.minimum(places.astype(np.intp), self._cells - 1).T
        cells: list[int] = (rows * self._cells + columns).tolist()
        return cells


def _same(before: list[Region] | None, now: list[Region]) -> bool:
    """Whether the very same regions are in both."""
    return before is not None and len(before) == len(now) and all(map(is_, before, now))


def _around(boxes: Corners) -> Corners:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _path(outlines: Iterable[_Outline], step: float) -> QPainterPath:
    """Return outlines as one path, of neighbouring corners in a square of this side the first."""
    outlines = list(outlines)
    if not outlines:
        return QPainterPath()
    corners = np.concatenate([outline.corners for outline in outlines])
    ends = np.cumsum([length for outline in outlines for length in outline.lengths]) - 1
    squares = np.floor(corners / step)
    kept = np.ones(len(corners), bool)
    kept[1:] = (squares[1:] != squares[:-1]).any(axis=1)
    kept[ends] = True
    kept[ends[:-1] + 1] = True  # where the next ring starts
    connected = np.ones(len(corners), np.uint8)
    connected[ends] = 0
    x, y = corners[kept].T.copy()
    path: QPainterPath = arrayToQPath(x, y, connected[kept], finiteCheck=False)
    return path
