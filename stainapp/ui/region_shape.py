"""Where regions can be taken hold of, and what becomes of them: geometry in level-0 pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor, log2

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainterPath, QPolygonF

from stainapp.geometry import Rect
from stainapp.session.regions import Point, Polygon, Region, Ring
from stainapp.ui.touch import Touch

GRAB_PX = 6.0
"""How near the pointer must be, in screen pixels, to take hold of a line or a handle."""
HANDLE_GAP_PX = 16.0
"""Vertices closer than this on the screen share a handle, until one zooms in."""
MIDDLE_GAP_PX = 36.0
"""Shorter edges, on the screen, have no handle in their middle."""
FEWEST_POINTS = {"points": 1, "line": 2}
"""Points that a region must keep; an outline three."""
MANY_POINTS = 200
"""Outlines with more are painted without those that fall together on the screen."""


@dataclass(frozen=True, slots=True)
class Place:
    """One point of a region: its polygon, its ring, its position in the ring."""

    polygon: int
    ring: int
    point: int


@dataclass(frozen=True, slots=True)
class Vertex:
    """A handle that moves one point of a polygon."""

    x: float
    y: float
    place: Place

    def moved_to(self, region: Region, x: float, y: float) -> Region:
        ring = list(_ring(region, self.place))
        ring[self.place.point] = (x, y)
        return _with_ring(region, self.place, tuple(ring))


@dataclass(frozen=True, slots=True)
class Middle:
    """A handle in the middle of an edge, from which a new point is drawn."""

    x: float
    y: float
    place: Place
    """The point that the edge begins at."""

    def moved_to(self, region: Region, x: float, y: float) -> Region:
        ring = list(_ring(region, self.place))
        ring.insert(self.place.point + 1, (x, y))
        return _with_ring(region, self.place, tuple(ring))


@dataclass(frozen=True, slots=True)
class Side:
    """A handle on a rectangle's side, or on a corner, which is two sides at once."""

    x: float
    y: float
    across: int
    """-1 moves the left side, 1 the right one, 0 neither."""
    down: int
    """-1 moves the upper side, 1 the lower one, 0 neither."""

    def moved_to(self, region: Region, x: float, y: float) -> Region:
        bounds = region.bounds
        left, right, top, bottom = bounds.x, bounds.right, bounds.y, bounds.bottom
        left, right = (x, right) if self.across < 0 else (left, x if self.across else right)
        top, bottom = (y, bottom) if self.down < 0 else (top, y if self.down else bottom)
        new = Region.ellipse if region.shape == "ellipse" else Region.rectangle
        return replace(region, polygons=new(left, top, right - left, bottom - top).polygons)


Handle = Vertex | Middle | Side


@lru_cache(maxsize=8)  # asked at every move of the pointer, of outlines with many points too
def handles(region: Region, pixel: float) -> tuple[Handle, ...]:
    """Return where a region can be reshaped.

    Args:
        region: the region.
        pixel: level-0 pixels that one screen pixel covers.
    """
    if region.shape in ("rectangle", "ellipse"):
        return tuple(_sides(region, pixel))
    return tuple(_points(region, pixel))


def handles_in(region: Region, pixel: float, rect: Rect) -> list[Handle]:
    """Return those `handles` that lie in a rectangle."""
    places = _places(region, pixel)
    low, high = (rect.x, rect.y), (rect.right, rect.bottom)
    inside = ((places >= low) & (places <= high)).all(axis=1)
    every = handles(region, pixel)
    return [every[index] for index in np.flatnonzero(inside)]


def handle_at(region: Region, touch: Touch) -> Handle | None:
    """Return the handle under the pointer; points come before the middles of edges."""
    reach = GRAB_PX * touch.pixel
    near_by = Rect(touch.x - reach, touch.y - reach, 2 * reach, 2 * reach)
    near = handles_in(region, touch.pixel, near_by)
    return min(
        (h for h in near if touch.distance_px(h.x, h.y) <= GRAB_PX),
        key=lambda h: (isinstance(h, Middle), touch.distance_px(h.x, h.y)),
        default=None,
    )


def with_point(region: Region, touch: Touch) -> Region | None:
    """Return the region with one more point, where its outline runs under the pointer."""
    distance, place = nearest_edge(region, touch.x, touch.y)
    if region.shape == "points" or distance > GRAB_PX * touch.pixel:
        return None
    more = Middle(0, 0, place).moved_to(region, touch.x, touch.y)
    return replace(more, shape="polygon") if region.encloses else more


def without_point(region: Region, place: Place) -> Region | None:
    """Return the region without one of its points; None if too few would be left."""
    ring = _ring(region, place)
    if len(ring) <= FEWEST_POINTS.get(region.shape, 3):
        return None
    return _with_ring(region, place, ring[: place.point] + ring[place.point + 1 :])


