"""Regions of a slide: areas, points and lines, and all of them that one slide has."""

import colorsys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import dist, pi
from typing import Any, Literal, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RegionError
from stainapp.geometry import Rect
from stainapp.session import outline
from stainapp.session.feature_properties import Colour, class_colour, measurements_in

Point: TypeAlias = tuple[float, float]
"""x, y in level-0 pixels."""
Ring: TypeAlias = tuple[Point, ...]
"""A closed outline; its first point is not repeated at the end."""
Polygon: TypeAlias = tuple[Ring, ...]
"""An outer ring, then the holes in it."""

Shape: TypeAlias = Literal["rectangle", "ellipse", "polygon", "points", "line"]
Classes: TypeAlias = Mapping[str, Colour]
"""The classes of a slide's regions by name, in the order they are offered in."""

CLASSES: Classes = {
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
LIKE_HUE, GOLDEN, HUES_TRIED = 0.06, 0.618034, 24
"""Hues nearer than this, of a turn, are taken for each other; the step to the next one to try."""
NUMBERS = {1: "one", 2: "two", 3: "three"}
TOUCHING_PX = 1e-3
"""Common bounds thinner than this, in level-0 pixels, are neighbours that touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region: an area, or points or a line on the slide. Change it with `dataclasses.replace`.

    Where an outline crosses itself, the region is what an odd number of its turns surrounds
    (the even-odd rule): the middle of a pentagram is outside, both wings of a bow-tie inside.
    """

    id: str = field(default_factory=lambda: str(uuid4()))
    polygons: tuple[Polygon, ...] = ()
    """What belongs to an area, in level-0 pixels; mostly one polygon. An ellipse's has corners."""
    points: tuple[Point, ...] = ()
    """The points, or the corners of the line, in level-0 pixels; none of an area."""
    shape: Shape = "polygon"
    """What it is and how it is edited; rectangles and ellipses are upright."""
    name: str = ""
    classification: str = ""
    """Name of its class, "" for none."""
    colour: Colour | None = None
    """None: the class's, see `colour_of`."""
    locked: bool = False
    """Whether the window refuses to move, reshape and delete it."""
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What the GeoJSON feature it came from said besides, kept for the way back; see `geojson`."""
    bounds: Rect = field(init=False, compare=False, repr=False)
    """The smallest upright rectangle around it, level-0 pixels; a point's is empty."""

    def __post_init__(self) -> None:
        # Asked at every frame and every move of the pointer, of thousands of regions.
        object.__setattr__(self, "bounds", _bounds([p for ring in self.outer_rings for p in ring]))

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

    @classmethod
    def ellipse(cls, x: float, y: float, width: float, height: float, **kept: Any) -> "Region":
        """Return the upright ellipse that fills such a rectangle; see `rectangle`."""
        ring = outline.ellipse(x + width / 2, y + height / 2, abs(width) / 2, abs(height) / 2)
        return cls(polygons=((ring,),), shape="ellipse", **kept)

    @property
    def encloses(self) -> bool:
        """Whether it is an area; points and lines enclose nothing and cannot be measured in."""
        return self.shape not in ("points", "line")

    @property
    def outer_rings(self) -> Sequence[Ring]:
        """The outer rings; of points and lines their points."""
        return [polygon[0] for polygon in self.polygons if polygon] or [self.points]

    @property
    def rings(self) -> Iterator[tuple[int, int, Ring]]:
        """Every ring with the numbers of its polygon and of itself; or the points, as 0, 0."""
        if not self.encloses:
            yield 0, 0, self.points
        for p, polygon in enumerate(self.polygons):
            for r, ring in enumerate(polygon):
                yield p, r, ring

    @property
    def ring(self) -> Ring:
        """Outer ring of the first polygon."""
        return self.polygons[0][0]

    @property
    def area_px(self) -> float:
        """Area in square level-0 pixels, holes left out; see `outline.area`. 0 of points and lines.

        Polygons of one region are taken to lie apart, and holes to lie in their polygon, as
        GeoJSON demands.
        """
        if self.shape == "ellipse":  # its corners are only how it is drawn
            return pi / 4 * self.bounds.width * self.bounds.height
        return _area(self.polygons)

    @property
    def length_px(self) -> float:
        """Length of a line, perimeter of an area with that of its holes; in level-0 pixels."""
        if not self.encloses:
            return _length(self.points) if self.shape == "line" else 0.0
        return sum(_length((*ring, ring[0])) for _, _, ring in self.rings)

    @property
    def measurements(self) -> dict[str, float]:
        """The numbers that its file gave with it, by name; as they were when it was read."""
        return measurements_in(self.extra.get("properties", {}))

    def moved(self, dx: float, dy: float) -> "Region":
        """Return the region moved by so many level-0 pixels."""

        def moved(points: Ring) -> Ring:
            return tuple((x + dx, y + dy) for x, y in points)

        return replace(
            self,
            polygons=tuple(tuple(map(moved, polygon)) for polygon in self.polygons),
            points=moved(self.points),
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
    """All that a slide's regions are, or a file of them holds, at one moment; the last on top."""

    regions: tuple[Region, ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    """GeoJSON features that cannot be shown, kept for the way back."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """What a FeatureCollection says besides its features."""
    classes: Classes = field(default_factory=lambda: CLASSES)

    @property
    def areas(self) -> tuple[Region, ...]:
        """The regions that enclose something."""
        return tuple(region for region in self.regions if region.encloses)

    def get(self, region_id: str) -> Region | None:
        return next((region for region in self.regions if region.id == region_id), None)

    def those(self, ids: Iterable[str]) -> tuple[Region, ...]:
        """Return the regions of these ids, in their own order."""
        wished = set(ids)
        return tuple(region for region in self.regions if region.id in wished)

    def put(self, regions: Iterable[Region]) -> "Document":
        """Return the document with regions in the place of those of the same ids, or on top.

        Raises:
            RegionError: one of them cannot be, see `check`, or an id is given twice.
        """
        new: dict[str, Region] = {}
        for region in regions:
            check(region)
            if region.id in new:
                raise RegionError(
                    f'The region "{region.name or region.id}" is given twice; leave one out.'
                )
            new[region.id] = region
        kept = [new.pop(region.id, region) for region in self.regions]
        return replace(self, regions=(*kept, *new.values()))

    def without(self, ids: Iterable[str]) -> "Document":
        going = set(ids)
        return replace(self, regions=tuple(r for r in self.regions if r.id not in going))


BLANK = Document()
"""A slide that nothing was drawn on."""


def check(region: Region) -> None:
    """Raise RegionError where there is nothing that could be seen or measured."""
    called = f'The region "{region.name}"' if region.name else "The region"
    rings = [ring for _, _, ring in region.rings]
    if not rings or (region.encloses and not all(region.polygons)):
        raise RegionError(f"{called} has no outline; draw it again.")
    fewest = {"points": 1, "line": 2}.get(region.shape, 3)
    for ring in rings:
        if len(ring) < fewest:
            raise RegionError(
                f"{called} has an outline of {len(ring)} points; it needs {NUMBERS[fewest]}."
            )
        if not all(-FAR_PX < v < FAR_PX for point in ring for v in point):  # nor what is no number
            raise RegionError(f"{called} has a point that lies nowhere; draw it again.")
    if region.shape == "line" and not region.length_px > 0:
        raise RegionError(f"{called} has no length; draw a line from one place to another.")
    # Slow only for what might have none: thousands of regions are checked at an import.
    enclosing = not region.encloses or _sum(outline.shoelace, region.polygons) > 0
    if not enclosing and not region.area_px > 0:
        raise RegionError(f"{called} has no area; draw an outline that encloses something.")


def colour_of(region: Region, classes: Classes = CLASSES) -> Colour:
    """Return the colour to show: its own, else its class's, which for unknown names is made up."""
    name = region.classification
    if region.colour is not None:
        return region.colour
    if not name:
        return NO_CLASS
    told = class_colour(region.extra.get("properties", {}), name)
    return classes.get(name) or told or made_up(name)


def with_told(classes: Classes, regions: Iterable[Region]) -> Classes:
    """Return the classes and those that regions are of, in the colours their file told."""
    known = dict(classes)
    for region in regions:
        name = region.classification
        if name and name not in known:
            told = class_colour(region.extra.get("properties", {}), name)
            known[name] = told or made_up(name, known.values())
    return known if len(known) > len(classes) else classes


def made_up(name: str, beside: Iterable[Colour] = ()) -> Colour:
    """Return a colour for a class of this name: always the same, unless others are too like it."""
    hue = zlib.crc32(name.encode("utf-8", "replace")) / 2**32
    taken = [colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0] for colour in beside]
    for _ in range(HUES_TRIED):
        if all(LIKE_HUE <= abs(hue - one) <= 1 - LIKE_HUE for one in taken):
            break
        hue = (hue + GOLDEN) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


def _bounds(points: Sequence[Point]) -> Rect:
    if not points:
        return Rect(0, 0, 0, 0)
    xs, ys = zip(*points, strict=True)
    return Rect(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def _length(points: Sequence[Point]) -> float:
    return sum(map(dist, points, points[1:]))


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


def _sum(area: Callable[[Ring], float], polygons: tuple[Polygon, ...]) -> float:
    return sum(area(outer) - sum(map(area, holes)) for outer, *holes in polygons)


def _array(ring: Ring) -> outline.Points:
    return np.asarray(ring, np.float64).reshape(-1, 2)
