"""Bare glass is handed through unstained, with a soft edge that knows no tiles."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from stainapp.slides.reader import RgbImage

BLOCK_PX = 4
"""Glass is judged by the mean of squares of this side, which lie on one grid over the slide."""
MARGIN_PX = 3 * BLOCK_PX
"""How far around a pixel its glass is judged, the rest of a square included."""
CLEAR, FULL = 0.07, 0.13
"""Absorbance, to base e and over the darkest channel, that is glass and that is tissue."""
SCALE = 512.0
PATCH_PX = 64
"""Side of the squares that are blended, or left alone, as a whole."""


def tissue_share(
    image: RgbImage, glass: tuple[int, int, int], i: int = 0, j: int = 0
) -> NDArray[np.uint8]:
    """Return how much of each pixel is to be stained, 0 for glass to 255 for tissue.

    The absorbance of the darkest channel, square by square, goes through a smooth step, is
    blurred and doubled: tissue is stained up to its very edge, and fades into glass outside
    it. It is computed in whole numbers, so it is a function of the pixels within `MARGIN_PX`
    and of where they lie, and of nothing else.

    Args:
        image: ``(H, W, 3)`` uint8.
        glass: sRGB of the slide's bare glass.
        i: column of the image's first pixel, counted from the slide's edge.
        j: its row.

    Returns:
        ``(H, W)`` uint8; not to be used nearer to the edge than `MARGIN_PX`, unless the image
        is all there is.
    """
    height, width = image.shape[:2]
    before = (j % BLOCK_PX, i % BLOCK_PX)
    after = (-(j + height) % BLOCK_PX, -(i + width) % BLOCK_PX)
    if any(before) or any(after):
        sides = [*zip(before, after, strict=True), (0, 0)]
        image = np.pad(image, sides, mode="edge")
    coarse = _coarse_share(image, glass)
    blurred = np.asarray(coarse)
    lowest, highest = blurred.min(), blurred.max()
    if lowest > 126 or highest == 0:
        return np.full((height, width), 255 if highest else 0, np.uint8)
    fine = coarse.resize((image.shape[1], image.shape[0]), Image.Resampling.BILINEAR)
    fine = fine.point([min(255, 2 * value + (value > 126)) for value in range(256)])
    return np.asarray(fine)[before[0] :, before[1] :][:height, :width]


def with_glass(stained: RgbImage, source: RgbImage, share: NDArray[np.uint8]) -> RgbImage:
    """Return the stained picture, blended with the source where ``share`` is below 255."""
    if share.min(initial=255) == 255:
        return stained
    result = stained.copy()
    for top in range(0, share.shape[0], PATCH_PX):
        for left in range(0, share.shape[1], PATCH_PX):
            patch = np.s_[top : top + PATCH_PX, left : left + PATCH_PX]
            part = share[patch]
            if part.min() < 255:
                result[patch] = _mixed(stained[patch], source[patch], part)
    return result


def _coarse_share(image: RgbImage, glass: tuple[int, int, int]) -> Image.Image:
    """Return the mean share of each square and its neighbours, ``H / BLOCK_PX`` high."""
    mean = np.asarray(Image.fromarray(image).reduce(BLOCK_PX))
    table = _darkness(glass)
    dark = np.maximum(table[0][mean[..., 0]], table[1][mean[..., 1]])
    dark = np.maximum(dark, table[2][mean[..., 2]])
    return Image.fromarray(_step()[dark]).filter(ImageFilter.BoxBlur(1))


def _mixed(stained: RgbImage, source: RgbImage, share: NDArray[np.uint8]) -> RgbImage:
    if share.max() == 0:
        return source
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
