"""How far apart the same details of two readers in one frame lie: an eye that registration lacks.

Keypoints (SIFT, as scikit-image has it) in fields of tissue at a scale several times finer than
registration looks at. A field counts where a rigid map of the field explains enough matches.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.feature import SIFT, match_descriptors
from skimage.measure import ransac
from skimage.transform import EuclideanTransform

from stainapp.registration.view import RED, Density, normalised
from stainapp.slides.reader import SlideReader
from stainapp.slides.tissue import tissue_mask

UM_PER_PX = 2.0
SIDE_PX = 512
FARTHEST_UM = 150.0
"""A detail is sought up to here: by chance alone the median would lie at 100."""
WITHIN_PX = 3.0
FEWEST = 8
MOST_ALIKE = 0.85
"""Distance of a descriptor's best match over that of its second best."""


def field_errors_um(
    first: SlideReader, second: SlideReader, count: int, seed: int = 0
) -> Iterator[float]:
    """Yield the median distance of matched details, for each of ``count`` fields that has some."""
    mask, downsample = tissue_mask(first)
    places = np.argwhere(mask)
    for row, column in np.random.default_rng(seed).permutation(places)[:count]:
        middle = (column + 0.5) * downsample, (row + 0.5) * downsample
        here, there = (_details(_field(reader, middle)) for reader in (first, second))
        if here is not None and there is not None:
            apart = _agreeing(here, there)
            if apart is not None:
                yield float(np.median(apart)) * UM_PER_PX


def _field(reader: SlideReader, middle: tuple[float, float]) -> Density:
    mpp = reader.info.mpp
    assert mpp is not None
    wanted = UM_PER_PX / mpp
    number = reader.info.level_for_downsample(wanted)
    level = reader.info.levels[number]
    side = round(SIDE_PX * wanted / level.downsample)
    x, y = (round(m - SIDE_PX * wanted / 2) for m in middle)
    pixels = reader.read(x, y, number, side, side)[..., RED]
    small = Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return normalised(-np.log10((np.asarray(small, np.float32) + 1) / 256), 20.0)


def _details(field: Density) -> tuple[NDArray[np.int64], NDArray[np.uint8]] | None:
    sift = SIFT(n_octaves=3, upsampling=1)
    try:
        sift.detect_and_extract((field - field.min()) / max(float(np.ptp(field)), 1e-6))
    except RuntimeError:  # there is none
        return None
    return sift.keypoints, sift.descriptors


def _agreeing(
    first: tuple[NDArray[np.int64], NDArray[np.uint8]],
    second: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> NDArray[np.float64] | None:
    """Return how far those matches are apart, in pixels, that one rigid map explains."""
    pairs = match_descriptors(first[1], second[1], max_ratio=MOST_ALIKE, cross_check=True)
    here, there = first[0][pairs[:, 0]].astype(float), second[0][pairs[:, 1]].astype(float)
    near = np.hypot(*(here - there).T) < FARTHEST_UM / UM_PER_PX
    here, there = here[near], there[near]
    if len(here) < FEWEST:
        return None
    _, fits = ransac((here, there), EuclideanTransform, 3, WITHIN_PX, max_trials=400, rng=0)
    if fits is None or fits.sum() < FEWEST:
        return None
    apart: NDArray[np.float64] = np.hypot(*(here - there)[fits].T)
    return apart
