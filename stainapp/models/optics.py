"""Light absorption in a stained section: optical density and the stains that add up in it."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stainapp.slides.reader import RgbImage

STAIN_VECTORS = {
    "haematoxylin": (0.650, 0.704, 0.286),
    "eosin": (0.072, 0.990, 0.105),
    "DAB": (0.268, 0.570, 0.776),
}
"""Absorbance of a stain in red, green and blue, of unit length.

Ruifrok & Johnston, Anal Quant Cytol Histol 23:291-299 (2001), tables 2 and 3.
"""

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, what Pillow's "L" and the published grey-input models use."""


def optical_density(image: RgbImage, white: float = 255.0) -> NDArray[np.float32]:
    """Turn brightness into absorbance, in which stains add up.

    By the Beer-Lambert law the light through a stain falls off exponentially with its
    amount, so ``-ln((intensity + 1) / white)`` is linear in it. The 1 keeps black finite,
    as in the usual implementations of Macenko et al. (2009).

    Args:
        image: ``(..., 3)`` uint8, sRGB values taken as intensities.
        white: intensity of bare glass.

    Returns:
        ``(..., 3)`` float32 absorbance to base e; 0 for glass, negative for what is brighter.
    """
    return density_table(white)[image]


def density_table(white: float) -> NDArray[np.float32]:
    """Return `optical_density` of each of the 256 values."""
    return -np.log((np.arange(256, dtype=np.float64) + 1.0) / white).astype(np.float32)


def from_optical_density(density: NDArray[np.float32], white: float = 255.0) -> RgbImage:
    """Turn absorbance back into sRGB; the inverse of `optical_density` up to rounding."""
    intensity = white * np.exp(-density) - 1.0
    return np.clip(np.rint(intensity), 0, 255).astype(np.uint8)


def stain_matrix(first: str, second: str, third: str | None = None) -> NDArray[np.float64]:
    """Return three stains of `STAIN_VECTORS` as the unit rows of a 3 x 3 matrix.

    Without a third stain the residual, at right angles to both, takes its place.
    """
    rows = [np.asarray(STAIN_VECTORS[name]) for name in (first, second)]
    rows.append(np.asarray(STAIN_VECTORS[third]) if third else np.cross(rows[0], rows[1]))
    return np.stack([row / np.linalg.norm(row) for row in rows])


def unmixing(stains: ArrayLike, keep: ArrayLike) -> NDArray[np.float64]:
    """Return the 3 x 3 map in optical density that keeps some stains and removes the others.

    Args:
        stains: ``(3, 3)``, a stain's absorbance a row.
        keep: share of each stain to keep, 0..1.

    Returns:
        A matrix for column vectors: ``density_out = matrix @ density_in``.

    Source:
        Colour deconvolution of Ruifrok & Johnston (2001).
    """
    rows = np.asarray(stains, dtype=np.float64)
    return rows.T @ np.diag(np.asarray(keep, dtype=np.float64)) @ np.linalg.inv(rows.T)


def stained(
    image: RgbImage, *, every_channel: bool, least: float = 0.15, white: float = 240.0
) -> NDArray[np.bool_]:
    """Return where a pixel absorbs enough light to be stained tissue.

    Args:
        image: ``(..., 3)`` uint8.
        every_channel: whether each channel must absorb, as in Macenko et al. (2009), or any.
        least: the least absorbance, to base e: their beta.
        white: intensity of bare glass.

    Returns:
        ``(...)`` bool.
    """
    brightest = math.floor(white * math.exp(-least) - 1.0)
    value = image.max(axis=-1) if every_channel else image.min(axis=-1)
    return np.asarray(value <= brightest)
