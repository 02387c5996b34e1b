"""Slides made of an array, for tests that need to know every pixel."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.pair import Side
from stainapp.geometry import Rect
from stainapp.slides.reader import Level, RgbImage, SlideInfo, SlideReader

MPP = 0.5


class ArraySlide:
    """One level, white beyond its edges; counts the pixels of its largest read."""

    def __init__(self, image: NDArray[np.uint8], name: str = "array", mpp: float = MPP) -> None:
        height, width = image.shape[:2]
        self.image, self.largest = image, 0
        levels = (Level(width, height, 1.0),)
        self.info = SlideInfo(Path(f"{name}.png"), "array", levels, name, mpp)

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return ()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        self.largest = max(self.largest, width_px * height_px)
        found = np.full((height_px, width_px, 3), 255, np.uint8)
        height, width = self.image.shape[:2]
        left, top = max(0, x), max(0, y)
        right, bottom = min(width, x + width_px), min(height, y + height_px)
        if right > left and bottom > top:
            part = self.image[top:bottom, left:right]
            found[top - y : bottom - y, left - x : right - x] = part
        return found

    def close(self) -> None:
        pass


def side(reader: SlideReader, stain: str = "H&E", mpp: float | None = MPP) -> Side:
    return Side(reader, stain, reader.info.path.stem, mpp, reader.info.identity)


def noise(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Random pixels that look like no tissue, in which every pixel counts."""
    return np.random.default_rng(seed).integers(90, 250, (height, width, 3), np.uint8)
