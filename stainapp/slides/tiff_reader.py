"""OME-TIFF and plain TIFF of any size through tifffile, never more than a few tiles at once."""

import logging
import math
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from xml.etree import ElementTree as ET

from stainapp.errors import SlideError, StainAppError
from stainapp.geometry import Rect
from stainapp.slides.colour import colour_of
from stainapp.slides.identity import identity_of
from stainapp.slides.mosaic import TileCache, downsample_of, level_pixel
from stainapp.slides.reader import Level, RgbImage, SlideInfo
from stainapp.slides.scale import UM_PER_INCH, UM_PER_UNIT, agreed_mpp
from stainapp.slides.tiff_pixels import TiffImage, open_tiff

CACHE_BYTES = 192 * 1024 * 1024

# tifffile logs each tag and page of a damaged file that it cannot read, which Python prints
# on the terminal where nobody listens. What matters of it also comes as an exception, and is
# told in our own words; a log that was asked for still gets it all.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_UM_PER_RESOLUTION_UNIT = {2: UM_PER_INCH, 3: 10_000.0}


class TiffReader:
    """The largest image of a TIFF, with its pyramid wherever that is stored.

    A stack or a time series is shown at its first plane and time; of several channels
    that are not red, green and blue, the first is shown in grey.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_tiff(path)
        weakref.finalize(self, self._file.close)  # a reader that is only dropped leaks no file
        self._lock = Lock()
        self._cache = TileCache(CACHE_BYTES)
        try:
            levels = _largest_series(self._file, path).levels
            self._images = tuple(TiffImage(_pages(level), path, self._lock) for level in levels)
            first = self._file.pages[0] if self._file.is_ome else levels[0].keyframe
            self._colour = colour_of(levels[0].keyframe.iccprofile, path.name)
            self.info = self._describe(path, first, levels[0])
        except Exception as error:  # as in `open_tiff`
            self._file.close()
            if isinstance(error, StainAppError):
                raise
            raise SlideError(
                f"{path} is damaged or incomplete ({error}); copy it again."
            ) from error

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return ()

    @property
    def in_bands(self) -> bool:
        """Whether the finest level is stored in strips across its whole width."""
        grid = self._images[0].grid
        return grid.tile_width >= grid.width_px

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        image, here = self._images[level], self.info.levels[level]

        def tile(column: int, row: int) -> RgbImage:
            def make() -> RgbImage:
                return self._colour.apply_to_array(image.tile(column, row))

            return self._cache.get((level, column, row), make)

        return image.grid.read(
            level_pixel(x, here), level_pixel(y, here), width_px, height_px, tile
        )

    def close(self) -> None:
        with self._lock:
            self._file.close()
        self._cache.clear()

    def _describe(self, path: Path, first: Any, series: Any) -> SlideInfo:
        sizes = [(image.grid.width_px, image.grid.height_px) for image in self._images]
        said = {} if not self._file.is_ome else _ome_facts(self._file.ome_metadata, series)
        x_um, y_um = _ome_size(said) if said else (None, None)
        if x_um is None:
            x_um, y_um = _imagej_size(self._file, first) or _tag_size(first)
        mpp, remark = agreed_mpp(x_um, y_um)
        described = {"tiff.ImageDescription": first.description} if first.description else {}
        return SlideInfo(
            path=path,
            format="ome-tiff" if self._file.is_ome else "tiff",
            levels=tuple(
                Level(width, height, downsample_of(sizes[0], (width, height)))
                for width, height in sizes
            ),
            identity=identity_of(path),
            mpp=mpp,
            objective=_number(said.get("NominalMagnification")),
            icc=self._colour.stated,
            properties=described | {f"ome.{name}": text for name, text in said.items()} | remark,
        )


def _largest_series(file: Any, path: Path) -> Any:
    images = [series for series in file.series if {"X", "Y"} <= set(series.axes) and series.size]
    if not images:
        raise SlideError(f"{path} holds no image; copy it again from where it came.")
    return max(images, key=lambda series: series.keyframe.imagewidth * series.keyframe.imagelength)


def _pages(level: Any) -> Sequence[Any]:
    """Return the page to show, or the three that are red, green and blue."""
    pages = level.pages
    stack = level.axes[: len(level.axes) - len(level.keyframe.axes)]
    if "C" not in stack or level.shape[stack.index("C")] != 3 or len(pages) < 3:
        return [pages[0]]
    stride = math.prod(level.shape[stack.index("C") + 1 : len(stack)])
    return [pages[channel * stride] for channel in range(3)]


def _ome_facts(xml: str, series: Any) -> dict[str, str]:
    """Return the attributes of the series' Pixels element, and the objective's power."""
    try:
        root = ET.fromstring(xml)  # noqa: S314 - expat itself stops entities that expand without end
    except ET.ParseError:
        return {}
    elements = [(element.tag.rpartition("}")[2], element.attrib) for element in root.iter()]
    pixels = [attributes for name, attributes in elements if name == "Pixels"]
    size = str(series.keyframe.imagewidth), str(series.keyframe.imagelength)
    chosen = [one for one in pixels if (one.get("SizeX"), one.get("SizeY")) == size] or pixels
    facts = dict(chosen[0]) if chosen else {}
    for name, attributes in elements:
        if name == "Objective" and "NominalMagnification" in attributes:
            facts["NominalMagnification"] = attributes["NominalMagnification"]
    return facts


def _ome_size(said: dict[str, str]) -> tuple[float | None, float | None]:
    def um(axis: str) -> float | None:
        size = _number(said.get(f"PhysicalSize{axis}"))
        unit = UM_PER_UNIT.get(said.get(f"PhysicalSize{axis}Unit", "µm").lower())
        return None if size is None or unit is None else size * unit

    return um("X"), um("Y")


def _imagej_size(file: Any, page: Any) -> tuple[float | None, float | None] | None:
    """ImageJ writes pixels per unit into the resolution tags and the unit elsewhere."""
    unit = str((file.imagej_metadata or {}).get("unit", "")).lower().replace("\\u00b5", "µ")
    um = UM_PER_UNIT.get(unit)
    return None if um is None else (_um(page, _X_RESOLUTION, um), _um(page, _Y_RESOLUTION, um))


def _tag_size(page: Any) -> tuple[float | None, float | None]:
    unit = page.tags.get(_RESOLUTION_UNIT)
    um = _UM_PER_RESOLUTION_UNIT.get(int(unit.value)) if unit is not None else None
    if um is None:
        return None, None
    return _um(page, _X_RESOLUTION, um), _um(page, _Y_RESOLUTION, um)


def _um(page: Any, tag: int, um_per_unit: float) -> float | None:
    found = page.tags.get(tag)
    if found is None:
        return None
    pixels, units = found.value
    return um_per_unit * units / pixels if pixels and units else None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
