"""Which tiles are worth learning from: neither blank nor out of focus."""

import numpy as np
from numpy.typing import NDArray

from stainapp.slides.reader import RgbImage
from training.grey import luma

LEAST_CONTRAST = 3.0
"""Standard deviation of the luma below which a tile is blank, in grey levels. Of 570 tiles of
160 px at 0.5 um/px, half of them tissue, on five slides (H&E, PAS, DAB) the least had 22; glass
has 0 to 2."""
LEAST_SHARPNESS = 4.0
"""Standard deviation of the luma's Laplacian below which a tile is blurred, in grey levels. Of
the same tiles the least had 12.9, and the most after a Gaussian blur of 3 px 3.5."""


def quality(tile: RgbImage) -> float:
    """Return how far above both limits a tile is; below 1 it is blank or blurred."""
    grey = luma(tile)
    return min(float(grey.std()) / LEAST_CONTRAST, sharpness(grey) / LEAST_SHARPNESS)


def sharpness(grey: NDArray[np.float32]) -> float:
    """Return the standard deviation of the Laplacian of a grey image, in grey levels.

    Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy.
    """
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    return float(laplacian.std())
