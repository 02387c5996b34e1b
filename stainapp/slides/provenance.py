"""What an exported file says of its origin, and whether it is still what was written."""

import hashlib
import json
import logging
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openslide
import tifffile

from stainapp.errors import ExportError
from stainapp.slides.ome_tiff import NAMESPACE, TILE_PX, Layout
from stainapp.slides.reader import SlideReader

_UNREADABLE = (
    OSError, ValueError, RuntimeError, LookupError, ArithmeticError, TypeError, AttributeError,
    AssertionError, MemoryError, struct.error, zlib.error, tifffile.TiffFileError,
    openslide.OpenSlideError,
)  # fmt: skip
"""What damaged files raise in tifffile, imagecodecs and OpenSlide."""
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its words are not the user's
TILES_AT_ONCE = 64


def read_provenance(path: Path) -> dict[str, Any] | None:
    """Return the provenance of an exported file; None if it has none.

    Raises:
        ExportError: the file cannot be opened, or its provenance is damaged.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            xml = tiff.pages.first.description
    except FileNotFoundError as error:
        raise ExportError(f"{path} does not exist; check the name.") from error
    except IsADirectoryError as error:
        raise ExportError(f"{path} is a folder; name a file in it.") from error
    except (PermissionError, TimeoutError) as error:
        raise ExportError(
            f"{path} cannot be read ({error.strerror}); check the drive and its permissions."
        ) from error
    except _UNREADABLE as error:
        raise ExportError(
            f"{path} is no sound TIFF file; copy it again, or export it again."
        ) from error
    return _from_xml(xml, path)


def verify_slide(path: Path) -> dict[str, Any]:
    """Read every tile of every level and compare it with the checksums in the provenance.

    Returns:
        "levels" (width and height of each), "tiles", "damaged_tiles" (those that the source
        could not fill), "mpp" and "provenance".

    Raises:
        ExportError: no provenance, a tile that does not decode, or a checksum that differs.
    """
    provenance = read_provenance(path)
    export = (provenance or {}).get("export")
    if not isinstance(export, dict) or not isinstance(export.get("tiles_sha256"), list):
        raise ExportError(
            f"{path} carries no checksums to verify it by: it was not exported by stainapp, "
            "or was changed since; export it again."
        )
    try:
        with tifffile.TiffFile(path) as tiff:
            levels = tiff.series[0].levels
            found = [_digest(level.keyframe) for level in levels]
            sizes = [(level.shape[1], level.shape[0]) for level in levels]
            tiles = sum(len(level.keyframe.dataoffsets) for level in levels)
        width, height = (int(side) for side in export["region"][2:])
        mpp = _mpp(path)
    except _UNREADABLE as error:
        raise ExportError(
            f"{path} is damaged or cut short; copy it again, or export it again."
        ) from error
    whole = Layout.of(width, height, "deflate", quality=0, mpp=None).sizes
    if found != export["tiles_sha256"] or tuple(sizes) != whole:
        raise ExportError(
            f"{path} is not what was exported: its checksum differs; "
            "copy it again, or export it again."
        )
    return {
        "levels": sizes, "tiles": tiles, "damaged_tiles": export.get("damaged_tiles", 0),
        "mpp": mpp, "provenance": provenance,
    }  # fmt: skip


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
    except _UNREADABLE as error:
        raise _not_as_written(path, "it does not open") from error
    if problem:
        raise _not_as_written(path, problem)


def _not_as_written(path: Path, problem: str) -> ExportError:
    return ExportError(
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
        raise ExportError(
            f"{path} is damaged in its provenance; copy it again, or export it again."
        ) from error
    return None


def _digest(page: Any) -> str:
    """Return the checksum of a level's tiles, having decoded each of them, a few at a time."""
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    digests: list[str] = []
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(spans), TILES_AT_ONCE):
            data = [_stored(page, *span) for span in spans[first : first + TILES_AT_ONCE]]
            numbers = range(first, first + len(data))
            digests += pool.map(partial(_tile_digest, page), numbers, data)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _stored(page: Any, offset: int, length: int) -> bytes:
    page.parent.filehandle.seek(offset)
    data: bytes = page.parent.filehandle.read(length)
    if len(data) != length:
        raise ValueError(f"the level {page.imagewidth} px wide is cut off")
    return data


def _tile_digest(page: Any, number: int, data: bytes) -> str:
    if page.decode(data, number)[0] is None:
        raise ValueError(f"tile {number} of the level {page.imagewidth} px wide is empty")
    return hashlib.sha256(data).hexdigest()


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
