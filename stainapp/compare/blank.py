"""Bare glass, and what a model draws on it: tissue where there was none is made up."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stainapp.compare.density import density
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

CLEAR, TISSUE = 0.03, 0.08
"""Optical density above glass, of the densest channel, that is surely glass and surely tissue.

Close to the ends of the step of `stainapp.models.background` (0.07 and 0.13 to base e), and
with a gap between them, so that noise of the scanner is no new structure.
"""
_BOX_UM = 4.0
"""Judged by the mean of squares of this side."""
_RIM_UM = 6.0
"""This near to tissue its edge may move a little, which is nothing new."""


def glass_of(tiles: RgbImage) -> tuple[int, int, int]:
    """Return the colour of bare glass in tiles ``(N, H, W, 3)`` uint8 of one slide.

    The 99th percentile of each channel, between 200 and 255: tiles of tissue hold some gaps.
    """
    pixels = tiles.reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // 200_000)]
    red, green, blue = np.clip(np.percentile(pixels, 99, axis=0), 200, 255).round().astype(int)
    return int(red), int(green), int(blue)


def new_structures(
    source: RgbImage,
    generated: RgbImage,
    glass: tuple[int, int, int],
    generated_glass: tuple[int, int, int],
    mpp: float,
) -> tuple[int, int]:
    """Count the pixels of bare glass, and those of them that the model drew tissue on.

    Args:
        source: ``(H, W, 3)`` uint8.
        generated: the same place as the model shows it.
        glass: colour of bare glass in the source.
        generated_glass: the same in what the model makes; see `glass_of`.
        mpp: micrometres per pixel.

    Returns:
        New pixels, and blank ones; their quotient is the share.

    Raises:
        StainAppError: the shapes differ.
    """
    if source.shape != generated.shape:
        raise StainAppError(
            f"Pictures of {source.shape} and {generated.shape} show different pixels; "
            "cut both from the same place."
        )
    tissue = _above(source, glass, mpp) > CLEAR
    rim = ndimage.distance_transform_edt(~tissue) * mpp <= _RIM_UM if tissue.any() else tissue
    blank = ~(tissue | rim)
    new = blank & (_above(generated, generated_glass, mpp) > TISSUE)
    return int(new.sum()), int(blank.sum())


def _above(image: RgbImage, glass: tuple[int, int, int], mpp: float) -> NDArray[np.float32]:
    """Return the density above glass of the densest channel, averaged over small squares."""
    over = density(image) - density(np.array(glass, np.uint8))
    side = max(1, round(_BOX_UM / mpp))
    mean = ndimage.uniform_filter(over, (side, side, 1))
    return np.asarray(mean.max(axis=-1))
