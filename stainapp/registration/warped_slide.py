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
from stainapp.slides.mosaic import Grid as CellGrid
from stainapp.slides.mosaic import TileCache, level_pixel
from stainapp.slides.reader import Level, RgbImage, SlideInfo, SlideReader

CELL_PX = 256
"""Side of the squares of a level that are drawn as wholes ..."""
LARGEST_SIDE_PX = 4096
"""... or less where more than this would be averaged into them along each side."""
MASK_PX = 4
"""Side of the squares that belong to one piece, where pieces meet."""
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
    grid: CellGrid
    """Squares of the fixed slide's level; each is drawn alike, whatever is read of it."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the pixels of a cell lie on the moving slide, in averaged pixels."""

    xy: NDArray[np.float32]
    """(2, rows, columns) from ``low``; whole numbers are the middles of pixels."""
    low: NDArray[np.int64]
    """x, y of a rectangle that holds them all, with their neighbours ..."""
    high: NDArray[np.int64]
    """... up to this."""


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
            moving: the slide to show; remembers by itself what it has decoded.
            transform: from the fixed slide to this one.
            fixed_info: of the fixed slide, whose frame, levels and scale this reader has.
            cache_bytes: bound of the cells remembered.
        """
        self.moving, self.transform = moving, transform
        self.info: SlideInfo = _info(moving.info, transform, fixed_info)
        self._sources = tuple(self._source(level) for level in fixed_info.levels)
        self._cache = TileCache(cache_bytes)
        cv2.setNumThreads(1)  # readers are read on many threads as it is

    @property
    def damaged(self) -> tuple[Rect, ...]:
        """The moving slide's damage, as upright rectangles around where it lies here."""
        return tuple(self._rect_here(rect) for rect in self.moving.damaged)

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        """Return a region; see `SlideReader.read`."""
        here = self.info.levels[level]

        def cell(column: int, row: int) -> RgbImage:
            return self._cache.get((level, column, row), lambda: self._cell(level, column, row))

        left, top = level_pixel(x, here), level_pixel(y, here)
        return self._sources[level].grid.read(left, top, width_px, height_px, cell)

    def close(self) -> None:
        self._cache.clear()

    def _source(self, here: Level) -> _Source:
        """Choose the coarsest level that is fine enough, and average what is too fine."""
        turns = np.array(self.transform.pieces)[:, :, :2]
        scale = float(np.sqrt(np.abs(np.linalg.det(turns))).mean()) * here.downsample
        level = self.moving.info.level_for_downsample(scale * COARSER)
        found = self.moving.info.levels[level].downsample
        reduce = max(1, int(scale / found + 0.25))
        side = CELL_PX
        while side > MASK_PX and side * reduce > LARGEST_SIDE_PX:
            side //= 2
        grid = CellGrid(here.width_px, here.height_px, side, side)
        return _Source(level, reduce, found * reduce, grid)

    def _cell(self, level: int, column: int, row: int) -> RgbImage:
        """Draw a cell, each of its pixels as the piece moves that it belongs to."""
        source, step = self._sources[level], self.info.levels[level].downsample
        side = source.grid.tile_width
        x, y = ((n * side + np.arange(side) + 0.5) * step for n in (column, row))
        cell = np.full((side, side, 3), 255, np.uint8)
        here = _labels(self.transform.fixed_pieces, x[0], y[0], x[-1], y[-1])
        for piece in np.unique(here).tolist():
            places = self._places(source, piece, x, y)
            corners = np.concatenate([places.low, places.high]) * source.downsample
            there = _labels(self.transform.moving_pieces, *corners.tolist())
            # Beyond a piece's own glass the moving slide shows another one, which is no match.
            drawn = self._drawn(source, places) if (there == piece).any() else None
            if drawn is None:
                continue
            if (here == piece).all() and (there == piece).all():
                return drawn
            cv2.copyTo(drawn, self._mask(source, piece, x, y, places), cell)
        return cell

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
        across = np.outer(columns * spacing, matrix[:, 0])
        down = np.outer(rows * spacing, matrix[:, 1]) + matrix[:, 2] - 0.5
        nodes = across + down[:, None]
        if field is not None:
            nodes += field.part(columns, rows) @ matrix[:, :2].T
        origin = np.floor(nodes[0, 0])  # near by, for 32 bits to suffice
        near = np.ascontiguousarray((nodes - origin).transpose(2, 0, 1), np.float32)
        xy = _weights(y / spacing, rows) @ near @ _weights(x / spacing, columns).T
        low, high = np.floor(xy.min(axis=(1, 2))), np.floor(xy.max(axis=(1, 2))) + 2
        xy -= low[:, None, None]
        return _Places(xy, (low + origin).astype(np.int64), (high + origin).astype(np.int64))

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
        moved = places.xy[:, middle, middle].transpose(1, 2, 0) + places.low + 0.5
        own = self.transform.fixed_piece(points.reshape(-1, 2)) == piece
        own &= self.transform.moving_piece(moved.reshape(-1, 2) * source.downsample) == piece
        small = np.where(own, np.uint8(255), np.uint8(0)).reshape(points.shape[:2])
        return small.repeat(MASK_PX, axis=0).repeat(MASK_PX, axis=1)

    def _drawn(self, source: _Source, places: _Places) -> RgbImage | None:
        """Interpolate the moving slide at places; None where all of them are outside."""
        n, here = source.reduce, self.moving.info.levels[source.level]
        x, y = (places.low * n).tolist()
        width, height = ((places.high - places.low) * n).tolist()
        if x >= here.width_px or y >= here.height_px or x + width <= 0 or y + height <= 0:
            return None
        at = round(x * here.downsample), round(y * here.downsample)
        block = self.moving.read(*at, source.level, width, height)
        if n > 1:
            block = np.asarray(Image.fromarray(block).reduce(n))
        # With four bytes a pixel OpenCV takes a third of the time it does with three.
        four = cv2.cvtColor(block, cv2.COLOR_RGB2RGBA)
        return cv2.cvtColor(cv2.remap(four, *places.xy, cv2.INTER_LINEAR), cv2.COLOR_RGBA2RGB)

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


def _labels(
    pieces: Grid | None, left: float, top: float, right: float, bottom: float
) -> NDArray[Any]:
    """Return the pieces found in a rectangle, as an array of two axes."""
    if pieces is None:
        return np.zeros((1, 1), np.uint8)
    return pieces.around(left, top, right, bottom)


def _weights(at: NDArray[np.float64], nodes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how much of each node there is at each place between them, (places, nodes)."""
    return np.maximum(0, 1 - np.abs(at[:, None] - nodes)).astype(np.float32)
