"""Files as QuPath writes them, drawn up by hand."""

import json
import math
from pathlib import Path
from typing import Any

OVAL = [
    [50 + 40 * math.cos(k * math.pi / 16), 30 + 20 * math.sin(k * math.pi / 16)] for k in range(32)
]
TODAY: dict[str, Any] = {
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "pixels"}},
    "features": [
        {
            "type": "Feature",
            "id": "5d2b7c0e-8f6e-4d1b-9a63-0c1f6f1d2a01",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[100, 50], [300, 50], [300, 250], [100, 250], [100, 50]]],
                "plane": {"c": -1, "z": 2, "t": 0},
            },
            "properties": {
                "objectType": "annotation",
                "name": "crypt \u00b5",
                "color": [10, 20, 30],
                "classification": {"name": "Tumor", "color": [200, 0, 0]},
                "isLocked": True,
                "measurements": {"Area um^2": 12.5, "Ratio": None},
                "metadata": {"seen by": "KM"},
                "ours": [1, {"deep": "kept"}],
            },
            "pathologist": {"grade": 3},
        },
        {
            "type": "Feature",
            "id": "5d2b7c0e-8f6e-4d1b-9a63-0c1f6f1d2a02",
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [
                    [
                        [[0, 0], [40, 0], [40, 40.5], [0, 40], [0, 0]],
                        [[10, 10], [10, 20], [20, 20], [20, 10], [10, 10]],
                    ],
                    [[[100, 100], [110, 100], [100, 110], [100, 100]]],
                ],
            },
            "properties": {
                "objectType": "cell",
                "classification": {"names": ["Stroma", "Positive"], "color": [1, 2, 3]},
                "measurements": [{"name": "Perimeter", "value": 4}],
                "childObjects": [{"type": "Feature", "geometry": None, "properties": {}}],
            },
            "nucleusGeometry": {
                "type": "Polygon",
                "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 1]]],
            },
        },
        {
            "type": "Feature",
            "id": 7,
            "geometry": {"type": "Point", "coordinates": [12, 13]},
            "properties": {"objectType": "annotation", "name": "a mitosis"},
        },
        {
            "type": "Feature",
            "id": "5d2b7c0e-8f6e-4d1b-9a63-0c1f6f1d2a03",
            "geometry": {"type": "LineString", "coordinates": [[0, 0], [30, 40]]},
            "properties": {"objectType": "annotation", "measurements": {"Length um": 25.0}},
        },
        {
            "type": "Feature",
            "id": "5d2b7c0e-8f6e-4d1b-9a63-0c1f6f1d2a04",
            "geometry": {"type": "MultiPoint", "coordinates": [[1, 2], [3.5, 4], [5, 6]]},
            "properties": {"objectType": "annotation", "name": "mitoses"},
        },
        {
            "type": "Feature",
            "id": "5d2b7c0e-8f6e-4d1b-9a63-0c1f6f1d2a05",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[*OVAL, OVAL[0]]],
                "isEllipse": True,
            },
            "properties": {"objectType": "annotation", "measurements": {"Area um^2": 628.3}},
        },
        {
            "type": "Feature",
            "geometry": {"type": "MultiLineString", "coordinates": [[[0, 0], [5, 5]]]},
            "properties": None,
        },
    ],
}

BEFORE_0_4: dict[str, Any] = {
    "type": "Feature",
    "id": "PathAnnotationObject",
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [5, 9], [0, 0]]]},
    "properties": {
        "classification": {"name": "Tumor", "colorRGB": -3670016},
        "colorRGB": -16776961,
        "isLocked": False,
        "measurements": [],
    },
}


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def feature(**geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {}}
