"""Nuclei found by colour, threshold and watershed.

Nothing here was trained, so nothing prefers real tissue to virtual. Good enough to ask whether two
pictures hold their nuclei in the same places; no count for a pathologist. How good is measured
(`tests/benchmarks/nuclei.py`) and said beside every figure. Thresholds follow each picture, so
that a paler stain has no fewer nuclei.
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes
from skimage.segmentation import watershed

from stainapp.compare.density import HAEMATOXYLIN, density, separate
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

Labels = NDArray[np.int32]
Map = NDArray[np.float32]

OTHERS: Mapping[str, tuple[float, float, float]] = {
    "H&E": (0.216, 0.801, 0.558),
    "PAS": (0.415, 0.868, 0.271),
}
"""What must not pass for haematoxylin, as scanners see it rather than pure.

Eosin: Bankhead et al., Sci Rep 7:16878 (2017). PAS: the reddest per cent of the dense pixels of
a scanned section (melanosis coli, Pathology Atlas, MIT), whose mucin would otherwise pass for
nuclei. In DAB a nucleus may be brown or blue, and the red channel's density shows both.
"""
STAINS = ("H&E", "PAS", "DAB", "haematoxylin", "grey")

_SMOOTH_UM = 0.2
_AROUND_UM = 15.0
_BLOB_UM = 2.0
_FULL_RADIUS_UM = 3.0
_APART_UM = 1.8
_LEAST_AREA_UM2 = 5.0
_HOLE_UM2 = 12.0
_LEAST_DENSITY = 0.1
COARSEST_MPP = 1.0


def nuclei(image: RgbImage, mpp: float, stain: str) -> Labels:
    """Return the nucleus of each pixel, ``(H, W)`` int32; 0 is none.

    Args:
        image: ``(H, W, 3)`` uint8; some 100 um a side or more, as it sets its own threshold.
        mpp: micrometres per pixel, at most 1.
        stain: one of `STAINS`.

    Raises:
        StainAppError: the stain shows no nuclei that could be told, or the scale is too coarse.
    """
    if not 0 < mpp <= COARSEST_MPP:
        raise StainAppError(
            f"Nuclei cannot be found at {mpp} um/px; choose a scale of up to {COARSEST_MPP} um/px."
        )
    smooth = ndimage.gaussian_filter(nuclear_density(image, stain), _SMOOTH_UM / mpp)
    threshold = max(float(threshold_otsu(smooth)), _LEAST_DENSITY)
    mask = _dense(smooth, threshold, mpp)
    return parted(mask, _roundness(smooth, mask, threshold, mpp), mpp)


def nuclear_density(image: RgbImage, stain: str) -> Map:
    """Return the optical density of what colours nuclei, ``(H, W)`` float32.

    Raises:
        StainAppError: the stain is none of `STAINS`.
    """
    if stain not in STAINS:
        raise StainAppError(
            f"Nuclei cannot be told in {stain!r}; choose one of {', '.join(STAINS)}."
        )
    found = density(image)
    if stain == "grey":
        return np.asarray(found.mean(axis=-1))
    if stain not in OTHERS:
        return np.ascontiguousarray(found[..., 0])
    return separate(found, [HAEMATOXYLIN, OTHERS[stain]])[0]


def _dense(smooth: Map, threshold: float, mpp: float) -> NDArray[np.bool_]:
    """Threshold half way between the whole picture's and the neighbourhood's."""
    around = ndimage.uniform_filter(smooth, int(_AROUND_UM / mpp) | 1)
    lowest = max(_LEAST_DENSITY, 0.7 * threshold)
    local = np.clip((threshold + around) / 2, lowest, 1.3 * threshold)
    mask = ndimage.binary_opening(smooth > local)
    filled = cast("Any", remove_small_holes)(mask, max_size=int(_HOLE_UM2 / mpp**2))
    return np.asarray(filled, bool)


def _roundness(smooth: Map, mask: NDArray[np.bool_], threshold: float, mpp: float) -> Map:
    """Peak in each nucleus: by its shape, and by a blob as large as nuclei are (LoG)."""
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask) * mpp, 0.4 / mpp)
    sigma = _BLOB_UM / mpp
    blob = -ndimage.gaussian_laplace(np.minimum(smooth, 2 * threshold), sigma) * sigma**2
    shape = np.minimum(depth, _FULL_RADIUS_UM) / _FULL_RADIUS_UM
    return np.asarray((shape + blob / threshold) / 2, np.float32)


def parted(mask: NDArray[np.bool_], peaks: Map, mpp: float) -> Labels:
    """Flood from each peak, and drop what is too small."""
    side = 2 * max(1, round(_APART_UM / mpp)) + 1
    inside = np.where(mask, peaks, -np.inf)
    tops = mask & (inside == ndimage.maximum_filter(inside, side))
    islands, count = ndimage.label(mask)
    lonely = np.bincount(islands[tops], minlength=count + 1) == 0  # a higher peak is close by
    seeds, _ = ndimage.label(tops | lonely[islands] & mask)
    labels = np.asarray(cast("Any", watershed)(-peaks, seeds, mask=mask), np.int32)
    areas = np.bincount(labels.ravel()) * mpp**2
    keep = areas >= _LEAST_AREA_UM2
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    kept: Labels = numbers[labels]
    return kept
