"""A slide in the frame of another one: read like any other, at any of that one's levels."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stainapp.geometry import Rect
from stainapp.registration.grid import Grid, Points
from stainapp.registration.transform import Transform
from stainapp.slides.mosaic import Grid as Mosaic
from stainapp.slides.mosaic import TileCache, level_pixel
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader

CELL_PX = 256
"""Side of the squares of a level that are drawn as wholes, alike whatever is read of them."""
TILE_PX = 256
"""Side of the squares in which the moving slide is read, before averaging."""
MASK_PX = 4
"""Side of the squares that belong to one piece, where pieces meet."""
LARGEST_BLOCK = 1 << 24
"""Pixels of the moving slide held at once. A cell that spreads over more is torn: left white."""
CACHE_BYTES = 128 << 20
COARSER = 1.15
"""A level of the moving slide may be so much coarser than asked for: that is hardly seen, and the
next finer one may cost sixteen times the reading."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Which pixels of the moving slide a level of the fixed one is made of."""

    level: int
    reduce: int
    """Pixels of that level averaged into one, along each side, so that nothing flickers."""
    downsample: float
    """Level-0 pixels of the moving slide per averaged pixel."""
    mosaic: Mosaic
    """Of averaged pixels, in tiles."""

    @property
    def size_px(self) -> tuple[int, int]:
        return self.mosaic.width_px, self.mosaic.height_px


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the pixels of a cell lie on the moving slide, in its averaged pixels."""

    xy: NDArray[np.float32]
    """(2, rows, columns) from ``low``; whole numbers are the middles of pixels."""
    low: NDArray[np.int64]
    """x, y of a rectangle that holds them with their neighbours, as far as the slide goes ..."""
    high: NDArray[np.int64]
    """... up to this; not above ``low`` where they all lie beyond the slide."""


class WarpedSlide:
    """The moving slide in the fixed slide's frame and levels; white where it has nothing.

    A pixel is the same however the slide is cut into reads, and interpolated bilinearly. The
    moving slide stays its owner's, and open as long as this one.
    """

    def __init__(
        self,
        moving: SlideReader,
        transform: Transform,
        fixed_info: SlideInfo,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Bind a slide to where it lies on another one.

        Args:
            moving: the slide to show.
            transform: from the fixed slide to this one.
            fixed_info: of the fixed slide, whose frame, levels and scale this reader has.
            cache_bytes: bound of what is remembered: tiles of the moving slide, which cells
                share, and cells, which reads share.
        """
        self.moving, self.transform = moving, transform
        self._damage: tuple[tuple[Rect, ...], tuple[Rect, ...]] = ((), ())
        """The moving slide's damage when it was last looked at, and where that lies here."""
        self.info: SlideInfo = _info(moving.info, transform, fixed_info)
        self._sources = tuple(self._source(level.downsample) for level in fixed_info.levels)
        self._cache = TileCache(cache_bytes)
        cv2.setNumThreads(1)  # readers are read on many threads as it is

    @property
    def damaged(self) -> tuple[Rect, ...]:
        """The moving slide's damage, as upright rectangles around where it lies here."""
        there, here = self._damage
        found = self.moving.damaged
        if found != there:  # asked for at every tile that comes
            here = tuple(self._rect_here(rect) for rect in found)
            self._damage = found, here
        return here

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        """Return a region; see `SlideReader.read`."""
        here = self.info.levels[level]

        def cell(column: int, row: int) -> RgbImage:
            key = ("cell", level, column, row)
            return self._cache.get(key, lambda: self._cell(level, column, row))

        cells = Mosaic(here.width_px, here.height_px, CELL_PX, CELL_PX)
        return cells.read(level_pixel(x, here), level_pixel(y, here), width_px, height_px, cell)

    def close(self) -> None:
        self._cache.clear()

    def _source(self, downsample: float) -> _Source:
        """Choose the coarsest level that is fine enough, and average what is too fine."""
        turns = np.array(self.transform.pieces)[:, :, :2]
        scale = float(np.sqrt(np.abs(np.linalg.det(turns))).mean()) * downsample
        level = self.moving.info.level_for_downsample(scale * COARSER)
        here = self.moving.info.levels[level]
        n = max(1, int(scale / here.downsample + 0.25))
        size, tile = (-(-here.width_px // n), -(-here.height_px // n)), max(1, TILE_PX // n)
        return _Source(level, n, here.downsample * n, Mosaic(*size, tile, tile))

    def _cell(self, level: int, column: int, row: int) -> RgbImage:
        """Draw a cell, each of its pixels as the piece moves that it belongs to."""
        source, step = self._sources[level], self.info.levels[level].downsample
        first = np.arange(CELL_PX, dtype=np.float64) + 0.5
        x, y = step * (first + column * CELL_PX), step * (first + row * CELL_PX)
        here = _labels(self.transform.fixed_pieces, x[0], y[0], x[-1], y[-1])
        cell: RgbImage | None = None
        for piece in np.unique(here).tolist():
            places = self._places(source, piece, x, y)
            size = places.high - places.low
            if size.min() <= 0 or size.prod() > LARGEST_BLOCK:
                continue
            corners = np.concatenate([places.low, places.high]) * source.downsample
            there = _labels(self.transform.moving_pieces, *corners.tolist())
            if (here == piece).all() and (there == piece).all():
                return self._drawn(source, places)
            mask = self._mask(source, piece, x, y, places)
            if mask.any():
                cell = cv2.copyTo(
                    self._drawn(source, places), mask, _white() if cell is None else cell
                )
        return _white() if cell is None else cell

    def _places(
        self, source: _Source, piece: int, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> _Places:
        """Map pixels in columns x and rows y, in level-0 pixels of the fixed slide.

        Between the nodes of its field the map is bilinear. So it is the nodes that are mapped
        and then interpolated, by a product of matrices: exact, and a tenth of the work.
        """
        field, matrix = self.transform.field, self.transform.pieces[piece] / source.downsample
        spacing = x[-1] - x[0] + 1 if field is None else field.spacing_px
        columns, rows = (np.arange(int(v[0] / spacing), int(v[-1] / spacing) + 2) for v in (x, y))
        a, b, c = matrix.T[..., None, None]  # each (2, 1, 1), for x and y
        nodes = a * spacing * columns + b * spacing * rows[:, None] + (c - 0.5)
        if field is not None:
            nodes += np.tensordot(matrix[:, :2], field.part(columns, rows), (1, 2))
        origin = np.floor(nodes[:, 0, 0])  # near by, for 32 bits to suffice
        near = (nodes - origin[:, None, None]).astype(np.float32)
        xy = _weights(y / spacing, rows) @ (near @ _weights(x / spacing, columns).T)
        low = np.maximum(np.floor(xy.min(axis=(1, 2))) + origin, 0)
        high = np.minimum(np.floor(xy.max(axis=(1, 2))) + 2 + origin, source.size_px)
        xy -= (low - origin).astype(np.float32)[:, None, None]
        return _Places(xy, low.astype(np.int64), high.astype(np.int64))

    def _mask(
        self,
        source: _Source,
        piece: int,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        places: _Places,
    ) -> NDArray[np.uint8]:
        """Return 255 where a pixel belongs to the piece on both slides, else 0."""
        middle = slice(MASK_PX // 2, None, MASK_PX)
        points = np.stack(np.meshgrid(x[middle], y[middle]), axis=2)
        moved = places.xy[:, middle, middle].transpose(1, 2, 0) + (places.low + 0.5)
        own = self.transform.fixed_piece(points.reshape(-1, 2)) == piece
        own &= self.transform.moving_piece(source.downsample * moved.reshape(-1, 2)) == piece
        small = np.where(own, np.uint8(255), np.uint8(0)).reshape(points.shape[:2])
        return small.repeat(MASK_PX, axis=0).repeat(MASK_PX, axis=1)

    def _drawn(self, source: _Source, places: _Places) -> RgbImage:
        """Interpolate the moving slide at places."""

        def tile(column: int, row: int) -> RgbImage:
            key = ("tile", source.level, source.reduce, column, row)
            return self._cache.get(key, lambda: self._tile(source, column, row))

        (x, y), (width, height) = places.low.tolist(), (places.high - places.low).tolist()
        # With four bytes a pixel OpenCV takes a third of the time it does with three.
        block = cv2.cvtColor(source.mosaic.read(x, y, width, height, tile), cv2.COLOR_RGB2RGBA)
        drawn = cv2.remap(
            block, places.xy[0], places.xy[1], cv2.INTER_LINEAR, borderValue=(255, 255, 255, 255)
        )
        image: RgbImage = cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB)
        return image

    def _tile(self, source: _Source, column: int, row: int) -> RgbImage:
        """Read a tile of the moving slide, and average it."""
        n, here = source.reduce, self.moving.info.levels[source.level]
        x, y = column * source.mosaic.tile_width * n, row * source.mosaic.tile_height * n
        width, height = (side * n for side in source.mosaic.size_of(column, row))
        width, height = min(width, here.width_px - x), min(height, here.height_px - y)
        at = round(x * here.downsample), round(y * here.downsample)
        pixels = self.moving.read(*at, source.level, width, height)
        return pixels if n == 1 else np.asarray(Image.fromarray(pixels).reduce(n))

    def _rect_here(self, rect: Rect) -> Rect:
        corners = [(x, y) for x in (rect.x, rect.right) for y in (rect.y, rect.bottom)]
        found: Points = self.transform.to_fixed(np.array(corners))
        (x, y), (right, bottom) = found.min(axis=0).tolist(), found.max(axis=0).tolist()
        return Rect(x, y, right - x, bottom - y)


def _info(moving: SlideInfo, transform: Transform, fixed: SlideInfo) -> SlideInfo:
    content = f"{moving.identity} {transform.digest} {fixed.levels}"
    return replace(
        moving,
        format="warped",
        levels=fixed.levels,
        mpp=fixed.mpp,
        identity=f"warped-{hashlib.sha256(content.encode()).hexdigest()}",
        associated=(),
        properties={},
    )


def _white() -> RgbImage:
    return np.full((CELL_PX, CELL_PX, 3), 255, np.uint8)


def _labels(
    pieces: Grid | None, left: float, top: float, right: float, bottom: float
) -> NDArray[Any]:
    """Return the pieces found in a rectangle, as an array of two axes."""
    if pieces is None:
        return np.zeros((1, 1), np.uint8)
    return pieces.around(left, top, right, bottom)


def _weights(at: NDArray[np.float64], nodes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how much of each node there is at each place between them, (places, nodes)."""
    weights: NDArray[np.float32] = np.maximum(0, 1 - np.abs(at[:, None] - nodes)).astype(np.float32)
    return weights
