"""Pieces of tissue that may each have moved on its own, and the glass around each."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    distance_transform_edt,
    label,
)
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from stainapp.slides.tissue import Mask

SMALLEST_SHARE = 0.05
"""Pieces below this share of the largest one follow their nearest neighbour."""
MOST_PIECES = 12
GAP_SHARE = 0.006
"""Gaps up to this share of the picture's diagonal do not part a piece."""
NECK = 0.75
"""Two parts joined by a neck thinner than this share of the thinner part may have moved apart."""


def pieces_in(tissue: Mask) -> list[Mask]:
    """Find the pieces, the largest first; none on a blank slide.

    A piece holds its own holes, and is parted from the next one at a neck. Small fragments
    are nobody's piece. Parts that turn out to have moved together are no harm.
    """
    gap = max(1, round(GAP_SHARE * float(np.hypot(*tissue.shape))))
    framed = np.pad(tissue, 2 * gap)
    joined = binary_fill_holes(binary_closing(framed, iterations=gap))
    joined = joined[2 * gap : -2 * gap, 2 * gap : -2 * gap]
    regions = _parted(joined)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")[:MOST_PIECES]
    large = [n for n in order if sizes[n] > 0 and sizes[n] >= SMALLEST_SHARE * sizes[order[0]]]
    return [np.asarray(regions == n) for n in large]


def _parted(tissue: Mask) -> NDArray[np.int64]:
    """Number the regions, cut at their necks: watersheds of the distance to the glass.

    In the logarithm of that distance a depth is a ratio, so that one limit serves large and
    small pieces.
    """
    inside = distance_transform_edt(np.pad(tissue, 1))[1:-1, 1:-1]
    width = np.log(np.maximum(inside, 1.0)).astype(np.float32)
    peaks, _ = label(h_maxima(width, np.float32(-np.log(NECK))) & tissue)
    # Thin fragments without a peak of their own are regions too.
    rest, _ = label(tissue)
    lost = ~np.isin(rest, np.unique(rest[peaks > 0])) & tissue
    peaks = np.where(lost, rest + peaks.max(), peaks)
    return np.asarray(watershed(-width, peaks, mask=tissue), np.int64)


def with_rim(piece: Mask, tissue: Mask, rim: int) -> Mask:
    """Return a piece with the bare glass around it, whose shape tells as much as the tissue."""
    grown = binary_dilation(piece, iterations=rim)
    found: Mask = grown & ~(tissue & ~piece)
    return found


def distance_to(piece: Mask) -> NDArray[np.float32]:
    """Return how far each pixel is from the piece, in pixels; 0 inside."""
    return np.asarray(distance_transform_edt(~piece), np.float32)
