"""QuPath's files in and out: what is known is shown, what is not is kept."""

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stainapp.errors import RegionError
from stainapp.session import geojson
from stainapp.session.geojson import (
    document_in,
    from_feature,
    read_document,
    read_geojson,
    to_feature,
    write_geojson,
)
from stainapp.session.regions import Document, Region
from tests.session.qupath import BEFORE_0_4, TODAY, feature, written

TRIANGLE = [[[0, 0], [9, 0], [5, 9], [0, 0]]]


def test_a_file_of_qupath_says_what_to_show(tmp_path: Path) -> None:
    first, second, *more = read_document(written(tmp_path / "a.geojson", TODAY)).regions

    assert (first.name, first.classification, first.colour) == (
        "crypt \u00b5",
        "Tumor",
        (10, 20, 30),
    )
    assert (first.shape, first.locked, first.area_px) == ("rectangle", True, 40_000)
    assert (second.shape, second.locked, second.colour) == ("polygon", False, None)
    assert second.classification == "Stroma: Positive"
    assert [len(polygon) for polygon in second.polygons] == [2, 1]
    point, line, points, oval = more
    assert (point.shape, point.points, point.name) == ("points", ((12.0, 13.0),), "a mitosis")
    assert (line.shape, line.length_px, line.measurements) == ("line", 50, {"Length um": 25.0})
    assert (points.shape, len(points.points)) == ("points", 3)
    assert oval.shape == "ellipse"
    assert oval.area_px == pytest.approx(math.pi * 40 * 20)
    assert not any(region.encloses for region in (point, line, points))
    assert [oval.encloses, second.measurements] == [True, {"Perimeter": 4}]


def test_training_reads_areas_alone(tmp_path: Path) -> None:
    areas = read_geojson(written(tmp_path / "a.geojson", TODAY))

    assert [region.shape for region in areas] == ["rectangle", "polygon", "ellipse"]


def test_a_class_recoloured_here_has_its_new_colour_in_the_file(tmp_path: Path) -> None:
    document = read_document(written(tmp_path / "a.geojson", TODAY))
    classes = {**document.classes, "Tumor": (1, 2, 3)}

    told = [to_feature(region, classes)["properties"] for region in document.regions]

    assert document.classes["Tumor"] == (200, 0, 0)
    assert told[0]["classification"] == {"name": "Tumor", "color": [1, 2, 3]}
    assert told[1] == TODAY["features"][1]["properties"]


def test_a_file_of_qupath_comes_back_as_it_was(tmp_path: Path) -> None:
    document = read_document(written(tmp_path / "a.geojson", TODAY))

    write_geojson(tmp_path / "b.geojson", document)

    assert json.loads((tmp_path / "b.geojson").read_bytes()) == TODAY
    assert read_document(tmp_path / "b.geojson") == document


def test_what_is_changed_is_all_that_changes(tmp_path: Path) -> None:
    region = read_geojson(written(tmp_path / "a.geojson", TODAY))[0]

    changed = replace(
        region.moved(5, 0), name="", classification="Ignore", colour=None, locked=False
    )

    before = TODAY["features"][0]
    after = to_feature(changed)
    lost = {"name", "color", "classification", "isLocked"}
    kept = {key: value for key, value in before["properties"].items() if key not in lost}
    assert after["geometry"]["coordinates"][0][0] == [105, 50]
    assert after["geometry"]["plane"] == before["geometry"]["plane"]
    assert after["properties"] == kept | {
        "classification": {"name": "Ignore", "color": [110, 110, 110]}
    }
    assert after["pathologist"] == {"grade": 3}
    assert from_feature(after) == changed


def test_a_region_drawn_here_reads_as_qupath_expects() -> None:
    region = Region.rectangle(1.5, 2, 10, 20, name="A", classification="Tumour", locked=True)

    told = to_feature(region)

    assert told == {
        "type": "Feature",
        "id": region.id,
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[1.5, 2], [11.5, 2], [11.5, 22], [1.5, 22], [1.5, 2]]],
        },
        "properties": {
            "objectType": "annotation",
            "name": "A",
            "classification": {"name": "Tumour", "color": [210, 30, 40]},
            "isLocked": True,
        },
    }
    assert from_feature(json.loads(json.dumps(told))) == region


def test_older_files_are_understood_and_their_words_kept(tmp_path: Path) -> None:
    region, twin = read_geojson(written(tmp_path / "old.json", [BEFORE_0_4, BEFORE_0_4]))

    assert (region.classification, region.colour, region.locked) == ("Tumor", (0, 0, 255), False)
    assert region.id != twin.id
    assert "PathAnnotationObject" not in (region.id, twin.id)
    told = to_feature(region)["properties"]
    assert told == BEFORE_0_4["properties"] | {"objectType": "annotation"}
    assert to_feature(replace(region, colour=(1, 2, 3)))["properties"]["color"] == [1, 2, 3]


