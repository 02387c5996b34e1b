"""A made-up slide of any size with known truth, in several stains of the same section.

It serves demonstrations, tests, benchmarks and the calibration of measures; nothing about
real tissue may be concluded from it. Every pixel is a pure function of the address and the
place: the slide is drawn in blocks of 256 px anchored at its origin, so a read does not
depend on how a region is cut, and nothing but a bounded cache of blocks is kept.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import UnsupportedSlideError
from stainapp.geometry import Rect
from stainapp.slides.mosaic import TileCache
from stainapp.slides.phantom_optics import GLASS, STAINS, Scanner, dye_amounts, transmit
from stainapp.slides.phantom_section import BLOCK_PX, draw, draw_labels
from stainapp.slides.phantom_tissue import Tissue
from stainapp.slides.reader import Level, RgbImage, SlideInfo

ADDRESS_STAINS = {"he": "H&E", "pas": "PAS", "dab": "DAB", "unstained": "unstained"}
MAX_SIDE_PX = 400_000
"""Beyond it the nuclei's labels would not fit into 32 bits."""
_KEPT_BYTES = 96 << 20
_KEPT_LABELS = 48
_DRAWING = "1"
"""Changes when the drawing does, and with it the slides' identity."""

T = TypeVar("T")
Key = tuple[int, int, int]


