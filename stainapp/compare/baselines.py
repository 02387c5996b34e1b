"""What a model has to beat: doing nothing, and colour mapped in closed form.

Each is fitted once to the stained pixels of the source's and the target's tiles, then maps
every pixel by itself and hands bare glass through, as the program does on a whole slide.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.blank import glass_of
from stainapp.compare.density import density
from stainapp.errors import StainAppError
from stainapp.models import normalisers
from stainapp.models.background import tissue_share, with_glass
from stainapp.models.optics import stained
from stainapp.slides.reader import RgbImage

Baseline = Callable[[RgbImage], RgbImage]
"""Tiles ``(N, H, W, 3)`` uint8 of the source -> the same shape, in the target's colours."""

_STEP = np.float32(np.log(10))


def fit_baselines(source: RgbImage, target: RgbImage) -> Mapping[str, Baseline]:
    """Fit all baselines: "untouched", "reinhard", "macenko" and "mean and deviation".

    Args:
        source: tissue tiles of the stain that is translated, ``(N, H, W, 3)`` uint8.
        target: tissue tiles of the stain to imitate, ``(M, H, W, 3)``; need not match.

    Raises:
        ModelError: the tiles show too little tissue.
        StainAppError: there are no tiles.
    """
    for tiles in (source, target):
        if tiles.ndim != 4 or not len(tiles):
            raise StainAppError("There are no tiles to fit colours to; choose regions of tissue.")
    glass = glass_of(source)
    mapped = {
        "reinhard": _normaliser("reinhard", source, target),
        "macenko": _normaliser("macenko", source, target),
        "mean and deviation": mean_and_deviation(source, target),
    }
    return {"untouched": untouched} | {
        name: keeping_glass(baseline, glass) for name, baseline in mapped.items()
    }


def untouched(tiles: RgbImage) -> RgbImage:
    """Return the source as it is: what any figure must be set beside."""
    return tiles


def mean_and_deviation(source: RgbImage, target: RgbImage) -> Baseline:
    """Match mean and standard deviation of each channel's optical density in stained pixels.

    Args:
        source: ``(N, H, W, 3)`` uint8.
        target: ``(M, H, W, 3)`` uint8.

    Raises:
        StainAppError: nothing is stained.
    """
    (mean, spread), (goal, width) = _moments(source), _moments(target)
    gain = width / np.maximum(spread, 1e-3)
    values = density(np.arange(256, dtype=np.uint8))
    tables = [
        _intensity(values * gain[channel] + (goal[channel] - gain[channel] * mean[channel]))
        for channel in range(3)
    ]
    return lambda tiles: np.stack([tables[c][tiles[..., c]] for c in range(3)], axis=-1)


def keeping_glass(baseline: Baseline, glass: tuple[int, int, int]) -> Baseline:
    """Hand bare glass through, as the program does for its models; else it would be tinted."""

    def run(tiles: RgbImage) -> RgbImage:
        mapped = baseline(tiles)
        pairs = zip(mapped, tiles, strict=True)
        return np.stack([with_glass(new, old, tissue_share(old, glass)) for new, old in pairs])

    return run


def _normaliser(kind: str, source: RgbImage, target: RgbImage) -> Baseline:
    reference = {key: value.tolist() for key, value in normalisers.fit(kind, target, {}).items()}
    arrays = normalisers.fit(kind, source, reference)
    return lambda tiles: normalisers.apply(kind, tiles, arrays, reference)


def _moments(tiles: RgbImage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each channel's density in the stained pixels."""
    pixels = tiles.reshape(-1, 3)
    pixels = pixels[stained(pixels, every_channel=False)]
    if not len(pixels):
        raise StainAppError("Nothing is stained in these tiles; choose regions of tissue.")
    values = density(np.arange(256, dtype=np.uint8)).astype(np.float64)
    shares = np.stack([np.bincount(pixels[:, c], minlength=256) for c in range(3)]) / len(pixels)
    means = shares @ values
    spreads = np.sqrt(np.maximum(shares @ values**2 - means**2, 0))
    return means.astype(np.float32), spreads.astype(np.float32)


def _intensity(value: NDArray[np.float32]) -> NDArray[np.uint8]:
    intensity: NDArray[np.uint8] = np.clip(np.rint(255 * np.exp(-_STEP * value)), 0, 255).astype(
        np.uint8
    )
    return intensity
