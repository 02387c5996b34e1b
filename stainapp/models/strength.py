"""A stain at less than its full strength: between the slide and what a model made of it.

Knows no torch.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stainapp.slides.reader import RgbImage


def blended(source: RgbImage, stained: RgbImage, strength: float) -> RgbImage:
    """Return the picture whose optical density lies between those of two, pixel by pixel.

    In optical density stains add up (see `stainapp.models.optics.optical_density`), so half the
    strength is half of what the stain changes, and not a grey veil over it.

    Args:
        source: ``(..., 3)`` uint8.
        stained: the same shape.
        strength: 0 for the source, 1 for the stained, each to the bit and handed through.
    """
    if strength <= 0:
        return source
    return stained if strength >= 1 else _table(strength)[source, stained]


@lru_cache(maxsize=4)
def _table(strength: float) -> NDArray[np.uint8]:
    """Return the blend of any two values, ``(256, 256)``; equal ones stay as they are."""
    density = np.log(np.arange(256) + 1.0)  # what white is cancels out
    mixed = (1 - strength) * density[:, None] + strength * density[None, :]
    table: NDArray[np.uint8] = np.rint(np.exp(mixed) - 1.0).astype(np.uint8)
    return table
