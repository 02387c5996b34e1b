"""Regions of a slide, and the set of them that one slide has."""

import colorsys
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RegionError
from stainapp.geometry import Rect
from stainapp.session import outline
from stainapp.session.feature_properties import Colour, class_colour

Point: TypeAlias = tuple[float, float]
"""x, y in level-0 pixels."""
Ring: TypeAlias = tuple[Point, ...]
"""A closed outline; its first point is not repeated at the end."""
Polygon: TypeAlias = tuple[Ring, ...]
"""An outer ring, then the holes in it."""

CLASSES: Mapping[str, Colour] = {
    "Tissue": (0, 140, 60),
    "Tumour": (210, 30, 40),
    "Stroma": (130, 180, 30),
    "Training": (20, 100, 230),
    "Validation": (245, 140, 0),
    "Ignore": (110, 110, 110),
}
"""The classes that are offered at first; any other name is as good."""
NO_CLASS: Colour = (0, 170, 200)

OVERLAP_PX = 512
"""Overlap is looked for on a raster of this many points a side, laid over the common bounds."""
FAR_PX = 1e9
"""No slide reaches so far, in level-0 pixels."""
TOUCHING_PX = 1e-3
"""Common bounds thinner than this, in level-0 pixels, are neighbours that touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region. Change it with `dataclasses.replace`.

    Where an outline crosses itself, the region is what an odd number of its turns surrounds
    (the even-odd rule): the middle of a pentagram is outside, both wings of a bow-tie inside.
    """

    id: str = field(default_factory=lambda: str(uuid4()))
    polygons: tuple[Polygon, ...]
    """What belongs to the region, in level-0 pixels; mostly one polygon."""
    shape: Literal["rectangle", "polygon"] = "polygon"
    """How it is edited; a rectangle is upright."""
    name: str = ""
    classification: str = ""
    """Name of its class, "" for none."""
    colour: Colour | None = None
    """None: the class's, see `colour_of`."""
    locked: bool = False
    """Whether the window refuses to move, reshape and delete it."""
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What the GeoJSON feature it came from said besides, kept for the way back; see `geojson`."""

    @classmethod
    def rectangle(cls, x: float, y: float, width: float, height: float, **kept: Any) -> "Region":
        """Return an upright rectangle; a negative width or height reaches to the other side.

        Args:
            x: left edge, level-0 pixels.
            y: top edge, level-0 pixels.
            width: in level-0 pixels.
            height: in level-0 pixels.
            kept: the region's other fields.
        """
        left, right = sorted((x, x + width))
        top, bottom = sorted((y, y + height))
        ring = ((left, top), (right, top), (right, bottom), (left, bottom))
        return cls(polygons=((ring,),), shape="rectangle", **kept)

    @property
    def ring(self) -> Ring:
        """Outer ring of the first polygon."""
        return self.polygons[0][0]

    @property
    def bounds(self) -> Rect:
        """The smallest upright rectangle around it, level-0 pixels."""
        points = [point for polygon in self.polygons for point in polygon[0]]
        xs, ys = zip(*points, strict=True)
        return Rect(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))

    @property
    def area_px(self) -> float:
        """Area in square level-0 pixels, holes left out; see `outline.area`.

        Polygons of one region are taken to lie apart, and holes to lie in their polygon, as
        GeoJSON demands.
        """
        return _area(self.polygons)

    def moved(self, dx: float, dy: float) -> "Region":
        """Return the region moved by so many level-0 pixels."""
        return replace(
            self,
            polygons=tuple(
                tuple(tuple((x + dx, y + dy) for x, y in ring) for ring in polygon)
                for polygon in self.polygons
            ),
        )

    def mask(
        self, x: float, y: float, downsample: float, width_px: int, height_px: int
    ) -> NDArray[np.bool_]:
        """Return (height_px, width_px): the pixels whose centre lies inside.

        Args:
            x: left edge of the picture, level-0 pixels.
            y: top edge of the picture, level-0 pixels.
            downsample: level-0 pixels per pixel of the picture.
            width_px: of the picture.
            height_px: of the picture.
        """
        frame = Rect(x, y, width_px * downsample, height_px * downsample)
        return _fill(self, frame, width_px, height_px)

    def overlaps(self, other: "Region") -> bool:
        """Whether the two have area in common, more than a sliver of 1/512 of their common bounds.

        Regions that only touch do not overlap.
        """
        common = self.bounds.intersected(other.bounds)
        if min(common.width, common.height) < TOUCHING_PX:
            return False
        mine, others = (_fill(region, common, OVERLAP_PX, OVERLAP_PX) for region in (self, other))
        return bool((mine & others).any())


@dataclass(frozen=True, slots=True)
class Document:
    """All that a file of regions holds, as it was at one moment."""

    regions: tuple[Region, ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    """GeoJSON features that are no regions (points, lines), kept for the way back."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """What a FeatureCollection says besides its features."""


class RegionSet:
    """The regions of one slide, in order, the last on top. Owned by one thread.

    Its `document` is frozen: hand that to another thread.

    Raises:
        RegionError: by what adds or replaces: an outline cannot be used (see `check`), or an
            id is there already. Nothing has then changed.
    """

    def __init__(self, document: Document = Document()) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._document = _checked(document)

    @property
    def document(self) -> Document:
        return self._document

    @property
    def regions(self) -> tuple[Region, ...]:
        return self._document.regions

    def get(self, region_id: str) -> Region | None:
        return next((region for region in self.regions if region.id == region_id), None)

    def index(self, region_id: str) -> int:
        """Return the region's place; KeyError where there is none of this id."""
        for index, region in enumerate(self.regions):
            if region.id == region_id:
                return index
        raise KeyError(region_id)

    def add(self, region: Region, index: int | None = None) -> None:
        """Insert a region before the ``index``-th, or on top."""
        check(region)
        if self.get(region.id) is not None:
            raise _duplicate(region)
        at = len(self.regions) if index is None else index
        self._put((*self.regions[:at], region, *self.regions[at:]))

    def replace(self, region: Region) -> None:
        """Put a region in the place of the one with the same id; KeyError if there is none."""
        check(region)
        at = self.index(region.id)
        self._put((*self.regions[:at], region, *self.regions[at + 1 :]))

    def remove(self, region_id: str) -> int:
        """Remove a region and return where it was; KeyError if there is none."""
        at = self.index(region_id)
        self._put(self.regions[:at] + self.regions[at + 1 :])
        return at

    def extend(self, regions: Iterable[Region], others: Iterable[Mapping[str, Any]] = ()) -> None:
        """Put many on top, as an import does: all or none, and listeners hear once."""
        self.restore(
            replace(
                self._document,
                regions=(*self.regions, *regions),
                others=(*self._document.others, *others),
            )
        )

    def restore(self, document: Document) -> None:
        """Become this document, as undoing an import does."""
        self._document = _checked(document, self.regions)
        self._tell()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after every change; the function returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _put(self, regions: tuple[Region, ...]) -> None:
        self._document = replace(self._document, regions=regions)
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


