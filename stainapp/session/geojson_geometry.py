"""Outlines to GeoJSON geometries and back (RFC 7946, but in pixels)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stainapp.errors import RegionError
from stainapp.session.regions import Point, Polygon, Region, Ring, Shape

GEOMETRIES = (
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
)
MALFORMED = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
)
"""What taking anything for lists of points may raise."""
NUMBERS = (float, int)
ON_ELLIPSE = 0.02
"""How far a corner may lie from the ellipse that it marks, as a share of the radius."""


def form_in(geometry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `shape` and `polygons` or `points` of a `Region`; None where it can be none.

    A mark `isEllipse` is believed where all corners lie on the ellipse within the bounds.

    Raises:
        RegionError: the coordinates are malformed; a clause to stand in a sentence.
    """
    kind, told = geometry.get("type"), geometry.get("coordinates")
    try:
        if kind == "Point":
            return {"shape": "points", "points": (_point(told),)}
        if kind in ("MultiPoint", "LineString"):
            points = tuple(_point(point) for point in told or ())
            return {"shape": "points" if kind == "MultiPoint" else "line", "points": points}
        polygons = _polygons_in(geometry)
    except MALFORMED as error:
        raise RegionError("whose coordinates are no lists of points") from error
    if not polygons:
        return None
    shape: Shape = "rectangle" if is_rectangle(polygons) else "polygon"
    if geometry.get("isEllipse") is True and is_ellipse(polygons):
        shape = "ellipse"
    return {"shape": shape, "polygons": polygons}


def geometry_of(region: Region, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return a region's geometry with these members; `isEllipse` only while it is one."""
    geometry: dict[str, Any]
    if region.shape == "line":
        geometry = {"type": "LineString", "coordinates": _listed(region.points)}
    elif region.shape == "points" and len(region.points) == 1:
        geometry = {"type": "Point", "coordinates": _listed(region.points)[0]}
    elif region.shape == "points":
        geometry = {"type": "MultiPoint", "coordinates": _listed(region.points)}
    else:
        rings = [[_listed((*r, r[0])) for r in polygon] for polygon in region.polygons]
        geometry = (
            {"type": "Polygon", "coordinates": rings[0]}
            if len(rings) == 1
            else {"type": "MultiPolygon", "coordinates": rings}
        )
    geometry |= {key: value for key, value in members.items() if key != "isEllipse"}
    if region.shape == "ellipse":
        geometry["isEllipse"] = True
    elif members.get("isEllipse") not in (None, True):
        geometry["isEllipse"] = members["isEllipse"]
    return geometry


def is_rectangle(polygons: tuple[Polygon, ...]) -> bool:
    """Whether this is one upright rectangle."""
    if len(polygons) != 1 or len(polygons[0]) != 1 or len(set(polygons[0][0])) != 4:
        return False
    ring = polygons[0][0]
    sides = zip(ring, (*ring[1:], ring[0]), strict=True)
    return (
        len(ring) == 4
        and len({x for x, _ in ring}) == len({y for _, y in ring}) == 2
        and all((x0 == x1) != (y0 == y1) for (x0, y0), (x1, y1) in sides)
    )


def is_ellipse(polygons: tuple[Polygon, ...]) -> bool:
    """Whether all corners lie on the ellipse within the bounds."""
    if len(polygons) != 1 or len(polygons[0]) != 1:
        return False
    points = np.asarray(polygons[0][0])
    low, high = points.min(axis=0), points.max(axis=0)
    if not (high > low).all():
        return False
    distances = np.hypot(*((points - (low + high) / 2) / ((high - low) / 2)).T)
    return bool((np.abs(distances - 1) < ON_ELLIPSE).all())


def _polygons_in(geometry: Mapping[str, Any]) -> tuple[Polygon, ...] | None:
    """Return the polygons of a geometry; None where it is of another kind, or partly so."""
    kind = geometry.get("type")
    if kind == "Polygon":
        return (_polygon(geometry["coordinates"]),)
    if kind == "MultiPolygon":
        return tuple(_polygon(polygon) for polygon in geometry["coordinates"])
    if kind == "GeometryCollection":
        parts = [_polygons_in(part) for part in geometry["geometries"]]
        return None if None in parts else tuple(p for part in parts for p in part or ())
    if kind not in GEOMETRIES:
        raise RegionError("whose kind of geometry GeoJSON does not know")
    return None


def _polygon(rings: Any) -> Polygon:
    return tuple(_ring(ring) for ring in rings)


def _ring(points: Any) -> Ring:
    ring = tuple([_point(point) for point in points])  # a list is quicker, and there are many
    return ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring


def _point(point: Any) -> Point:
    x, y = point[0], point[1]
    if x.__class__ not in NUMBERS or y.__class__ not in NUMBERS:
        raise TypeError(point)
    return float(x), float(y)


def _listed(points: Ring) -> list[list[float]]:
    return [[_short(x), _short(y)] for x, y in points]


def _short(value: float) -> float:
    """Return a whole number as an int, which JSON writes without ".0"."""
    return int(value) if float(value).is_integer() else float(value)
