"""Coarser levels for a slide that has too few, averaged on demand."""

import math
from dataclasses import replace

import numpy as np
from PIL import Image

from stainapp.geometry import Rect
from stainapp.slides.mosaic import Grid, TileCache, level_pixel
from stainapp.slides.reader import Level, RgbImage, SlideInfo, SlideReader

STEP = 4
"""Each added level has a quarter of the pixels along each side."""

COARSEST_PX = 2048
"""Levels are added until the longer side is no more than this."""

TILE_PX = 512
BAND_PX = 64
CACHE_BYTES = 256 * 1024 * 1024


class Pyramid:
    """A reader with levels added below those it has.

    A tile of an added level is the area average of the 4 x 4 tiles above it, which are
    kept in bounded memory: a full coarse view reads each pixel of the slide once.
    """

    def __init__(self, source: SlideReader, *, in_bands: bool = False) -> None:
        """Add levels to ``source``, which this reader then owns.

        Args:
            source: the reader.
            in_bands: whether the source is stored in rows across its whole width; added
                levels are then made in such bands too, so that no strip is decoded twice.
        """
        self._source = source
        self._native = len(source.info.levels)
        levels = source.info.levels + _added(source.info.levels[-1])
        self._grids = tuple(_grid(level, in_bands=in_bands) for level in levels)
        self._cache = TileCache(CACHE_BYTES)
        self.info: SlideInfo = replace(source.info, levels=levels)

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return self._source.damaged

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        if level < self._native:
            return self._source.read(x, y, level, width_px, height_px)
        here = self.info.levels[level]
        return self._read_added(
            level_pixel(x, here), level_pixel(y, here), level, width_px, height_px
        )

    def close(self) -> None:
        self._source.close()
        self._cache.clear()

    def _read_added(self, x: int, y: int, level: int, width: int, height: int) -> RgbImage:
        def tile(column: int, row: int) -> RgbImage:
            key = (level, column, row)
            return self._cache.get(key, lambda: self._average(level, column, row))

        return self._grids[level].read(x, y, width, height, tile)

    def _average(self, level: int, column: int, row: int) -> RgbImage:
        grid, finer = self._grids[level], self.info.levels[level - 1]
        x, y = column * grid.tile_width * STEP, row * grid.tile_height * STEP
        width, height = (STEP * side for side in grid.size_of(column, row))
        width, height = min(width, finer.width_px - x), min(height, finer.height_px - y)
        if level - 1 < self._native:
            x0, y0 = round(x * finer.downsample), round(y * finer.downsample)
            pixels = self._source.read(x0, y0, level - 1, width, height)
        else:
            pixels = self._read_added(x, y, level - 1, width, height)
        return np.array(Image.fromarray(pixels).reduce(STEP))


def with_levels(reader: SlideReader, *, in_bands: bool = False) -> SlideReader:
    """Return the reader, with levels added if its coarsest is too large for an overview."""
    last = reader.info.levels[-1]
    if max(last.width_px, last.height_px) <= COARSEST_PX:
        return reader
    return Pyramid(reader, in_bands=in_bands)


def _added(last: Level) -> tuple[Level, ...]:
    levels = [last]
    while max(levels[-1].width_px, levels[-1].height_px) > COARSEST_PX:
        finer = levels[-1]
        width, height = math.ceil(finer.width_px / STEP), math.ceil(finer.height_px / STEP)
        levels.append(Level(width, height, finer.downsample * STEP))
    return tuple(levels[1:])


def _grid(level: Level, *, in_bands: bool) -> Grid:
    tile = (level.width_px, BAND_PX) if in_bands else (TILE_PX, TILE_PX)
    return Grid(level.width_px, level.height_px, *tile)