def check(region: Region) -> None:
    """Raise RegionError where a region's outline encloses nothing that could be measured."""
    called = f'The region "{region.name}"' if region.name else "The region"
    if not region.polygons or not all(region.polygons):
        raise RegionError(f"{called} has no outline; draw it again.")
    for ring in (ring for polygon in region.polygons for ring in polygon):
        if len(ring) < 3:
            raise RegionError(f"{called} has an outline of {len(ring)} points; it needs three.")
        if not (np.abs(_array(ring)) < FAR_PX).all():  # false for what is not a number
            raise RegionError(f"{called} has a point that lies nowhere; draw it again.")
    # Slow only for what might have none: thousands of regions are checked at an import.
    if not _sum(outline.shoelace, region.polygons) > 0 and not region.area_px > 0:
        raise RegionError(f"{called} has no area; draw an outline that encloses something.")


def colour_of(region: Region) -> Colour:
    """Return the colour to show: its own, else its class's, which for unknown names is made up."""
    name = region.classification
    if region.colour is not None:
        return region.colour
    if not name:
        return NO_CLASS
    told = class_colour(region.extra.get("properties", {}), name)
    return told or CLASSES.get(name) or _made_up(name)


def _made_up(name: str) -> Colour:
    hue = zlib.crc32(name.encode("utf-8", "replace")) / 2**32
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


def _fill(region: Region, frame: Rect, width_px: int, height_px: int) -> NDArray[np.bool_]:
    inside = np.zeros((height_px, width_px), bool)
    for outer, *holes in region.polygons:
        polygon = outline.fill(_array(outer), frame, width_px, height_px)
        for hole in holes:
            polygon &= ~outline.fill(_array(hole), frame, width_px, height_px)
        inside |= polygon
    return inside


@lru_cache(maxsize=1024)  # lists show areas at every change, and crossed outlines take long
def _area(polygons: tuple[Polygon, ...]) -> float:
    return _sum(outline.area, polygons)


def _sum(area: Callable[[outline.Points], float], polygons: tuple[Polygon, ...]) -> float:
    return sum(
        area(_array(outer)) - sum(area(_array(hole)) for hole in holes)
        for outer, *holes in polygons
    )


def _array(ring: Ring) -> outline.Points:
    return np.asarray(ring, np.float64).reshape(-1, 2)


def _checked(document: Document, known: Iterable[Region] = ()) -> Document:
    """Return a document whose regions can all be used; those that are known have been checked."""
    sound = {id(region) for region in known}
    seen = set()
    for region in document.regions:
        if id(region) not in sound:
            check(region)
        if region.id in seen:
            raise _duplicate(region)
        seen.add(region.id)
    return document


def _duplicate(region: Region) -> RegionError:
    return RegionError(
        f'The region "{region.name or region.id}" is there already; change it instead of adding it.'
    )
