"""Light through the phantom's section: dyes, stains and the scanner's faults."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from stainapp.slides.phantom_section import Maps
from stainapp.slides.reader import RgbImage

GLASS = (243, 242, 244)
"""What the scanner sees where there is only glass; Beer-Lambert starts from it."""

DYES: Mapping[str, tuple[float, float, float]] = {
    "haematoxylin": (0.650, 0.704, 0.286),
    "eosin": (0.216, 0.801, 0.558),
    "DAB": (0.268, 0.570, 0.776),
    "PAS magenta": (0.175, 0.972, 0.155),
    "scatter": (0.550, 0.577, 0.604),
}
"""Optical density of each dye in red, green and blue, as a unit vector.

Haematoxylin and DAB: Ruifrok & Johnston, Anal Quant Cytol Histol 23:291-299 (2001), table 1.
Eosin as measured by their method in scanned slides: Bankhead et al., Sci Rep 7:16878 (2017).
PAS: Landini, Martinelli & Piccinini, Bioinformatics 37:1485-1487 (2021). Scatter is near grey.
"""

STAINS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "H&E": {
        "haematoxylin": {"nuclei": 0.95, "cytoplasm": 0.055, "basophilia": 0.33, "mucin": 0.13},
        "eosin": {"cytoplasm": 0.50, "nuclei": 0.10, "blood": 0.75, "membrane": 0.05},
    },
    "PAS": {
        "haematoxylin": {"nuclei": 0.78, "cytoplasm": 0.04, "basophilia": 0.18},
        "PAS magenta": {"mucin": 0.85, "membrane": 0.26, "cytoplasm": 0.13, "blood": 0.06},
    },
    "DAB": {
        "haematoxylin": {"nuclei": 0.62, "marker": -0.45, "cytoplasm": 0.10, "basophilia": 0.15},
        "DAB": {"marker": 0.80, "cytoplasm": 0.055, "blood": 0.08},
    },
    "unstained": {
        "scatter": {"cytoplasm": 0.11, "nuclei": 0.10, "mucin": 0.06, "membrane": 0.07,
                    "blood": 0.12},
    },
}  # fmt: skip
"""How much of each dye a stain lays on each map of the section."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """What a scanner does to the light before it is stored; the default does nothing."""

    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factor on red, green and blue."""
    gain: float = 1.0
    """Factor on all of them."""
    blur_px: float = 0.0
    """Standard deviation of the Gaussian blur, in pixels of the level read; at most 8."""
    noise: float = 0.0
    """Standard deviation of the sensor's noise, in grey levels."""
    jpeg_quality: int | None = None
    """1..95; None stores without loss."""

    @property
    def margin_px(self) -> int:
        """Neighbourhood that the blur needs."""
        return int(np.ceil(3 * min(self.blur_px, 8.0)))

    def scan(self, light: RgbImage, key: tuple[int, ...]) -> RgbImage:
        """Return what is stored of one anchored block.

        Args:
            light: the block and ``margin_px`` more on each side.
            key: hashed into the noise, so that the same place always gets the same.
        """
        margin = self.margin_px
        seen = light.astype(np.float32)
        if margin:
            seen = ndimage.gaussian_filter(
                seen, (self.blur_px, self.blur_px, 0), truncate=margin / self.blur_px
            )[margin:-margin, margin:-margin]
        seen *= np.asarray(self.white_balance, np.float32) * np.float32(self.gain)
        if self.noise:
            rng = np.random.default_rng(key)
            seen += self.noise * rng.standard_normal(seen.shape, dtype=np.float32)
        stored = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
        return stored if self.jpeg_quality is None else _through_jpeg(stored, self.jpeg_quality)


def dye_amounts(maps: Maps, stain: str) -> dict[str, NDArray[np.float32]]:
    """Return the amount of each dye of a stain, in optical density along its unit vector."""
    amounts = {}
    for dye, weights in STAINS[stain].items():
        total = np.zeros(maps.nuclei.shape, np.float32)
        for name, weight in weights.items():
            total += np.float32(weight) * getattr(maps, name)
        amounts[dye] = total
    return amounts


def transmit(amounts: Mapping[str, NDArray[np.float32]]) -> RgbImage:
    """Return the colour of light that went through dyes, by the Beer-Lambert law.

    Each channel is ``glass * 10 ** -sum(amount * density of the dye)``: Ruifrok & Johnston
    (2001), equation 1.
    """
    shape = next(iter(amounts.values())).shape
    image = np.empty((*shape, 3), np.uint8)
    for channel, glass in enumerate(GLASS):
        exponent = np.zeros(shape, np.float32)
        for dye, amount in amounts.items():
            exponent -= amount * np.float32(DYES[dye][channel] * np.log(10))
        np.exp(exponent, out=exponent)
        exponent *= np.float32(glass)
        exponent += np.float32(0.5)
        image[..., channel] = exponent
    return image


def _through_jpeg(image: RgbImage, quality: int) -> RgbImage:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))
