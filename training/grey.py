"""Grey as ITU-R BT.601 weighs it, with the weights of a card's ``grey_input``."""

import numpy as np
from numpy.typing import NDArray

from stainapp.models.optics import LUMA
from stainapp.models.stainer import Tiles
from stainapp.slides.reader import RgbImage

_WEIGHTS = np.array(LUMA, np.float32)


def luma(tile: RgbImage) -> NDArray[np.float32]:
    """Return the luma of ``(..., 3)`` uint8, ``(...)`` in grey levels."""
    grey: NDArray[np.float32] = tile.astype(np.float32) @ _WEIGHTS
    return grey


def grey_of(tiles: Tiles) -> Tiles:
    """Return the luma in all three channels, ``(..., 3)`` uint8 both."""
    grey = np.rint(luma(tiles)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)
