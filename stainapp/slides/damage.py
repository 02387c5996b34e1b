"""A slide with damaged parts, read without ever failing: a coarser level stands in."""

import logging
from threading import Lock

import numpy as np
from PIL import Image

from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.slides.mosaic import WHITE, Grid, level_pixel
from stainapp.slides.reader import Level, RgbImage, SlideInfo, SlideReader

log = logging.getLogger(__name__)

CELL_PX = 256
"""Damage is told apart in squares of this side, in pixels of the level it was met at."""

Cell = tuple[int, int, int]
"""Level, column, row."""


class DamageTolerant:
    """A reader whose `read` does not fail where the file is damaged.

    A region that cannot be read is read again in cells. Each cell that fails is taken from
    the next coarser level that can be read there, or is white; it is listed in `damaged`
    and not tried again. A sound slide pays nothing for this.
    """

    def __init__(self, source: SlideReader) -> None:
        self._source = source
        self._grids = tuple(
            Grid(level.width_px, level.height_px, CELL_PX, CELL_PX) for level in source.info.levels
        )
        self._bad: dict[Cell, Rect] = {}
        self._lock = Lock()

    @property
    def info(self) -> SlideInfo:
        return self._source.info

    @property
    def damaged(self) -> tuple[Rect, ...]:
        with self._lock:
            return self._source.damaged + tuple(self._bad.values())

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        if not self._known_bad_within(x, y, level, width_px, height_px):
            try:
                return self._source.read(x, y, level, width_px, height_px)
            except SlideError as error:
                log.info("reading in cells after: %s", error)
        here = self.info.levels[level]
        left, top = level_pixel(x, here), level_pixel(y, here)
        return self._grids[level].read(
            left, top, width_px, height_px, lambda column, row: self._cell((level, column, row))
        )

    def close(self) -> None:
        self._source.close()

    def _known_bad_within(self, x: int, y: int, level: int, width: int, height: int) -> bool:
        if not self._bad:
            return False
        here = self.info.levels[level]
        left, top = level_pixel(x, here) // CELL_PX, level_pixel(y, here) // CELL_PX
        columns = range(left, (level_pixel(x, here) + width - 1) // CELL_PX + 1)
        rows = range(top, (level_pixel(y, here) + height - 1) // CELL_PX + 1)
        return any(self._is_bad((level, column, row)) for row in rows for column in columns)

    def _cell(self, cell: Cell) -> RgbImage:
        level, column, row = cell
        where = _rect(self.info.levels[level], self._grids[level], column, row)
        width, height = self._grids[level].size_of(column, row)
        if not self._is_bad(cell):
            try:
                return self._source.read(round(where.x), round(where.y), level, width, height)
            except SlideError as error:
                log.warning("a tile is replaced by a stand-in: %s", error)
                with self._lock:
                    self._bad.setdefault(cell, where)
        return self._stand_in(level, where, width, height)

    def _stand_in(self, level: int, where: Rect, width: int, height: int) -> RgbImage:
        for coarser in range(level + 1, len(self.info.levels)):
            downsample = self.info.levels[coarser].downsample
            size = (
                max(1, round(where.width / downsample)),
                max(1, round(where.height / downsample)),
            )
            try:
                pixels = self._source.read(round(where.x), round(where.y), coarser, *size)
            except SlideError:
                continue
            enlarged = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(enlarged)
        white = np.empty((height, width, 3), np.uint8)
        white.fill(WHITE)
        return white

    def _is_bad(self, cell: Cell) -> bool:
        with self._lock:
            return cell in self._bad


def _rect(level: Level, grid: Grid, column: int, row: int) -> Rect:
    width, height = grid.size_of(column, row)
    return Rect(column * CELL_PX, row * CELL_PX, width, height).scaled(level.downsample)
