"""Regions as GeoJSON, in the form that QuPath writes and reads.

Coordinates are level-0 pixels. Whatever a file says that the program does not know is kept in
`Region.extra`, `Document.others` and `Document.members`, and written back:

    Region.extra   {"id": ..., "members": {...}, "geometry": {...}, "properties": {...}}
                   the feature's id where it is no text, its unknown members, the geometry's
                   (such as plane), and its properties as they were
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

from stainapp.errors import RegionError
from stainapp.session.atomic_file import write_atomically
from stainapp.session.feature_properties import (
    COLOUR_KEYS,
    OBJECT_TYPE_KEYS,
    class_colour,
    classification_in,
    colour_in,
    locked_in,
    name_in,
    restated,
)
from stainapp.session.geojson_geometry import GEOMETRIES, form_in, geometry_of
from stainapp.session.regions import CLASSES, Classes, Document, Region, check, colour_of, with_told

LARGEST_BYTES = 512 * 2**20
DEEPEST = 64
GZIP = b"\x1f\x8b"
KNOWN_MEMBERS = ("type", "id", "geometry", "properties", "bbox")
KNOWN_GEOMETRY = ("type", "coordinates", "geometries", "bbox")
"""A bbox would be wrong after the first change; it is optional, and left out."""
OLD_IDS = {
    "PathAnnotationObject": "annotation",
    "PathDetectionObject": "detection",
    "PathCellObject": "cell",
    "PathTileObject": "tile",
    "TMACoreObject": "tma_core",
    "PathRootObject": "root",
}
"""Before version 0.4, QuPath wrote the object's type where its id belongs."""


def read_geojson(path: Path) -> list[Region]:
    """Return the areas in a file; raises as `read_document`, which loses nothing else either."""
    return list(read_document(path).areas)