def test_of_two_features_with_one_id_the_second_gets_its_own(tmp_path: Path) -> None:
    told = feature(type="Polygon", coordinates=TRIANGLE) | {"id": "twin"}

    first, second = read_geojson(written(tmp_path / "a.geojson", [told, told]))

    assert first.id == "twin"
    assert second.id != "twin"
    assert second.polygons == first.polygons


@pytest.mark.parametrize("key", ["objectType", "object_type", "type"])
def test_the_object_s_type_is_kept_under_the_key_it_came_with(key: str) -> None:
    told = feature(type="Polygon", coordinates=TRIANGLE) | {"properties": {key: "detection"}}

    region = from_feature(told)

    assert region is not None
    assert to_feature(region)["properties"] == {key: "detection"}


def test_measurements_that_are_not_numbers_survive(tmp_path: Path) -> None:
    path = tmp_path / "nan.geojson"
    told = feature(type="Polygon", coordinates=TRIANGLE)
    told["properties"] = {"measurements": {"a": math.nan, "b": -math.inf}}

    write_geojson(path, read_geojson(written(path, told)))

    (region,) = read_geojson(path)
    measurements = region.extra["properties"]["measurements"]
    assert math.isnan(measurements["a"])
    assert measurements["b"] == -math.inf


@pytest.mark.parametrize(
    "content",
    [
        feature(type="Polygon", coordinates=TRIANGLE),
        [feature(type="Polygon", coordinates=TRIANGLE)],
        {"type": "FeatureCollection", "features": [feature(type="Polygon", coordinates=TRIANGLE)]},
        {"type": "Polygon", "coordinates": TRIANGLE},
        feature(type="MultiPolygon", coordinates=[TRIANGLE]),
        feature(
            type="GeometryCollection", geometries=[{"type": "Polygon", "coordinates": TRIANGLE}]
        ),
        feature(type="Polygon", coordinates=[[[0, 0, 7], [9, 0, 7], [5, 9, 7]]]),
    ],
    ids=["feature", "list", "collection", "geometry", "multi", "collected", "open and 3-D"],
)
def test_every_form_of_file_gives_the_region(tmp_path: Path, content: Any) -> None:
    (region,) = read_geojson(written(tmp_path / "a.json", content))

    assert region.polygons == ((((0, 0), (9, 0), (5, 9)),),)


@pytest.mark.parametrize(
    "told",
    [
        feature(type="MultiLineString", coordinates=[[[1, 2], [3, 4]]]),
        feature(type="LineString", coordinates=[[1, 2], [1, 2]]),
        feature(type="MultiPoint", coordinates=[]),
        feature(type="Polygon", coordinates=[[[0, 0], [9, 9], [0, 0]]]),
        feature(type="Polygon", coordinates=[[[0, 0], [9, 0], [5, 1e300], [0, 0]]]),
        feature(type="Polygon", coordinates=[]),
        feature(type="MultiPolygon", coordinates=[]),
        feature(
            type="GeometryCollection",
            geometries=[
                {"type": "Polygon", "coordinates": TRIANGLE},
                {"type": "Point", "coordinates": [1, 2]},
            ],
        ),
        {"type": "Feature", "geometry": None, "properties": None, "more": 1},
    ],
)
def test_what_cannot_be_shown_is_kept_untouched(tmp_path: Path, told: dict[str, Any]) -> None:
    path = written(tmp_path / "a.geojson", told)

    document = read_document(path)
    write_geojson(path, document)

    assert document.regions == ()
    assert json.loads(path.read_bytes())["features"] == [told]


def test_an_ellipse_is_marked_as_one_until_it_is_reshaped() -> None:
    region = Region.ellipse(10, 10, 80, 40)
    ring = region.ring
    reshaped = replace(
        region, polygons=(((*ring[:9], (50.0, 30.0), *ring[10:]),),), shape="polygon"
    )

    told = to_feature(region.moved(7, 7))
    assert told["geometry"]["isEllipse"] is True
    assert from_feature(json.loads(json.dumps(told))) == region.moved(7, 7)
    assert "isEllipse" not in to_feature(reshaped)["geometry"]


def test_what_is_marked_an_ellipse_but_is_none_is_a_polygon() -> None:
    marked = feature(type="Polygon", coordinates=TRIANGLE, isEllipse=True)

    region = from_feature(marked)

    assert region is not None
    assert region.shape == "polygon"


