"""A slide as registration sees it: how much light it absorbs, whatever it is stained with."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.registration.grid import Points
from stainapp.slides.reader import SlideReader
from stainapp.slides.tissue import Mask, is_dark_field, mask_of

Density = NDArray[np.float32]

RED = 0
"""Haematoxylin, which nearly every slide has, absorbs red the most; eosin and DAB far less."""


MOST_DAMAGED = 0.5
"""With a larger share of a slide damaged, what is left of it says nothing of where it lies."""


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """The whole slide at one working scale. Pixel (row, column) covers a square of ``cell_px``."""

    density: Density
    """(rows, columns) absorbance of red light to base 10; about 0 on glass."""
    tissue: Mask
    cell_px: float
    """Level-0 pixels per pixel of this view."""

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.density.shape
        return rows, columns

    def reduced(self, factor: int) -> "View":
        """Average squares of ``factor`` pixels; what is left over at the far edges is dropped."""
        if factor <= 1:
            return self
        return View(
            averaged(self.density, factor),
            averaged(self.tissue.astype(np.float32), factor) > 0.5,
            self.cell_px * factor,
        )

    def centres(self) -> Points:
        """Return the middles of the pixels in level-0 pixels, (rows * columns, 2)."""
        y, x = (np.indices(self.shape, np.float64) + 0.5) * self.cell_px
        return np.stack([x.ravel(), y.ravel()], axis=1)


def view_of(reader: SlideReader, cell_px: float) -> View:
    """Look at a whole slide at a working scale of ``cell_px`` level-0 pixels.

    Raises:
        SlideError: the slide cannot be read, or for the most part only stand-ins of it.
    """
    info = reader.info
    number = info.level_for_downsample(cell_px)
    level = info.levels[number]
    pixels = reader.read(0, 0, number, level.width_px, level.height_px)
    if _share_damaged(reader) > MOST_DAMAGED:
        raise SlideError(
            f"{info.path} cannot be read: its file is damaged. Copy it again from where it came."
        )
    columns = max(1, math.floor(info.width_px / cell_px))
    rows = max(1, math.floor(info.height_px / cell_px))
    step = cell_px / level.downsample
    box = (0.0, 0.0, min(columns * step, level.width_px), min(rows * step, level.height_px))
    small = _resized(Image.fromarray(pixels), (columns, rows), box)
    absorbed = pixels.max(axis=2) if is_dark_field(small) else pixels[..., RED]
    table = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)
    light = np.linspace(0, 1, 256, dtype=np.float32) if is_dark_field(small) else table
    density = _resized(Image.fromarray(light[absorbed]), (columns, rows), box)
    tissue = mask_of(small)
    glass = float(np.median(density[~tissue])) if (~tissue).any() else 0.0
    return View(np.asarray(density - glass, np.float32), tissue, cell_px)


def _share_damaged(reader: SlideReader) -> float:
    """Return which share of a slide could not be read."""
    slide = Rect(0, 0, reader.info.width_px, reader.info.height_px)
    parts = (rect.intersected(slide) for rect in reader.damaged)
    return sum(part.width * part.height for part in parts) / (slide.width * slide.height)


def averaged(image: Density, factor: int) -> Density:
    """Average squares of ``factor`` pixels."""
    rows, columns = (side // factor for side in image.shape)
    whole = image[: rows * factor, : columns * factor]
    squares = whole.reshape(rows, factor, columns, factor)
    return np.asarray(squares.mean(axis=(1, 3), dtype=np.float32))


def normalised(density: Density, reach: float, floor: float = 0.02) -> Density:
    """Take away local brightness and contrast, so that stains can be compared.

    Args:
        density: (rows, columns).
        reach: standard deviation in pixels of the Gaussian window that is "local".
        floor: contrast added, so that bare glass stays flat.
    """
    mean = gaussian_filter(density, reach)
    spread = np.maximum(gaussian_filter(density * density, reach) - mean * mean, 0)
    local: Density = ((density - mean) / np.sqrt(spread + floor * floor)).astype(np.float32)
    return local


def _resized(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> NDArray[Any]:
    return np.asarray(image.resize(size, Image.Resampling.BOX, box))
