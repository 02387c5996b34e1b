"""A slide with damaged parts, read without ever failing: a coarser level stands in."""

import logging
from collections.abc import Iterator
from threading import Lock

import numpy as np
from PIL import Image

from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.slides.mosaic import WHITE, Grid, level_pixel
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader

log = logging.getLogger(__name__)

CELL_PX = 256
"""Damage is told apart in squares of this side, in pixels of the level it was met at."""


class BadCells:
    """The bad cells of one level, gathered into few rectangles. Not thread-safe."""

    def __init__(self) -> None:
        self._rows: dict[int, set[int]] = {}
        self._runs: dict[int, list[range]] = {}
        """Runs of columns, of those rows that have not changed since they were asked for."""

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def has(self, column: int, row: int) -> bool:
        return column in self._rows.get(row, ())

    def add(self, column: int, row: int) -> None:
        self._rows.setdefault(row, set()).add(column)
        self._runs.pop(row, None)

    def blocks(self) -> list[tuple[range, range]]:
        """Return columns and rows of blocks that cover just these cells, each once.

        Each row is cut into runs; equal runs of rows that follow each other are one block.
        """
        done: list[tuple[range, range]] = []
        growing: dict[range, range] = {}
        for row in sorted(self._rows):
            for run in self._runs_of(row):
                above = growing.get(run)
                if above is not None and above.stop != row:
                    done.append((run, above))
                    above = None
                growing[run] = range(above.start if above else row, row + 1)
        done.extend(growing.items())
        return sorted(done, key=lambda block: (block[1].start, block[0].start))

    def _runs_of(self, row: int) -> list[range]:
        if row not in self._runs:
            self._runs[row] = list(_runs(sorted(self._rows[row])))
        return self._runs[row]


class DamageTolerant:
    """A reader whose `read` does not fail where the file is damaged.

    A region that cannot be read is read again in cells. Each cell that fails is taken from
    the next coarser level that can be read there, or is white; it is part of `damaged`
    and not tried again. A sound slide pays nothing for this.
    """

    def __init__(self, source: SlideReader) -> None:
        self._source = source
        self._grids = tuple(
            Grid(level.width_px, level.height_px, CELL_PX, CELL_PX) for level in source.info.levels
        )
        self._bad = tuple(BadCells() for _ in self._grids)
        self._damaged: tuple[Rect, ...] | None = ()
        """What `damaged` returns; None once a further cell was found."""
        self._sound = True
        self._lock = Lock()

    @property
    def info(self) -> SlideInfo:
        return self._source.info

    @property
    def damaged(self) -> tuple[Rect, ...]:
        with self._lock:
            if self._damaged is None:
                self._damaged = tuple(self._rectangles())
            return self._source.damaged + self._damaged

    @property
    def bad_cells(self) -> int:
        """How many cells have been found bad, over all levels."""
        with self._lock:
            return sum(map(len, self._bad))

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        if not self._known_bad_within(x, y, level, width_px, height_px):
            try:
                return self._source.read(x, y, level, width_px, height_px)
            except SlideError as error:
                log.debug("reading in cells after: %s", error)
        here = self.info.levels[level]
        left, top = level_pixel(x, here), level_pixel(y, here)
        return self._grids[level].read(
            left, top, width_px, height_px, lambda column, row: self._cell(level, column, row)
        )

    def close(self) -> None:
        self._source.close()

    def _known_bad_within(self, x: int, y: int, level: int, width: int, height: int) -> bool:
        if self._sound:
            return False
        here = self.info.levels[level]
        left, top = level_pixel(x, here) // CELL_PX, level_pixel(y, here) // CELL_PX
        columns = range(left, (level_pixel(x, here) + width - 1) // CELL_PX + 1)
        rows = range(top, (level_pixel(y, here) + height - 1) // CELL_PX + 1)
        with self._lock:
            bad = self._bad[level]
            return any(bad.has(column, row) for row in rows for column in columns)

    def _cell(self, level: int, column: int, row: int) -> RgbImage:
        where = self._rectangle(level, range(column, column + 1), range(row, row + 1))
        width, height = self._grids[level].size_of(column, row)
        if not self._known_bad(level, column, row):
            try:
                return self._source.read(round(where.x), round(where.y), level, width, height)
            except SlideError as error:
                self._note(level, column, row, error)
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

    def _known_bad(self, level: int, column: int, row: int) -> bool:
        with self._lock:
            return self._bad[level].has(column, row)

    def _note(self, level: int, column: int, row: int, error: SlideError) -> None:
        with self._lock:
            first, self._sound = self._sound, False
            self._bad[level].add(column, row)
            self._damaged = None
        if first:
            log.warning("%s: damaged; stand-ins are shown", self.info.path)
        log.debug("a stand-in at level %d, column %d, row %d: %s", level, column, row, error)

    def _rectangles(self) -> Iterator[Rect]:
        for level, bad in enumerate(self._bad):
            for columns, rows in bad.blocks():
                yield self._rectangle(level, columns, rows)

    def _rectangle(self, level: int, columns: range, rows: range) -> Rect:
        """Return a block of cells, in level-0 pixels; edge cells end where the level does."""
        here = self.info.levels[level]
        x, y = columns.start * CELL_PX, rows.start * CELL_PX
        right = min(columns.stop * CELL_PX, here.width_px)
        bottom = min(rows.stop * CELL_PX, here.height_px)
        return Rect(x, y, right - x, bottom - y).scaled(here.downsample)


def _runs(columns: list[int]) -> Iterator[range]:
    """Cut ascending numbers into runs without a gap."""
    start = 0
    for index, column in enumerate(columns):
        if index + 1 == len(columns) or columns[index + 1] != column + 1:
            yield range(columns[start], column + 1)
            start = index + 1
