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
MESH_NODES = 3
"""Nodes of the field that a square may span: the field is smoother than its nodes are dense."""
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
        self._damage: tuple[tuple[Rect, ...], tuple[Rect, ...]] = ((), ())
        """The moving slide's damage when it was last looked at, and where that lies here."""
        self.info: SlideInfo = _info(moving.info, transform, fixed_info)
        self._sources = tuple(self._source(level.downsample) for level in fixed_info.levels)
        self._cache = TileCache(cache_bytes)

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
        most = math.inf if field is None else MESH_NODES * field.spacing_px / downsample
        while mesh > FINEST_MESH_PX and mesh > most:
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
        if len(self.transform.pieces) == 1:
            return self._drawn(level, mesh, 0, corners, np.ones((rows, columns), bool))
        square, mixed = self._squares(corners)
        mask = square.repeat(mesh // MASK_PX, axis=0).repeat(mesh // MASK_PX, axis=1)
        if mixed.any():
            self._settle(mask, mixed, corners[0, 0], step, mesh // MASK_PX)
        shown = np.unique(mask)
        result: Image.Image | None = None
        for piece in shown[shown >= 0].tolist():
            where = _any_within(mask == piece, mesh // MASK_PX)
            drawn = self._drawn(level, mesh, piece, corners, where)
            if drawn is None:
                continue
            if len(shown) == 1:
                return drawn
            result = result or Image.new("RGB", (columns * mesh, rows * mesh), "white")
            result.paste(drawn, (0, 0), _enlarged(mask == piece))
        return result

    def _squares(self, corners: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the piece that each square shows, -1 for none, and where its corners differ."""
        at = self._belonging(corners)
        around = np.stack([at[:-1, :-1], at[1:, :-1], at[:-1, 1:], at[1:, 1:]])
        return around[0], np.asarray(around.min(axis=0) != around.max(axis=0))

    def _settle(
        self,
        mask: NDArray[np.int64],
        mixed: NDArray[np.bool_],
        corner: NDArray[np.float64],
        step: float,
        per_square: int,
    ) -> None:
        """Find the piece of each small part of the squares in which pieces meet."""
        fine = mixed.repeat(per_square, axis=0).repeat(per_square, axis=1)
        row, column = np.nonzero(fine)
        centres = corner + np.stack([column + 0.5, row + 0.5], axis=1) * (step / per_square)
        mask[row, column] = self._belonging(centres)

    def _belonging(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the piece shown at each of (..., 2) places; -1 where none is.

        Beyond a piece's own glass the moving slide shows another piece, which is no match.
        """
        points = places.reshape(-1, 2)
        piece = self.transform.fixed_piece(points)
        there = self.transform.moving_piece(self.transform.to_moving(points))
        return np.where(there == piece, piece, -1).reshape(places.shape[:-1])

    def _drawn(
        self,
        level: int,
        mesh: int,
        piece: int,
        corners: NDArray[np.float64],
        where: NDArray[np.bool_],
    ) -> Image.Image | None:
        """Draw some of the squares between ``corners`` (rows, columns, 2) as one piece moves."""
        source = self._sources[level]
        moved = self.transform.to_moving_as(piece, corners.reshape(-1, 2)) / source.downsample
        nodes = moved.reshape(corners.shape)
        # Pillow wants each square's corners in the order NW, SW, SE, NE.
        quads = np.concatenate(
            [nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]], axis=2
        )[where]
        spread = quads.reshape(-1, 2)
        low = np.floor(spread.min(axis=0)).astype(np.int64) - 1
        high = np.ceil(spread.max(axis=0)).astype(np.int64) + 2
        block = self._block(source, low, high)
        if block is None:
            return None
        row, column = (mesh * n for n in np.nonzero(where))
        boxes = np.stack([column, row, column + mesh, row + mesh], axis=1).tolist()
        squares = list(zip(boxes, (quads - np.tile(low, 4)).tolist(), strict=True))
        return block.transform(
            (mesh * where.shape[1], mesh * where.shape[0]),
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


def _any_within(mask: NDArray[np.bool_], per_square: int) -> NDArray[np.bool_]:
    """Return which squares have any of their small parts set."""
    rows, columns = (side // per_square for side in mask.shape)
    return np.asarray(mask.reshape(rows, per_square, columns, per_square).any(axis=(1, 3)))


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
