"""A slide in the frame of another one: read like any other, at any of that one's levels."""

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stainapp.geometry import Rect
from stainapp.registration.grid import Points
from stainapp.registration.transform import Transform
from stainapp.slides.mosaic import Grid as TileGrid
from stainapp.slides.mosaic import TileCache, level_pixel
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader

MESH_PX = 32
"""Side of the squares within which the map is taken as bilinear, in pixels of the level ..."""
FINEST_MESH_PX = 8
"""... or down to this where the field bends faster than that."""
MASK_PX = 4
"""Side of the squares that belong to one piece as a whole, where pieces meet."""
TILE_PX = 512
CACHE_BYTES = 128 << 20
LARGEST_BLOCK = 1 << 25
"""Pixels of the moving slide held at once; a read that needs more is made in parts."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Which pixels of the moving slide a level of the fixed one is made of."""

    level: int
    reduce: int
    """Pixels of that level averaged into one, along each side, so that nothing flickers."""
    downsample: float
    """Level-0 pixels of the moving slide per averaged pixel."""


class WarpedSlide:
    """The moving slide in the fixed slide's frame and levels; white where it has nothing.

    A pixel is the same however the slide is cut into reads. Values are interpolated bilinearly
    and cut to whole numbers. The moving slide stays its owner's, and open as long as this one.
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
            cache_bytes: bound of the moving slide's tiles remembered: turned reads overlap.
        """
        self.moving, self.transform = moving, transform
        self.info: SlideInfo = _info(moving.info, transform, fixed_info)
        self._sources = tuple(self._source(level.downsample) for level in fixed_info.levels)
        self._cache = TileCache(cache_bytes)

    @property
    def damaged(self) -> tuple[Rect, ...]:
        """The moving slide's damage, as upright rectangles around where it lies here."""
        return tuple(self._rect_here(rect) for rect in self.moving.damaged)

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        """Return a region; see `SlideReader.read`."""
        here = self.info.levels[level]
        i, j = level_pixel(x, here), level_pixel(y, here)
        mesh = self._mesh_px(here.downsample)
        # Whole squares of a mesh that begins at the slide's corner: no read sees another one.
        left, top = i // mesh * mesh, j // mesh * mesh
        columns, rows = -(-(i + width_px - left) // mesh), -(-(j + height_px - top) // mesh)
        picture = Image.new("RGB", (columns * mesh, rows * mesh), "white")
        step = self._part_px(level, mesh)
        for row in range(0, rows, step):
            for column in range(0, columns, step):
                size = min(step, columns - column), min(step, rows - row)
                place = left // mesh + column, top // mesh + row
                part = self._part(level, mesh, place, size)
                if part is not None:
                    picture.paste(part, (column * mesh, row * mesh))
        cut = picture.crop((i - left, j - top, i - left + width_px, j - top + height_px))
        image = np.array(cut)
        _whiten(image, i, j, here.width_px, here.height_px)
        return image

    def close(self) -> None:
        self._cache.clear()

    def _source(self, downsample: float) -> _Source:
        """Choose the coarsest level that is fine enough, and average what is too fine."""
        turns = np.array(self.transform.pieces)[:, :, :2]
        scale = float(np.sqrt(np.abs(np.linalg.det(turns))).mean()) * downsample
        level = self.moving.info.level_for_downsample(scale)
        found = self.moving.info.levels[level].downsample
        reduce = max(1, int(scale / found + 0.25))
        return _Source(level, reduce, found * reduce)

    def _mesh_px(self, downsample: float) -> int:
        field, mesh = self.transform.field, MESH_PX
        while field is not None and mesh > FINEST_MESH_PX and mesh * downsample > field.spacing_px:
            mesh //= 2
        return mesh

    def _part_px(self, level: int, mesh: int) -> int:
        """Return how many squares a part may have along each side."""
        ratio = self._sources[level].reduce
        return max(1, int(math.sqrt(LARGEST_BLOCK / 2) / ratio) // mesh)

    def _part(
        self, level: int, mesh: int, place: tuple[int, int], size: tuple[int, int]
    ) -> Image.Image | None:
        """Return ``size`` squares of the mesh, the first being number ``place``; None: white."""
        step = mesh * self.info.levels[level].downsample
        columns, rows = size
        y, x = np.indices((rows + 1, columns + 1), np.float64)
        corners = np.stack([(x + place[0]) * step, (y + place[1]) * step], axis=2)
        points = corners.reshape(-1, 2)
        pieces = np.unique(self.transform.fixed_piece(points))
        if len(self.transform.pieces) == 1:
            return self._drawn(level, mesh, 0, corners)
        mask_step = MASK_PX * self.info.levels[level].downsample
        centres = _centres(corners[0, 0], mask_step, size, mesh // MASK_PX)
        belongs = self._belonging(centres)
        result: Image.Image | None = None
        for piece in np.union1d(pieces, belongs[belongs >= 0]):
            mask = belongs == piece
            if not mask.any():
                continue
            drawn = self._drawn(level, mesh, int(piece), corners)
            if drawn is None:
                continue
            result = result or Image.new("RGB", (columns * mesh, rows * mesh), "white")
            result.paste(drawn, (0, 0), _enlarged(mask))
        return result

    def _belonging(self, centres: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the piece shown at each of (rows, columns, 2) places; -1 where none is.

        Beyond a piece's own glass the moving slide shows another piece, which is no match.
        """
        points = centres.reshape(-1, 2)
        piece = self.transform.fixed_piece(points)
        there = self.transform.moving_piece(self.transform.to_moving(points))
        return np.where(there == piece, piece, -1).reshape(centres.shape[:2])

    def _drawn(
        self, level: int, mesh: int, piece: int, corners: NDArray[np.float64]
    ) -> Image.Image | None:
        """Draw the squares between ``corners`` (rows, columns, 2) as one piece moves them."""
        source = self._sources[level]
        moved = self.transform.to_moving_as(piece, corners.reshape(-1, 2)) / source.downsample
        low, high = np.floor(moved.min(0)).astype(int) - 1, np.ceil(moved.max(0)).astype(int) + 2
        block = self._block(source, low, high)
        if block is None:
            return None
        nodes = (moved - low).reshape(corners.shape)
        rows, columns = corners.shape[0] - 1, corners.shape[1] - 1
        # Pillow wants each square's corners in the order NW, SW, SE, NE.
        quads = np.concatenate(
            [nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]], axis=2
        )
        squares = [
            ((c * mesh, r * mesh, (c + 1) * mesh, (r + 1) * mesh), tuple(quad))
            for r, line in enumerate(quads.tolist())
            for c, quad in enumerate(line)
        ]
        return block.transform(
            (columns * mesh, rows * mesh),
            Image.Transform.MESH,
            squares,
            Image.Resampling.BILINEAR,
            fillcolor="white",
        )

    def _block(
        self, source: _Source, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> Image.Image | None:
        """Read averaged pixels low..high of the moving slide; None where all of it is outside."""
        n, here = source.reduce, self.moving.info.levels[source.level]
        x, y = (low * n).tolist()
        width, height = ((high - low) * n).tolist()
        if x >= here.width_px or y >= here.height_px or x + width <= 0 or y + height <= 0:
            return None

        def tile(column: int, row: int) -> RgbImage:
            return self._cache.get(
                (source.level, column, row), lambda: self._tile(source.level, column, row)
            )

        grid = TileGrid(here.width_px, here.height_px, TILE_PX, TILE_PX)
        image = Image.fromarray(grid.read(x, y, width, height, tile))
        return image if n == 1 else image.reduce(n)

    def _tile(self, level: int, column: int, row: int) -> RgbImage:
        here = self.moving.info.levels[level]
        x, y = column * TILE_PX, row * TILE_PX
        width, height = min(TILE_PX, here.width_px - x), min(TILE_PX, here.height_px - y)
        return self.moving.read(
            round(x * here.downsample), round(y * here.downsample), level, width, height
        )

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


def _centres(
    corner: NDArray[np.float64], step: float, size: tuple[int, int], per_square: int
) -> NDArray[np.float64]:
    """Return the middles of the small squares of ``size`` squares, (rows, columns, 2)."""
    y, x = np.indices((size[1] * per_square, size[0] * per_square), np.float64)
    return np.stack([corner[0] + (x + 0.5) * step, corner[1] + (y + 0.5) * step], axis=2)


def _enlarged(mask: NDArray[np.bool_]) -> Image.Image:
    """Turn small squares into pixels."""
    small = mask.astype(np.uint8) * np.uint8(255)
    return Image.fromarray(small.repeat(MASK_PX, axis=0).repeat(MASK_PX, axis=1))


def _whiten(image: RgbImage, i: int, j: int, width: int, height: int) -> None:
    """Make white what lies outside the level, whose pixel ``(i, j)`` is the image's first."""
    image[: max(0, -j)] = 255
    image[:, : max(0, -i)] = 255
    image[max(0, height - j) :] = 255
    image[:, max(0, width - i) :] = 255
