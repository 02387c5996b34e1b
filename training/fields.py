"""Fields: parts of slides that tiles may be cut from, known to be tissue and of one split.

Whatever has pixels is a `SlideReader`, so a field is a reader, the raster of where a tile may
lie on it, and how much of it is tissue.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stainapp.geometry import Rect
from stainapp.models.working_scale import WorkingScale
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.slides.tissue import Mask

SplitName = Literal["train", "validation"]
ROUNDING = 1e-6
"""Of a working pixel: an edge closer than this to a whole one lies there."""


@dataclass(frozen=True, eq=False)
class Field:
    """One region of one slide, or one image."""

    name: str
    """The slide's and the region's: for messages, and what intervals are clustered by."""
    split: SplitName
    whole: bool
    """Whether it is an image from a file, of which nothing may be passed over unsaid."""
    reader: SlideReader
    scale: WorkingScale
    partner: WorkingScale | None
    """The target in the same frame, of a pair."""
    area: Rect
    """Where the rasters lie, in level-0 pixels."""
    allowed: Mask
    """(H, W): where tiles may lie as a whole."""
    tissue: Mask
    """(H, W): where there is tissue."""
    far_off: Mask | None = None
    """(H, W): tissue where a pair is registered too badly; no tile has any part there."""

    @property
    def cell(self) -> float:
        """Level-0 pixels per raster pixel."""
        return float(self.area.width / self.allowed.shape[1])

    @cached_property
    def tissue_px(self) -> float:
        """Tissue that tiles may be cut from, in working pixels: what weighs the fields."""
        cells = np.count_nonzero(self.tissue & self.allowed)
        return float(cells * (self.cell / self.scale.step) ** 2)

    @property
    def far_off_px(self) -> float:
        """Tissue that is registered too badly, in working pixels."""
        cells = 0 if self.far_off is None else np.count_nonzero(self.far_off & self.tissue)
        return float(cells * (self.cell / self.scale.step) ** 2)

    def places(self, side_px: int, min_tissue: float) -> "Places":
        """Return the raster cells in which a tile may have its corner.

        A tile of ``side_px`` working pixels whose corner lies anywhere in such a cell, rounded
        to whole working pixels, lies inside the allowed area as a whole and has at least
        ``min_tissue`` of its area in tissue.
        """
        height, width = self.allowed.shape
        if not self.fits(side_px):
            return Places(np.zeros((height, width), bool))
        reach = math.ceil((side_px + 1) * self.scale.step / self.cell) + 1
        window = min(reach, height), min(reach, width)  # a tile may be as large as the area
        area = window[0] * window[1]
        uncut = self.whole and bool(self.allowed.all())
        allowed = self.allowed if uncut else self.allowed & self._on_slide()
        inside = _window_sums(allowed, window) == area
        enough = _window_sums(self.tissue & allowed, window) >= min_tissue * area
        return Places(inside & enough)

    def corners(self, at: NDArray[np.floating], side_px: int) -> NDArray[np.int64]:
        """Return the corners (N, 2: x, y), in working pixels, of tiles at places of the raster.

        Args:
            at: (N, 2): row and column, whole ones from `places` and less than one more.
            side_px: of the tiles.
        """
        _, last = self._ends(side_px)
        places = (at[:, ::-1] * self.cell + (self.area.x, self.area.y)) / self.scale.step
        whole = np.ceil(places - ROUNDING).astype(np.int64)
        inside: NDArray[np.int64] = np.maximum(0, np.minimum(whole, last))
        return inside

    def read(self, i: int, j: int, side_px: int) -> RgbImage:
        """Return a tile by its corner in working pixels, (side_px, side_px, 3)."""
        return self.scale.read(i, j, side_px, side_px)

    def read_partner(self, i: int, j: int, side_px: int) -> RgbImage:
        """Return the target of the tile there; without a partner a tile is its own."""
        if self.partner is None:
            return self.read(i, j, side_px)
        same = self.scale.step / self.partner.step
        return self.partner.read(round(i * same), round(j * same), side_px, side_px)

    def is_sound(self, i: int, j: int, side_px: int) -> bool:
        """Tell whether a tile, once read, shows pixels of the file and no stand-ins."""
        tile = Rect(i, j, side_px, side_px).scaled(self.scale.step)
        scales = (self.scale,) if self.partner is None else (self.scale, self.partner)
        bad = (place for scale in scales for place in scale.source.damaged)
        return all(tile.intersected(place).empty for place in bad)

    def fits(self, side_px: int) -> bool:
        """Tell whether a tile fits; an image may be half a pixel short after resampling."""
        if self.whole:
            short = (side_px - 0.5) * self.scale.step
            return min(self._frame.width, self._frame.height) >= short
        first, last = self._ends(side_px)
        return last[0] >= first[0] and last[1] >= first[1]

    def _ends(self, side_px: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the first and the last corner (x, y) of tiles within the area."""
        frame = self._frame.scaled(1 / self.scale.step)
        last = _down(frame.right) - side_px, _down(frame.bottom) - side_px
        return (_up(frame.x), _up(frame.y)), last

    @property
    def _frame(self) -> Rect:
        """The part of the area that lies on the slide."""
        info = self.reader.info
        return self.area.intersected(Rect(0, 0, info.width_px, info.height_px))

    def _on_slide(self) -> Mask:
        """Return the cells that lie on the slide as a whole."""
        height, width = self.allowed.shape
        info, slack = self.reader.info, ROUNDING * self.cell
        x = self.area.x + np.arange(width + 1) * self.cell
        y = self.area.y + np.arange(height + 1) * self.cell
        columns = (x[:-1] >= -slack) & (x[1:] <= info.width_px + slack)
        rows = (y[:-1] >= -slack) & (y[1:] <= info.height_px + slack)
        return np.asarray(rows[:, None] & columns)


class Places:
    """Cells of a raster, row by row, kept as bits: there may be a million of them."""

    def __init__(self, cells: Mask) -> None:
        self.shape = cells.shape
        self._bits = np.packbits(cells, axis=1)
        self._before = np.concatenate([[0], np.count_nonzero(cells, axis=1).cumsum()])

    def __len__(self) -> int:
        return int(self._before[-1])

    def cell(self, number: int) -> tuple[int, int]:
        """Return row and column of the cell of that number, counted from 0."""
        row = int(np.searchsorted(self._before, number, side="right")) - 1
        columns = np.flatnonzero(np.unpackbits(self._bits[row]))
        return row, int(columns[number - self._before[row]])

    def cells(self) -> NDArray[np.int64]:
        """Return all of them, (N, 2): row, column."""
        return np.argwhere(np.unpackbits(self._bits, axis=1, count=self.shape[1]))


def _window_sums(mask: Mask, window: tuple[int, int]) -> NDArray[np.int32]:
    """Return the sums over all windows that lie inside, by their upper left corner."""
    height, width = window
    summed = np.pad(mask.astype(np.int32).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = summed[height:] - summed[:-height]
    sums: NDArray[np.int32] = rows[:, width:] - rows[:, :-width]
    return sums


def _up(place: float) -> int:
    return math.ceil(place - ROUNDING)


def _down(place: float) -> int:
    return math.floor(place + ROUNDING)
