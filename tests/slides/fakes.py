"""Readers whose every pixel is known, for tests of what wraps them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.slides.mosaic import Grid, level_pixel
from stainapp.slides.reader import Level, RgbImage, SlideInfo


class ArraySlide:
    """A slide from arrays, one per level; reads that touch a broken place fail."""

    def __init__(self, *levels: RgbImage) -> None:
        self._levels = levels
        width = levels[0].shape[1]
        self.reads: list[tuple[int, int, int, int, int]] = []
        self.broken: Callable[[int, Rect], bool] = lambda _level, _rect: False
        self.info = SlideInfo(
            path=Path("made"),
            format="made",
            levels=tuple(Level(a.shape[1], a.shape[0], round(width / a.shape[1])) for a in levels),
            identity="made",
        )

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return ()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        self.reads.append((x, y, level, width_px, height_px))
        here, pixels = self.info.levels[level], self._levels[level]
        size = Rect(x, y, width_px * here.downsample, height_px * here.downsample)
        if self.broken(level, size):
            raise SlideError("made is damaged there.")
        grid = Grid(here.width_px, here.height_px, here.width_px, here.height_px)
        left, top = level_pixel(x, here), level_pixel(y, here)
        return grid.read(left, top, width_px, height_px, lambda _c, _r: pixels)

    def close(self) -> None:
        pass


def noise(width: int, height: int, seed: int = 0) -> RgbImage:
    """Return a random picture that no compression survives unnoticed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth(width: int, height: int) -> RgbImage:
    """Return a picture of slow gradients that lossy codecs keep within a few levels."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack(
        [x * 200 / width + 30, y * 200 / height + 30, (x + y) * 80 / (width + height) + 90], 2
    ).astype(np.uint8)


def within(x: float, y: float) -> Callable[[int, Rect], bool]:
    """Break level 0 at one point."""

    def broken(level: int, rect: Rect) -> bool:
        return level == 0 and not rect.intersected(Rect(x, y, 1, 1)).empty

    return broken
