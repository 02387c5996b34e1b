"""How much of each dye a pixel holds: colour deconvolution with fixed, published vectors.

Ruifrok & Johnston, Anal Quant Cytol Histol 23:291-299 (2001). Fixed, so that a figure of
today can be set beside one of last year; a slide's own vectors would follow its faults.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stainapp.slides.reader import RgbImage
from stainapp.slides.tissue import optical_density

Density = NDArray[np.float32]

HAEMATOXYLIN = (0.65, 0.70, 0.29)
EOSIN = (0.07, 0.99, 0.11)
DAB = (0.27, 0.57, 0.78)
"""As in `skimage.color.rgb2hed`: Ruifrok & Johnston (2001), to two digits."""
MAGENTA = (0.175, 0.972, 0.155)
"""Schiff's reagent: Landini, Martinelli & Piccinini, Bioinformatics 37:1485-1487 (2021)."""

DYES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "H&E": {"haematoxylin": HAEMATOXYLIN, "eosin": EOSIN, "DAB": DAB},
    "DAB": {"haematoxylin": HAEMATOXYLIN, "eosin": EOSIN, "DAB": DAB},
    "PAS": {"haematoxylin": HAEMATOXYLIN, "PAS": MAGENTA},
}
"""The dyes that each stain is taken apart into. In H&E, "DAB" holds what is brown: pigment."""

CHANNELS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
"""What a stain of unknown dyes is taken apart into: the density of each channel."""

WHITE = 255.0
"""Taken as the light without tissue. It cancels out in a difference of two densities."""


def density(image: RgbImage) -> Density:
    """Return the optical density ``-log10(value / 255)`` of each channel.

    Args:
        image: ``(..., 3)`` uint8; 0 is read as 1, which bounds the result by 2.41.

    Returns:
        ``(..., 3)`` float32, 0 for white.
    """
    return optical_density(image, WHITE)


def amounts(image: RgbImage, stain: str) -> dict[str, Density]:
    """Return the amount of each dye of `DYES`, in optical density along its unit vector.

    Args:
        image: ``(..., 3)`` uint8.
        stain: one of `DYES`; of another the channels stand in.

    Returns:
        ``(...)`` float32 for each dye. Signed: what one dye has too much another has too
        little, and cutting that off at 0 would hide it.
    """
    dyes = dyes_of(stain)
    return dict(zip(dyes, separate(density(image), list(dyes.values())), strict=True))


def separate(found: Density, vectors: list[tuple[float, float, float]]) -> list[Density]:
    """Return the amount of each of two or three dyes, ``(...)``, in a density ``(..., 3)``.

    Of two dyes the residual at right angles to both is the third, and is left out.
    """
    inverse = np.linalg.inv(_rows(vectors)).astype(np.float32)
    parts = found @ inverse
    return [np.ascontiguousarray(parts[..., n]) for n in range(len(vectors))]


def dyes_of(stain: str) -> Mapping[str, tuple[float, float, float]]:
    """Return the dyes that a stain is taken apart into; the channels where they are not known."""
    return DYES.get(stain, CHANNELS)


def _rows(vectors: list[tuple[float, float, float]]) -> NDArray[np.float64]:
    """Return unit rows, (3, 3)."""
    rows = [np.asarray(vector) / np.linalg.norm(vector) for vector in vectors]
    if len(rows) == 2:
        across = np.cross(rows[0], rows[1])
        rows.append(across / np.linalg.norm(across))
    return np.stack(rows)