@pytest.mark.parametrize("region", [
    Region(shape="points", points=((1.0, 2.0),)),
    Region(shape="points", points=((1.0, 2.0), (3.0, 4.5))),
    Region(shape="line", points=((1.0, 2.0), (3.0, 4.5), (9.0, 9.0)), name="a crypt's depth"),
], ids=["a point", "points", "a line"])  # fmt: skip
def test_points_and_lines_come_back(region: Region, tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", [region])

    assert read_document(tmp_path / "a.geojson").regions == (region,)


@pytest.mark.parametrize(
    "ring",
    [
        ((0, 0), (9, 0), (9, 5), (0, 6)),
        ((0, 0), (9, 5), (9, 0), (0, 5)),
        ((0, 0), (9, 0), (9, 5), (4, 5), (0, 5)),
    ],
)
def test_only_upright_rectangles_are_rectangles(ring: Any) -> None:
    region = from_feature(feature(type="Polygon", coordinates=[ring]))

    assert region is not None
    assert region.shape == "polygon"


def test_a_gz_file_is_written_on_request_and_read_by_its_content(tmp_path: Path) -> None:
    path, region = tmp_path / "a.geojson.gz", Region.rectangle(0, 0, 5, 5)

    write_geojson(path, [region])

    assert json.loads(gzip.decompress(path.read_bytes()))["type"] == "FeatureCollection"
    renamed = path.rename(tmp_path / "b.geojson")
    assert read_geojson(renamed) == [region]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("a text", "no GeoJSON feature"),
        ({"type": "feature"}, "no GeoJSON feature"),
        ({"type": "Feature", "geometry": []}, "no JSON objects"),
        ({"type": "Feature", "geometry": {}, "properties": "x"}, "no JSON objects"),
        (feature(type="Circle", coordinates=[1, 2]), "does not know"),
        (feature(type="Polygon"), "no lists of points"),
        (feature(type="Polygon", coordinates=[[["0", "0"], ["9", "0"]]]), "no lists of points"),
        (feature(type="Polygon", coordinates=[[[1], [2], [3]]]), "no lists of points"),
        (feature(type="Polygon", coordinates={"a": 1}), "no lists of points"),
        (feature(type="Polygon", coordinates=[[[10**400, 0], [9, 0]]]), "no lists of points"),
        (feature(type="GeometryCollection", geometries=[3]), "no lists of points"),
    ],
)
def test_a_malformed_feature_is_named_by_its_number(tmp_path: Path, told: Any, reason: str) -> None:
    path = written(tmp_path / "bad.geojson", [TODAY["features"][0], told])

    with pytest.raises(RegionError, match=f"bad.geojson has an error in feature 2, .*{reason}"):
        read_geojson(path)


def test_properties_of_odd_kinds_are_kept_and_not_believed() -> None:
    told = feature(type="Polygon", coordinates=TRIANGLE)
    told["properties"] = {
        "objectType": 5,
        "name": ["x"],
        "color": [1, 2, 900],
        "classification": {"name": None},
        "isLocked": "yes",
    }

    region = from_feature(told)

    assert region is not None
    shown = (region.name, region.classification, region.colour, region.locked)
    assert shown == ("", "", None, False)
    assert to_feature(region)["properties"] == told["properties"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n",
        b'{"type": "FeatureCollection", "features": [',
        b"[" * 100_000,
        b'{"type": "Topology", "objects": {}}',
        b'{"type": "FeatureCollection", "features": {}}',
        b'"text"',
        b"null",
        b"\x1f\x8b broken",
        gzip.compress(b"[]")[:-6],
        "[]".encode("utf-16")[:-1],
    ],
)
def test_what_is_no_geojson_gets_one_sentence(data: bytes) -> None:
    with pytest.raises(RegionError, match=r"^odd\.geojson [^\n]*; [^\n]*\.$"):
        document_in(data, Path("odd.geojson"))


@pytest.mark.parametrize("key", ["properties", "more"])
def test_a_feature_nested_too_deeply_to_be_written_again_is_refused(key: str) -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"in": [deep]}
    told = feature(type="Polygon", coordinates=TRIANGLE) | {key: deep}

    with pytest.raises(RegionError, match=r"feature 1, .*too deeply"):
        document_in(json.dumps([told]).encode(), Path("deep.geojson"))


def test_a_file_too_large_is_refused_unread_packed_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geojson, "LARGEST_BYTES", 2000)
    plain = tmp_path / "plain.geojson"
    plain.write_bytes(b" " * 2001)
    packed = tmp_path / "packed.geojson"
    packed.write_bytes(gzip.compress(b"[" + b" " * 100_000 + b"]"))

    for path in (plain, packed):
        with pytest.raises(RegionError, match="larger than"):
            read_geojson(path)


def test_a_file_that_is_not_there_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match=r"none\.geojson cannot be read \(.*\); check"):
        read_geojson(tmp_path / "none.geojson")


def test_a_name_outside_unicode_does_not_stop_writing(tmp_path: Path) -> None:
    region = Region.rectangle(0, 0, 5, 5, name="\ud800 \u0416")

    write_geojson(tmp_path / "\u0416.geojson", Document((region,)))

    assert read_geojson(tmp_path / "\u0416.geojson") == [region]
