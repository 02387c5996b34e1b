"""Where the tissue is, and a fair choice of places in it.

Otsu's threshold (1979) on the optical density of an overview, with what is no tissue taken
out first: pen marks by their colour, scanner borders by their blackness. On a dark
background (fluorescence) the same on the brightness.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from skimage.filters import threshold_otsu
from skimage.measure import label

from stainapp.geometry import Rect
from stainapp.slides.reader import RgbImage, SlideReader

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

DARK = 48
"""Grey level below which all three channels are a black border, or a fluorescence background."""

LEAST_CONTRAST_OD = 0.04
"""Optical density between tissue and glass below which there is only glass."""

LEAST_CONTRAST_GREY = 8
"""The same on a dark background, in grey levels."""

MOST_THRESHOLD_OD, MOST_THRESHOLD_GREY = 0.06, 24
"""Whatever exceeds these is tissue, how dense the rest may be."""

BORDER_SHARE = 5e-3
"""Black regions below this share of the overview are no border; dark nuclei in a field are not."""

SMALLEST_SHARE = 2e-4
"""Specks below this share of the overview are dust."""


def tissue_mask(reader: SlideReader, max_px: int = 1024) -> tuple[Mask, float]:
    """Find the tissue.

    Returns:
        A mask whose longer side is at most ``max_px``, all False on a blank slide, and the
        level-0 pixels per pixel of it.
    """
    image, downsample = overview(reader, max_px)
    return mask_of(image), downsample


def overview(reader: SlideReader, max_px: int = 1024) -> tuple[RgbImage, float]:
    """Return the whole slide with its longer side at most ``max_px``, and the downsample."""
    info = reader.info
    sides = [max(level.width_px, level.height_px) for level in info.levels]
    enough = [i for i, side in enumerate(sides) if side >= 0.6 * max_px]
    level = enough[-1] if enough else 0
    chosen = info.levels[level]
    image = reader.read(0, 0, level, chosen.width_px, chosen.height_px)
    shrink = max(1.0, sides[level] / max_px)
    if shrink == 1.0:
        return image, chosen.downsample
    size = tuple(max(1, int(side / shrink)) for side in (chosen.width_px, chosen.height_px))
    small = Image.fromarray(image).resize(
        (size[0], size[1]),
        Image.Resampling.BOX,
        box=(0, 0, size[0] * shrink, size[1] * shrink),
    )
    return np.asarray(small), chosen.downsample * shrink


def choose_tissue(
    reader: SlideReader, count: int, side: float, min_tissue: float = 0.5
) -> list[Rect]:
    """Choose squares of tissue, spread over the slide as the tissue is; always the same ones.

    Args:
        reader: the slide.
        count: the most squares to return.
        side: of a square, in level-0 pixels.
        min_tissue: least share of tissue; halved, down to a sixteenth, while no square has it.

    Returns:
        At most ``count`` squares that do not overlap; none on a blank slide.
    """
    mask, downsample = tissue_mask(reader)
    size = reader.info.width_px, reader.info.height_px
    return choose_squares(mask, downsample, size, count, side, min_tissue)


def choose_squares(
    mask: Mask,
    downsample: float,
    size_px: tuple[int, int],
    count: int,
    side: float,
    min_tissue: float,
) -> list[Rect]:
    """Choose as `choose_tissue` on a slide whose mask is known, as by `tissue_mask`."""
    x, y, shares = _shares(mask, downsample, size_px, side)
    for halvings in range(5):
        good = np.flatnonzero((shares > 0) & (shares >= min_tissue / 2**halvings))
        if len(good):
            picks = np.linspace(0, len(good) - 1, min(count, len(good))).round().astype(int)
            return [Rect(int(x[n]), int(y[n]), side, side) for n in good[picks]]
    return []


def is_dark_field(image: RgbImage) -> bool:
    """Tell fluorescence, bright on black, from a brightfield slide within a black border."""
    brightest = image.max(axis=2)
    return bool((brightest < DARK).mean() > 0.4 and (brightest > 200).mean() < 0.1)


def optical_density(image: RgbImage, white: float = 245.0) -> NDArray[np.float32]:
    """Return -log10(I / white) per channel, (H, W, 3), not below 0."""
    lookup = -np.log10(np.maximum(np.arange(256, dtype=np.float32), 1) / np.float32(white))
    density: NDArray[np.float32] = np.maximum(lookup, 0)[image]
    return density


def mask_of(image: RgbImage) -> Mask:
    """Find the tissue in an overview, (H, W, 3) uint8."""
    if min(image.shape[:2]) < 3:
        return np.zeros(image.shape[:2], bool)
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(1)))
    if is_dark_field(smooth):
        return _tidy(_brighter(smooth))
    return _tidy(_denser(smooth))


def _brighter(image: RgbImage) -> Mask:
    value = image.max(axis=2).astype(np.float32)
    return _above(value, np.ones(value.shape, bool), LEAST_CONTRAST_GREY, MOST_THRESHOLD_GREY)


def _denser(image: RgbImage) -> Mask:
    valid = ~(_grown(_large(image.max(axis=2) < DARK, BORDER_SHARE)) | _grown(pen_marks(image)))
    if not valid.any():
        return valid
    density = optical_density(image, _glass(image, valid)).mean(axis=2)
    return _above(density, valid, LEAST_CONTRAST_OD, MOST_THRESHOLD_OD)


def _above(value: NDArray[np.float32], valid: Mask, contrast: float, most: float) -> Mask:
    """Split valid pixels by Otsu's threshold, unless the two sides hardly differ.

    The threshold is at most ``most``: in a field that is all tissue Otsu's would part
    nuclei from stroma.
    """
    values = value[valid]
    threshold = most if np.ptp(values) == 0 else min(float(threshold_otsu(values)), most)
    above = values > threshold
    glass = 0.0 if above.all() else float(values[~above].mean())
    if not above.any() or float(values[above].mean()) - glass < contrast:
        return np.zeros(value.shape, bool)
    split: Mask = valid & (value > threshold)
    return split


def _glass(image: RgbImage, valid: Mask) -> float:
    """Estimate the brightness of bare glass; a field full of tissue has none to go by."""
    return float(np.clip(np.percentile(image.min(axis=2)[valid], 99), 200, 250))


def pen_marks(image: RgbImage) -> Mask:
    """Find green, red and blue marker ink by colours that no common stain has, (H, W) bool."""
    red, green, blue = (image[..., channel].astype(np.int16) for channel in range(3))
    green_ink = (green - red > 12) & (green - blue > -10)
    red_ink = (red - green > 90) & (red - blue > 80) & (np.abs(green - blue) < 35)
    blue_ink = (blue - red > 90) & (blue - green > 60) & (red < 90)
    ink: Mask = green_ink | red_ink | blue_ink
    return ink


def _grown(mask: Mask) -> Mask:
    """Dilate by two pixels: a mark has a blurred rim."""
    return np.asarray(_blurred(mask) > 0)


def _tidy(mask: Mask) -> Mask:
    """Close gaps of a few pixels and drop specks."""
    return _large(_blurred(_grown(mask)) == 255, SMALLEST_SHARE)


def _large(mask: Mask, share: float) -> Mask:
    """Keep the connected regions of at least that share of the picture."""
    regions = np.asarray(label(mask))
    keep = np.bincount(regions.ravel()) >= max(4, share * mask.size)
    keep[0] = False
    large: Mask = np.asarray(keep[regions], bool)
    return large


def _blurred(mask: Mask) -> NDArray[np.uint8]:
    """Average over 5 x 5: above 0 where any pixel is set, 255 where all are."""
    image = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return np.asarray(image.filter(ImageFilter.BoxBlur(2)))


def _shares(
    mask: Mask, downsample: float, size: tuple[int, int], side: float
) -> tuple[Places, Places, NDArray[np.float64]]:
    """Lay a grid of squares on the slide, in Morton order.

    Returns:
        Left and top of each square, in level-0 pixels, and its share of tissue.
    """
    counts = [max(1, int(extent // side)) for extent in size]
    first = [max(0, int(extent - n * side) // 2) for extent, n in zip(size, counts, strict=True)]
    column, row = (index.ravel() for index in np.indices(counts))
    order = np.argsort(_morton(column, row))
    x, y = (
        (start + index[order] * side).astype(np.int64)
        for start, index in zip(first, (column, row), strict=True)
    )
    summed = np.pad(mask.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    x0, x1 = (np.rint(v / downsample).clip(0, mask.shape[1]).astype(int) for v in (x, x + side))
    y0, y1 = (np.rint(v / downsample).clip(0, mask.shape[0]).astype(int) for v in (y, y + side))
    tissue = summed[y1, x1] - summed[y0, x1] - summed[y1, x0] + summed[y0, x0]
    return x, y, tissue / max(1.0, (side / downsample) ** 2)


def _morton(column: Places, row: Places) -> Places:
    """Interleave the bits of column and row: neighbours in this order are near each other."""
    code = np.zeros_like(column)
    for bit in range(31):
        code |= (column >> bit & 1) << 2 * bit | (row >> bit & 1) << (2 * bit + 1)
    return code
