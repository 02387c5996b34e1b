"""What an exported file says of its origin, and whether it is still what was written."""

import hashlib
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openslide
import tifffile

from stainapp.errors import ExportError
from stainapp.slides.ome_tiff import NAMESPACE, TILE_PX, Layout
from stainapp.slides.reader import SlideReader

_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, IndexError)
"""What damaged files raise in tifffile and imagecodecs."""


def read_provenance(path: Path) -> dict[str, Any] | None:
    """Return the provenance of an exported file; None if it has none.

    Raises:
        ExportError: the file cannot be opened, or its provenance is damaged.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            xml = tiff.pages.first.description
    except (tifffile.TiffFileError, *_UNREADABLE) as error:
        raise ExportError(f"{path} cannot be opened as a TIFF file: {error}.") from error
    return _from_xml(xml, path)


def verify_slide(path: Path) -> dict[str, Any]:
    """Read every tile of every level and compare it with the checksums in the provenance.

    Returns:
        "levels" (width and height of each), "tiles", "mpp" and "provenance".

    Raises:
        ExportError: no provenance, a tile that does not decode, or a checksum that differs.
    """
    provenance = read_provenance(path)
    expected = ((provenance or {}).get("export") or {}).get("tiles_sha256")
    if provenance is None or not isinstance(expected, list):
        raise ExportError(f"{path} carries no checksums: it was not exported by stainapp.")
    try:
        with tifffile.TiffFile(path) as tiff:
            levels = tiff.series[0].levels
            found = [_digest(level.keyframe, path) for level in levels]
            sizes = [(level.shape[1], level.shape[0]) for level in levels]
            tiles = sum(len(level.keyframe.dataoffsets) for level in levels)
    except (tifffile.TiffFileError, *_UNREADABLE) as error:
        raise ExportError(f"{path} is damaged: {error}; export it again.") from error
    if found != expected:
        raise ExportError(f"{path} is not what was exported: its checksum differs.")
    return {"levels": sizes, "tiles": tiles, "mpp": _mpp(path), "provenance": provenance}


def check_export(
    path: Path, layout: Layout, reader: SlideReader, origin: tuple[int, int], samples: int = 5
) -> None:
    """Open a file just written, in tifffile and in OpenSlide, and compare it with its source.

    Raises:
        ExportError: sizes, scale or sampled tiles are not what was written.
    """
    try:
        problem = _tifffile_problem(path, layout) or _openslide_problem(
            path, layout, reader, origin, samples
        )
    except (tifffile.TiffFileError, openslide.OpenSlideError, *_UNREADABLE) as error:
        problem = str(error)
    if problem:
        raise ExportError(
            f"{path.name} did not read back as it was written ({problem}); "
            "check the disk and export again."
        )


def _from_xml(xml: str, path: Path) -> dict[str, Any] | None:
    # Entities could blow a small file up; OME-XML has none.
    if NAMESPACE not in xml or "<!DOCTYPE" in xml:
        return None
    try:
        for note in ElementTree.fromstring(xml).iter():  # noqa: S314 - no DOCTYPE, see above
            if note.get("Namespace") == NAMESPACE:
                record = json.loads("".join(note.itertext()))
                return record if isinstance(record, dict) else None
    except (ElementTree.ParseError, ValueError) as error:
        raise ExportError(f"The provenance of {path} is damaged: {error}.") from error
    return None


def _digest(page: Any, path: Path) -> str:
    digests = []
    file = page.parent.filehandle
    for n, (offset, length) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        file.seek(offset)
        data = file.read(length)
        digests.append(hashlib.sha256(data).hexdigest())
        decoded = page.decode(data, n)[0] if len(data) == length else None
        if decoded is None:
            raise ValueError(f"tile {n} of the level {page.imagewidth} px wide is cut off")
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _mpp(path: Path) -> float | None:
    with openslide.OpenSlide(path) as slide:
        text = slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
    return None if text is None else float(text)


def _tifffile_problem(path: Path, layout: Layout) -> str | None:
    with tifffile.TiffFile(path) as tiff:
        sizes = [(level.shape[1], level.shape[0]) for level in tiff.series[0].levels]
        if len(tiff.series) != 1 or tuple(sizes) != layout.sizes:
            return f"tifffile finds {len(tiff.series)} series of levels {sizes}"
    return None


def _openslide_problem(
    path: Path, layout: Layout, reader: SlideReader, origin: tuple[int, int], samples: int
) -> str | None:
    with openslide.OpenSlide(path) as slide:
        if slide.level_dimensions != layout.sizes:
            return f"OpenSlide finds the levels {slide.level_dimensions}"
        scale = slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
        if layout.mpp is not None and abs(float(scale or 0) / layout.mpp - 1) > 1e-4:
            return f"OpenSlide finds {scale} um/px"
        if layout.compression == "jpeg":
            return None
        columns, rows = layout.tiles(0)
        width, height = layout.sizes[0]
        for n in np.unique(np.linspace(0, columns * rows - 1, samples).astype(int)):
            x, y = int(n % columns) * TILE_PX, int(n // columns) * TILE_PX
            w, h = min(TILE_PX, width - x), min(TILE_PX, height - y)
            stored = np.asarray(slide.read_region((x, y), 0, (w, h)))[..., :3]
            if not np.array_equal(stored, reader.read(origin[0] + x, origin[1] + y, 0, w, h)):
                return f"the tile at {x}, {y} differs"
    return None
