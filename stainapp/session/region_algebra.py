"""Areas joined, cut out of one another, painted and erased; all in level-0 pixels.

What comes out crosses itself nowhere and has its holes inside, as QuPath demands.
"""

from collections.abc import Sequence
from dataclasses import replace

import shapely

from stainapp.errors import RegionError
from stainapp.session import outline
from stainapp.session.regions import Point, Polygon, Region, Ring

SMALLEST_PX2 = 1e-6
"""What is left of less area is a matter of rounding."""
ROUND = 12
"""Corners of a quarter of a brush's circle."""


def joined(regions: Sequence[Region]) -> Region:
    """Return the first region, grown by all others.

    Raises:
        RegionError: there are fewer than two areas.
    """
    areas = [region for region in regions if region.encloses]
    if len(areas) < 2:
        raise RegionError("Select at least two areas to join.")
    return _with(areas[0], shapely.union_all([geometry(region) for region in areas]))


def cut_out(regions: Sequence[Region]) -> Region:
    """Return the largest region without what the others cover.

    Raises:
        RegionError: there are fewer than two areas, or nothing would be left.
    """
    areas = sorted((r for r in regions if r.encloses), key=lambda r: r.area_px, reverse=True)
    if len(areas) < 2:
        raise RegionError("Select an area, and at least one more to cut out of it.")
    largest, *others = areas
    left = geometry(largest).difference(shapely.union_all([geometry(r) for r in others]))
    if left.area <= SMALLEST_PX2:
        raise RegionError("Nothing would be left; the others cover the whole region.")
    return _with(largest, left)


def apart(region: Region) -> list[Region]:
    """Return a region for each of its parts, in its own place the largest.

    Raises:
        RegionError: it has but one.
    """
    polygons = sorted(polygons_in(geometry(region)), key=_area, reverse=True)
    if region.shape == "points" and len(region.points) > 1:
        first, *points = [(point,) for point in region.points]
        more = [Region(points=p, shape="points") for p in points]
        return [replace(region, points=first), *(_as(region, one) for one in more)]
    if len(polygons) < 2:
        raise RegionError("The region is of one part already.")
    first_part, *others = polygons
    more = [Region(polygons=(polygon,)) for polygon in others]
    return [
        replace(region, polygons=(first_part,), shape="polygon"),
        *(_as(region, one) for one in more),
    ]


def filled(region: Region) -> Region:
    """Return the region without its holes.

    Raises:
        RegionError: it has none.
    """
    if all(len(polygon) == 1 for polygon in region.polygons):
        raise RegionError("The region has no holes.")
    return _with(region, shapely.union_all([outline.sound(p[0]) for p in region.polygons]))


def stroke(points: Sequence[Point], radius: float) -> shapely.Geometry:
    """Return what a round brush covers on its way through points."""
    way = shapely.linestrings(points) if len(points) > 1 else shapely.points(points[0])
    return shapely.buffer(way, radius, quad_segs=ROUND)


def painted(region: Region, covered: shapely.Geometry, tolerance: float) -> Region:
    """Return the region, which may have no polygons yet, and what a brush has covered.

    Args:
        region: an area.
        covered: by the brush, from `stroke`.
        tolerance: how far corners may be moved to save some, in level-0 pixels.
    """
    return _with(region, geometry(region).union(covered).simplify(tolerance))


def erased(region: Region, covered: shapely.Geometry, tolerance: float) -> Region | None:
    """Return the region without what a brush has covered; None where nothing is left."""
    left = geometry(region).difference(covered).simplify(tolerance)
    return _with(region, left) if left.area > SMALLEST_PX2 else None


def drawn(ring: Ring, tolerance: float) -> tuple[Polygon, ...]:
    """Return the polygons inside an outline that was drawn by hand."""
    return polygons_in(outline.sound(ring).simplify(tolerance))


def geometry(region: Region) -> shapely.Geometry:
    """Return an area for shapely; where outlines cross, by even and odd."""
    parts = []
    for outer, *holes in region.polygons:
        part = outline.sound(outer)
        if holes:
            part = part.difference(shapely.union_all([outline.sound(h) for h in holes]))
        parts.append(part)
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def polygons_in(found: shapely.Geometry) -> tuple[Polygon, ...]:
    """Return the polygons of whatever shapely made; lines and points in it are left out."""
    parts = shapely.get_parts(shapely.get_parts(found))  # collections hold multi-polygons
    return tuple(
        (_ring(part.exterior), *map(_ring, part.interiors))
        for part in parts
        if part.geom_type == "Polygon" and part.area > SMALLEST_PX2
    )


def _with(region: Region, found: shapely.Geometry) -> Region:
    return replace(region, polygons=polygons_in(found), shape="polygon")


def _as(region: Region, other: Region) -> Region:
    """Return another region that is called and classified as this one."""
    return replace(
        other, name=region.name, classification=region.classification, colour=region.colour
    )


def _ring(ring: shapely.LinearRing) -> Ring:
    return tuple((x, y) for x, y in shapely.get_coordinates(ring)[:-1].tolist())


def _area(polygon: Polygon) -> float:
    outer, *holes = polygon
    return outline.shoelace(outer) - sum(outline.shoelace(h) for h in holes)