def read_document(path: Path) -> Document:
    """Return all that a GeoJSON file holds, compressed or not.

    Raises:
        RegionError: the file cannot be read or is no GeoJSON.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise _too_large(path)
        data = path.read_bytes()
    except OSError as error:
        raise RegionError(
            f"{path} cannot be read ({error.strerror}); check that it exists and may be read."
        ) from error
    return document_in(data, path)


def document_in(data: bytes, path: Path) -> Document:
    """Return what the content of a file says; ``path`` is for messages.

    Raises:
        RegionError: it is no GeoJSON; names the feature at fault.
    """
    try:
        content = json.loads(_unpacked(data, path))
    except (ValueError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise RegionError(
            f"{path} is damaged or no GeoJSON file; export it again where it comes from."
        ) from error
    features, members = _features(content, path)
    regions: list[Region] = []
    others: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    for number, feature in enumerate(features, start=1):
        try:
            region = from_feature(feature)
        except RegionError as error:
            raise RegionError(
                f"{path} has an error in feature {number}, {error}; correct it or delete it there."
            ) from error
        if region is None:
            others.append(feature)
            continue
        if region.id in seen:
            region = replace(region, id=str(uuid4()))
        seen.add(region.id)
        regions.append(region)
    # What a file says of its own classes goes before what is usual here.
    classes = with_told({}, regions)
    usual = {name: colour for name, colour in CLASSES.items() if name not in classes}
    return Document(tuple(regions), tuple(others), members, {**usual, **classes})


def write_geojson(path: Path, regions: Document | Iterable[Region]) -> None:
    """Write a FeatureCollection, gzipped where the name ends in ".gz"; the whole file or none.

    Raises:
        RegionError: the file cannot be written; what was there before is untouched.
    """
    document = regions if isinstance(regions, Document) else Document(tuple(regions))
    data = encoded(document)
    write_atomically(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def encoded(document: Document) -> bytes:
    """Return a FeatureCollection as JSON, a feature a line."""
    told = (to_feature(region, document.classes) for region in document.regions)
    features = chain(told, document.others)
    lines = ",\n".join(map(json.dumps, features))
    head = json.dumps({"type": "FeatureCollection", **document.members})
    return f'{head[:-1]}, "features": [\n{lines}\n]}}\n'.encode()


def from_feature(feature: Any) -> Region | None:
    """Return the region that a feature describes; None where nothing can be shown of it.

    A region's third coordinates, if any, and `bbox` members are left out.

    Raises:
        RegionError: the feature is malformed; a clause to stand in a sentence.
    """
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        raise RegionError("which is no GeoJSON feature")
    geometry = feature.get("geometry")
    told = feature.get("properties")
    if not isinstance(geometry, Mapping | None) or not isinstance(told, Mapping | None):
        raise RegionError("whose geometry or properties are no JSON objects")
    form = form_in(geometry) if geometry else None
    beside = {key: value for key, value in feature.items() if key != "geometry" or not form}
    if _deeper(beside, DEEPEST):
        raise RegionError("which is nested too deeply")
    if not geometry or not form:
        return None
    properties = dict(told or {})
    own_id = feature.get("id")
    if isinstance(own_id, str) and own_id in OLD_IDS:
        if not any(key in properties for key in OBJECT_TYPE_KEYS):
            properties["objectType"] = OLD_IDS[own_id]
        own_id = None
    region = Region(
        id=str(own_id) if isinstance(own_id, str | int | float) and own_id != "" else str(uuid4()),
        **form,
        name=name_in(properties),
        classification=classification_in(properties),
        colour=colour_in(properties),
        locked=locked_in(properties),
        extra=_kept(
            id=own_id if isinstance(own_id, int | float) else None,
            members=_without(feature, KNOWN_MEMBERS),
            geometry=_without(geometry, KNOWN_GEOMETRY),
            properties=properties,
        ),
    )
    try:
        check(region)
    except RegionError:
        return None
    return region


def to_feature(region: Region, classes: Classes = CLASSES) -> dict[str, Any]:
    """Return the GeoJSON feature of a region, with all that it brought along when it was read.

    QuPath draws what `isEllipse` marks as the ellipse within its bounds, so that the mark goes
    once the region has another form. All else that it brought (measurements, a cell's nucleus,
    child objects) stays as it was read, also where the region was changed since.
    """
    extra = region.extra
    told = extra.get("properties", {})
    properties = restated(told, region.name, region.classification, region.colour, region.locked)
    properties |= _coloured(properties, told, classes, region)
    if not any(key in properties for key in OBJECT_TYPE_KEYS):
        properties = {"objectType": "annotation", **properties}
    own_id = extra.get("id")
    return {
        "type": "Feature",
        "id": own_id if str(own_id) == region.id else region.id,
        "geometry": geometry_of(region, extra.get("geometry", {})),
        "properties": properties,
        **extra.get("members", {}),
    }


def _coloured(
    properties: Mapping[str, Any], told: Mapping[str, Any], classes: Classes, region: Region
) -> dict[str, Any]:
    """Return the classification with its colour, where it is new or has another colour now."""
    classification = properties.get("classification")
    if not isinstance(classification, Mapping) or not region.classification:
        return {}
    colour = colour_of(replace(region, colour=None), classes)
    new = classification is not told.get("classification")
    if not new and class_colour(properties, region.classification) in (None, colour):
        return {}
    plain = {key: value for key, value in classification.items() if key not in COLOUR_KEYS}
    return {"classification": {**plain, "color": list(colour)}}


def _unpacked(data: bytes, path: Path) -> bytes:
    if not data.startswith(GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    content = unpacker.decompress(data, LARGEST_BYTES)
    if unpacker.unconsumed_tail:
        raise _too_large(path)
    if not unpacker.eof:
        raise EOFError
    return content


def _too_large(path: Path) -> RegionError:
    return RegionError(
        f"{path} is larger than {LARGEST_BYTES >> 20} MB; export fewer objects into a file."
    )


def _features(content: Any, path: Path) -> tuple[list[Any], dict[str, Any]]:
    """Return the features of a collection, a bare list, one feature or one geometry."""
    if isinstance(content, list):
        return content, {}
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection" and isinstance(content.get("features"), list):
        members = _without(content, ("type", "features", "bbox"))
        if not _deeper(members, DEEPEST):
            return content["features"], members
    if kind == "Feature":
        return [content], {}
    if kind in GEOMETRIES:
        return [{"type": "Feature", "geometry": content, "properties": {}}], {}
    raise RegionError(f"{path} is JSON but not GeoJSON; choose a file of GeoJSON features.")


def _deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested deeper; what JSON reads it may be unable to write."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(_deeper(item, levels - 1) for item in value)


def _without(members: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key not in keys}


def _kept(**parts: Any) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value not in (None, {})}
