"""Colour constancy: whether pictures of one stain are alike in brightness, as a normaliser wants.

The normalised median intensity of Basavanhally & Madabhushi, SPIE Medical Imaging 8676 (2013),
and its deviation and coefficient of variation over pictures. Small is not all: what washes every
picture out makes them alike as well, so the mean must stay near that of the real stain.
"""

import numpy as np
from numpy.typing import NDArray

from stainapp.models.optics import stained
from stainapp.slides.reader import RgbImage

LEAST_PIXELS = 100
"""Fewer pixels of tissue than these have no median worth the name."""


def tissue_of(images: RgbImage) -> NDArray[np.bool_]:
    """Return where pictures (N, H, W, 3) show tissue, (N, H, W): where any channel absorbs."""
    return stained(images, every_channel=False)


def normalised_medians(images: RgbImage, tissue: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the median of the tissue's intensity over its 95th percentile, of each picture.

    Args:
        images: (N, H, W, 3) uint8; intensity is the mean of the three channels.
        tissue: (N, H, W); the same before and after normalising, so that the same pixels are
            measured.

    Returns:
        (N,) in 0..1; NaN where a picture shows too little tissue, or it is black.
    """
    result = np.full(len(images), np.nan)
    for n, (image, inside) in enumerate(zip(images, tissue, strict=True)):
        intensity = image[inside].mean(axis=-1)
        if len(intensity) >= LEAST_PIXELS:
            middle, high = np.percentile(intensity, [50, 95])
            result[n] = middle / high if high > 0 else np.nan
    return result


def deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation over pictures."""
    return float(values.std())


def variation(values: NDArray[np.float64]) -> float:
    """Return the coefficient of variation: deviation over mean."""
    return float(values.std() / values.mean())
