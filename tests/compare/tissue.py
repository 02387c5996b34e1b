"""Tiles of the phantom for the tests of measures."""

from functools import cache

import numpy as np

from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.reader import RgbImage

MPP = 0.5
CORNER = 1500
"""Tissue all around it, mucosa and submucosa both, in the phantom of `field`."""


@cache
def field(stain: str, seed: int = 1, side: int = 768) -> RgbImage:
    return PhantomSlide(stain, (4000, 4000), seed).read(CORNER, CORNER, 0, side, side)


def tiles(stain: str, seed: int = 1, side: int = 128, count: int = 36) -> RgbImage:
    """Return tiles ``(count, side, side, 3)``, row by row."""
    image = field(stain, seed)
    across = image.shape[0] // side
    cut = image[: across * side, : across * side].reshape(across, side, across, side, 3)
    return np.ascontiguousarray(cut.swapaxes(1, 2).reshape(-1, side, side, 3)[:count])