def nearest_edge(region: Region, x: float, y: float) -> tuple[float, Place]:
    """Return the distance to the outline in level-0 pixels, and where the nearest edge begins.

    A line has no edge from its end to its start, and points have none at all.
    """
    best = (float("inf"), Place(0, 0, 0))
    for p, r, ring in region.rings:
        starts = np.asarray(ring, float)
        edges = np.roll(starts, -1, axis=0) - starts
        if region.shape == "line":
            starts, edges = starts[:-1], edges[:-1]
        elif region.shape == "points":
            edges = np.zeros_like(starts)
        to_point = np.array((x, y)) - starts
        length2 = np.maximum((edges**2).sum(1), 1e-12)
        along = np.clip((to_point * edges).sum(1) / length2, 0.0, 1.0)
        away = np.hypot(*(to_point - edges * along[:, None]).T)
        nearest = int(away.argmin())
        best = min(best, (float(away[nearest]), Place(p, r, nearest)), key=lambda found: found[0])
    return best


class Outlines:
    """Regions as paths that are quick to paint and to ask, made once for each."""

    def __init__(self) -> None:
        self._paths: dict[str, tuple[Region, float, QPainterPath]] = {}

    def path(self, region: Region, pixel: float = 0.0) -> QPainterPath:
        """Return the outline, without points that fall together on pixels of this size."""
        many = sum(len(ring) for _, _, ring in region.rings) > MANY_POINTS
        step = 2.0 ** floor(log2(pixel)) if many and pixel > 0 else 0.0
        known = self._paths.get(region.id)
        if known is None or known[0] is not region or known[1] != step:
            known = self._paths[region.id] = (region, step, _path(region, step))
        return known[2]

    def forget(self) -> None:
        self._paths.clear()

    def inside(self, region: Region, touch: Touch) -> bool:
        """Whether the pointer is in the region, or on its outline."""
        path = self.path(region)
        reach = GRAB_PX * touch.pixel
        at = QPointF(touch.x, touch.y)
        if not path.controlPointRect().adjusted(-reach, -reach, reach, reach).contains(at):
            return False
        within = region.encloses and path.contains(at)
        return within or nearest_edge(region, touch.x, touch.y)[0] <= reach

    def region_at(self, regions: Iterable[Region], touch: Touch) -> Region | None:
        """Return the region under the pointer; of several, the smallest, points and lines first."""
        hit = (region for region in regions if self.inside(region, touch))
        return min(hit, key=lambda region: region.area_px, default=None)


def _path(region: Region, step: float) -> QPainterPath:
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    for _, _, ring in region.rings:
        thinned = _thinned(ring, step) if step else ring
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in thinned]))
        if region.encloses:
            path.closeSubpath()
    return path


def _thinned(ring: Ring, step: float) -> Ring:
    """Return a ring with one point of each run of points in the same square of this side."""
    squares = np.floor(np.asarray(ring, float) / step)
    first = (squares != np.roll(squares, 1, axis=0)).any(axis=1)
    return tuple(ring[index] for index in np.flatnonzero(first))


@lru_cache(maxsize=8)
def _places(region: Region, pixel: float) -> NDArray[np.float64]:
    """Return (N, 2): where the handles are."""
    return np.array([(h.x, h.y) for h in handles(region, pixel)], np.float64).reshape(-1, 2)


def _sides(region: Region, pixel: float) -> Iterator[Side]:
    bounds = region.bounds
    if max(bounds.width, bounds.height) < HANDLE_GAP_PX * pixel:
        return  # the handles would leave nothing to drag it by
    across = {-1: bounds.x, 0: bounds.centre[0], 1: bounds.right}
    down = {-1: bounds.y, 0: bounds.centre[1], 1: bounds.bottom}
    for dx, x in across.items():
        for dy, y in down.items():
            length = bounds.height if dx else bounds.width
            if (dx and dy) or ((dx or dy) and length >= MIDDLE_GAP_PX * pixel):
                yield Side(x, y, dx, dy)


def _points(region: Region, pixel: float) -> Iterator[Handle]:
    for p, r, ring in region.rings:
        shown: Point | None = None
        for i, (x, y) in enumerate(ring):
            if shown is None or _apart(shown, (x, y), HANDLE_GAP_PX * pixel):
                yield Vertex(x, y, Place(p, r, i))
                shown = (x, y)
            after = ring[(i + 1) % len(ring)]
            ends = not region.encloses and (region.shape == "points" or i == len(ring) - 1)
            if not ends and _apart(after, (x, y), MIDDLE_GAP_PX * pixel):
                yield Middle((x + after[0]) / 2, (y + after[1]) / 2, Place(p, r, i))


def _apart(one: Point, other: Point, distance: float) -> bool:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 >= distance**2


def _ring(region: Region, place: Place) -> Ring:
    return region.polygons[place.polygon][place.ring] if region.encloses else region.points


def _with_ring(region: Region, place: Place, ring: Ring) -> Region:
    if not region.encloses:
        return replace(region, points=ring)
    polygons: list[Polygon] = list(region.polygons)
    rings = list(polygons[place.polygon])
    rings[place.ring] = ring
    polygons[place.polygon] = tuple(rings)
    return replace(region, polygons=tuple(polygons))
