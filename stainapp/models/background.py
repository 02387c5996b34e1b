"""Bare glass is handed through unstained, with a soft edge that knows no tiles."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from stainapp.slides.reader import RgbImage

BLUR_PX = 3
"""Radius of each of the two box blurs."""
MARGIN_PX = 2 * (BLUR_PX + 1)
"""How far around a pixel its glass is judged; needed as a border for exact edges."""
CLEAR, FULL = 0.07, 0.13
"""Absorbance, to base e and over the darkest channel, that is glass and that is tissue."""
SCALE = 512.0


def tissue_share(image: RgbImage, glass: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return how much of each pixel is to be stained, 0 for glass to 255 for tissue.

    The absorbance of the darkest channel goes through a smooth step, is blurred and doubled:
    tissue is stained up to its very edge, and fades into glass outside it. It is computed in
    whole numbers, so it is a function of the pixels within `MARGIN_PX` and nothing else.

    Args:
        image: ``(H, W, 3)`` uint8.
        glass: sRGB of the slide's bare glass.

    Returns:
        ``(H, W)`` uint8.
    """
    table = _darkness(glass)
    dark = np.maximum(table[0][image[..., 0]], table[1][image[..., 1]])
    dark = np.maximum(dark, table[2][image[..., 2]])
    if dark.max(initial=0) <= CLEAR * SCALE:
        return np.zeros_like(dark)
    box = ImageFilter.BoxBlur(BLUR_PX)
    blurred = np.asarray(Image.fromarray(_step()[dark]).filter(box).filter(box))
    doubled: NDArray[np.uint8] = np.minimum(blurred, 127) * np.uint8(2) + (blurred > 126)
    return doubled


def with_glass(stained: RgbImage, source: RgbImage, share: NDArray[np.uint8]) -> RgbImage:
    """Blend the source into the stained picture where ``share`` is below 255."""
    if share.min(initial=255) == 255:
        return stained
    weight = share[..., None].astype(np.uint16)
    # 255 * 255 + 127 still fits into 16 bits
    mixed = stained * weight + source * (255 - weight) + 127
    result: RgbImage = (mixed // 255).astype(np.uint8)
    return result


def _darkness(glass: tuple[int, int, int]) -> list[NDArray[np.uint8]]:
    values = np.arange(256) + 1.0
    tables = [np.log((white + 1.0) / values) * SCALE for white in glass]
    return [np.clip(np.rint(table), 0, 255).astype(np.uint8) for table in tables]


def _step() -> NDArray[np.uint8]:
    t = np.clip((np.arange(256) / SCALE - CLEAR) / (FULL - CLEAR), 0, 1)
    step: NDArray[np.uint8] = np.rint(255 * t * t * (3 - 2 * t)).astype(np.uint8)
    return step
