"""Regions put together from tiles, which are kept in bounded memory."""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

import numpy as np

from stainapp.slides.reader import Level, RgbImage

WHITE = 255


class TileCache:
    """Keeps the tiles used last, up to a number of bytes; safe to use from many threads.

    A tile that several threads want at once is made once; the others wait for it. Making
    a tile may ask for other tiles, as long as no tile ends up waiting for itself.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._bytes = 0
        self._tiles: OrderedDict[Hashable, RgbImage] = OrderedDict()
        self._making: dict[Hashable, Future[RgbImage]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], RgbImage]) -> RgbImage:
        """Return the tile of that key, made now if it is not kept. Never write to it."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                return tile
            waiting = self._making.get(key)
            if waiting is None:
                ours: Future[RgbImage] = Future()
                self._making[key] = ours
        return waiting.result() if waiting is not None else self._make(key, make, ours)

    def clear(self) -> None:
        with self._lock:
            self._tiles.clear()
            self._bytes = 0

    def _make(
        self, key: Hashable, make: Callable[[], RgbImage], ours: Future[RgbImage]
    ) -> RgbImage:
        try:
            tile = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            ours.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, tile)
        ours.set_result(tile)
        return tile

    def _keep(self, key: Hashable, tile: RgbImage) -> None:
        self._tiles[key] = tile
        self._bytes += tile.nbytes
        while self._bytes > self._capacity and len(self._tiles) > 1:
            _, oldest = self._tiles.popitem(last=False)
            self._bytes -= oldest.nbytes


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal tiles over an image; those at the right and bottom edge may be smaller."""

    width_px: int
    height_px: int
    tile_width: int
    tile_height: int

    def size_of(self, column: int, row: int) -> tuple[int, int]:
        """Return the width and height of a tile's part inside the image."""
        return (
            min(self.tile_width, self.width_px - column * self.tile_width),
            min(self.tile_height, self.height_px - row * self.tile_height),
        )

    def read(
        self, x: int, y: int, width: int, height: int, tile: Callable[[int, int], RgbImage]
    ) -> RgbImage:
        """Assemble a region, in this image's own pixels; white beyond its edges.

        Args:
            x: left edge; may be negative.
            y: top edge; may be negative.
            width: of the result.
            height: of the result.
            tile: gives the tile of a column and row, at least as large as `size_of`.
        """
        region = np.empty((height, width, 3), np.uint8)
        left, right = max(x, 0), min(x + width, self.width_px)
        top, bottom = max(y, 0), min(y + height, self.height_px)
        if (left, top, right, bottom) != (x, y, x + width, y + height):
            region.fill(WHITE)  # ten times as fast as np.full
        if left >= right or top >= bottom:
            return region
        for row in range(top // self.tile_height, (bottom - 1) // self.tile_height + 1):
            y0 = row * self.tile_height
            rows = slice(max(top, y0), min(bottom, y0 + self.tile_height))
            for column in range(left // self.tile_width, (right - 1) // self.tile_width + 1):
                x0 = column * self.tile_width
                columns = slice(max(left, x0), min(right, x0 + self.tile_width))
                part = tile(column, row)[_shifted(rows, y0), _shifted(columns, x0)]
                region[_shifted(rows, y), _shifted(columns, x)] = part
        return region


def level_pixel(position: int, level: Level) -> int:
    """Return the pixel of ``level`` nearest to a level-0 position along one axis."""
    return int(np.floor(position / level.downsample + 0.5))


def downsample_of(
    finest: tuple[int, int], level: tuple[int, int], *, stated: float | None = None
) -> float:
    """Return a level's downsample from its size and the finest one's.

    A whole number where rounding explains the rest: 13346 px over 3337 px is 4, not 3.9994,
    which would shift the far edge by two pixels.

    Args:
        finest: width and height of level 0.
        level: width and height of the level.
        stated: what the format's own library says, used where sizes do not tell.
    """
    ratios = [fine / coarse for fine, coarse in zip(finest, level, strict=True)]
    mean = stated or math.fsum(ratios) / 2
    whole = max(1, round(mean))
    fits = all(
        coarse in (fine // whole, math.ceil(fine / whole))
        for fine, coarse in zip(finest, level, strict=True)
    )
    return float(whole) if fits else mean


def _shifted(span: slice, origin: int) -> slice:
    return slice(span.start - origin, span.stop - origin)