class PhantomSlide:
    """A `SlideReader` that draws what it is asked for. Thread-safe.

    Args:
        stain: "H&E", "PAS", "DAB" (with haematoxylin) or "unstained".
        size_px: width and height of level 0, each 256..400000.
        seed: what tissue lies on the slide; the same for all stains.
        mpp: micrometres per level-0 pixel.
        scanner: faults to add; None stores what the light is.

    Raises:
        UnsupportedSlideError: the stain, the size or the scale is none that can be drawn.
    """

    def __init__(
        self,
        stain: str = "H&E",
        size_px: tuple[int, int] = (20000, 20000),
        seed: int = 0,
        mpp: float = 0.5,
        scanner: Scanner | None = None,
    ) -> None:
        _check(stain, size_px, mpp)
        self.stain, self._seed, self._mpp, self._scanner = stain, seed, mpp, scanner
        self.info = _info(stain, size_px, seed, mpp, scanner)
        self._tissue = Tissue(seed, size_px[0] * mpp, size_px[1] * mpp)
        self._blocks = TileCache(_KEPT_BYTES)
        self._scans = TileCache(_KEPT_BYTES)
        self._labels: _Kept[NDArray[np.int32]] = _Kept(_KEPT_LABELS)

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return ()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        """Return a region; see `SlideReader.read`."""
        image = np.full((height_px, width_px, 3), 255, np.uint8)
        self._assemble(image, self._place(x, y, level), level, self._stored)
        return image

    def labels(
        self, x: int, y: int, level: int, width_px: int, height_px: int
    ) -> NDArray[np.int32]:
        """Return the nucleus at the centre of each pixel, ``(height_px, width_px)``; 0 is none.

        A nucleus has the same label in every read and every stain. The arguments are those
        of `read`. Coarse levels are sampled from level 0, and so cost as much.
        """
        d, size = self._downsample(level), self.info.levels[0]
        left, top = self._place(x, y, level)
        xs = (left + np.arange(width_px)) * d + d // 2
        ys = (top + np.arange(height_px)) * d + d // 2
        labels = np.zeros((height_px, width_px), np.int32)
        for row in np.unique(ys[(ys >= 0) & (ys < size.height_px)] // BLOCK_PX):
            for column in np.unique(xs[(xs >= 0) & (xs < size.width_px)] // BLOCK_PX):
                block = self._labels.get((0, int(column), int(row)), self._draw_labels)
                i = np.flatnonzero((xs // BLOCK_PX == column) & (xs < size.width_px))
                j = np.flatnonzero((ys // BLOCK_PX == row) & (ys < size.height_px))
                labels[np.ix_(j, i)] = block[np.ix_(ys[j] % BLOCK_PX, xs[i] % BLOCK_PX)]
        return labels

    def marker_positive(self, label: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which labels belong to nuclei that carry the marker (brown in "DAB")."""
        return self._tissue.marker_positive(np.asarray(label, np.int64))

    def amounts(
        self, x: int, y: int, level: int, width_px: int, height_px: int
    ) -> dict[str, NDArray[np.float32]]:
        """Return the true amount of each dye of the stain, ``(height_px, width_px)`` each.

        In optical density along the dye's unit vector in `phantom_optics.DYES`, with
        `phantom_optics.GLASS` as white; before the scanner. The arguments are those of `read`.
        """
        found = {dye: np.zeros((height_px, width_px), np.float32) for dye in STAINS[self.stain]}
        d, place = self._downsample(level), self._place(x, y, level)
        for dye, amount in found.items():

            def block(key: Key, dye: str = dye) -> NDArray[np.float32]:
                maps = draw(self._tissue, self._mpp, d, key[1], key[2])
                if maps is None:
                    return np.zeros((BLOCK_PX, BLOCK_PX), np.float32)
                return dye_amounts(maps, self.stain)[dye]

            self._assemble(amount, place, level, block)
        return found

    def close(self) -> None:
        """Nothing is open."""

    def _downsample(self, level: int) -> int:
        return int(self.info.levels[level].downsample)

    def _place(self, x: int, y: int, level: int) -> tuple[int, int]:
        d = self._downsample(level)
        return x // d, y // d

    def _assemble(
        self,
        image: NDArray[np.generic],
        place: tuple[int, int],
        level: int,
        block: Callable[[Key], NDArray[np.generic]],
    ) -> None:
        """Fill an image whose upper left lies at ``place`` in pixels of the level."""
        size = self.info.levels[level]
        left, top = max(place[0], 0), max(place[1], 0)
        right = min(place[0] + image.shape[1], size.width_px)
        bottom = min(place[1] + image.shape[0], size.height_px)
        for row in range(top // BLOCK_PX, -(-bottom // BLOCK_PX)):
            for column in range(left // BLOCK_PX, -(-right // BLOCK_PX)):
                x0, y0 = max(left, column * BLOCK_PX), max(top, row * BLOCK_PX)
                x1 = min(right, (column + 1) * BLOCK_PX)
                y1 = min(bottom, (row + 1) * BLOCK_PX)
                if x0 >= x1 or y0 >= y1:
                    continue
                found = block((level, column, row))
                image[y0 - place[1] : y1 - place[1], x0 - place[0] : x1 - place[0]] = found[
                    y0 - row * BLOCK_PX : y1 - row * BLOCK_PX,
                    x0 - column * BLOCK_PX : x1 - column * BLOCK_PX,
                ]

    def _stored(self, key: Key) -> RgbImage:
        if self._scanner is None:
            return self._light(key)
        return self._scans.get(key, lambda: self._scan(key))

    def _light(self, key: Key) -> RgbImage:
        return self._blocks.get(key, lambda: self._draw(key))

    def _draw(self, key: Key) -> RgbImage:
        level, column, row = key
        maps = draw(self._tissue, self._mpp, self._downsample(level), column, row)
        if maps is None:
            return np.full((BLOCK_PX, BLOCK_PX, 3), GLASS, np.uint8)
        return transmit(dye_amounts(maps, self.stain))

    def _scan(self, key: Key) -> RgbImage:
        assert self._scanner is not None
        level, column, row = key
        margin = self._scanner.margin_px
        side = BLOCK_PX + 2 * margin
        light = np.full((side, side, 3), GLASS, np.uint8)
        place = column * BLOCK_PX - margin, row * BLOCK_PX - margin
        self._assemble(light, place, level, self._light)
        return self._scanner.scan(light, (abs(self._seed), *key))

    def _draw_labels(self, key: Key) -> NDArray[np.int32]:
        return draw_labels(self._tissue, self._mpp, key[1], key[2])


class _Kept(Generic[T]):
    """The blocks used last. Two threads may draw the same block; they draw the same."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: OrderedDict[Key, T] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[Key], T]) -> T:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make(key)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._count:
                self._kept.popitem(last=False)
        return made


def open_phantom(address: str) -> PhantomSlide:
    """Open ``phantom:STAIN[:SIZE[:SEED]]``, such as ``phantom:he`` or ``phantom:pas:40000:7``.

    Raises:
        UnsupportedSlideError: the address is none.
    """
    found = re.fullmatch(r"phantom:(\w+)(?::(\d+))?(?::(\d+))?", address)
    if found is None or found[1].lower() not in ADDRESS_STAINS:
        raise UnsupportedSlideError(
            f"{address!r} is no phantom slide: write phantom:STAIN[:SIZE[:SEED]] with STAIN one "
            f"of {', '.join(ADDRESS_STAINS)}, SIZE in pixels and SEED a number."
        )
    side = int(found[2] or 20000)
    return PhantomSlide(ADDRESS_STAINS[found[1].lower()], (side, side), int(found[3] or 0))


def _check(stain: str, size_px: tuple[int, int], mpp: float) -> None:
    if stain not in STAINS:
        raise UnsupportedSlideError(
            f"The phantom cannot be stained {stain!r}; choose one of {', '.join(STAINS)}."
        )
    if not all(BLOCK_PX <= side <= MAX_SIDE_PX for side in size_px):
        raise UnsupportedSlideError(
            f"The phantom cannot be {size_px[0]} x {size_px[1]} px; "
            f"choose sides of {BLOCK_PX} to {MAX_SIDE_PX} px."
        )
    if not 0.1 <= mpp <= 2.0:
        raise UnsupportedSlideError(
            f"The phantom cannot be drawn at {mpp} um/px; choose 0.1 to 2 um/px."
        )


def _info(
    stain: str, size_px: tuple[int, int], seed: int, mpp: float, scanner: Scanner | None
) -> SlideInfo:
    name = next(short for short, long in ADDRESS_STAINS.items() if long == stain)
    side = f"{size_px[0]}" if size_px[0] == size_px[1] else f"{size_px[0]}x{size_px[1]}"
    address = f"phantom:{name}:{side}:{seed}"
    content = f"{_DRAWING} {stain} {size_px} {seed} {mpp} {scanner}"
    return SlideInfo(
        path=Path(address),
        format="phantom",
        levels=tuple(_levels(*size_px)),
        identity=hashlib.sha256(content.encode()).hexdigest(),
        mpp=mpp,
        icc="sRGB",
        properties={"stain": stain, "seed": str(seed), "scanner": str(scanner or "none")},
    )


def _levels(width_px: int, height_px: int) -> list[Level]:
    levels, d = [Level(width_px, height_px, 1.0)], 1
    while max(width_px, height_px) // d > 1024:
        d *= 4
        levels.append(Level(-(-width_px // d), -(-height_px // d), float(d)))
    return levels
