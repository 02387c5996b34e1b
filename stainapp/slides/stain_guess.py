"""A guess at a slide's stain from the colours of its tissue; shown as a guess, never more.

Judged in optical density, where a stain is a direction whatever its amount (Ruifrok and
Johnston 2001): haematoxylin (0.65, 0.70, 0.29), eosin (0.07, 0.99, 0.11), DAB (0.27, 0.57,
0.78), Schiff's magenta (0.18, 0.84, 0.51). The bounds were set on some twenty slides and fields.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.geometry import Rect
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.slides.tissue import Mask, is_dark_field, mask_of, optical_density, overview

UNKNOWN = "unknown"
"""Said of a damaged slide whose sound parts show no tissue."""

OVERVIEW_PX = 1024
"""Fine enough that single dark nuclei and marker-positive cells keep their own colour."""

LEAST_DENSITY = 0.2
"""Summed over the channels; paler pixels show the glass rather than a stain."""

LEAST_GREY_DENSITY = 0.6
"""A stained section scanned in grey is denser than an unstained one, which only scatters."""


def guess_stain(reader: SlideReader) -> str:
    """Return "H&E", "PAS", "DAB", "haematoxylin", "unstained", "grey", "fluorescence" or `UNKNOWN`.

    A made slide, such as the phantom, says itself what it is. What stands in for damaged
    parts is left out of the guess.
    """
    if "stain" in reader.info.properties:
        return reader.info.properties["stain"]
    image, downsample = overview(reader, OVERVIEW_PX)
    return stain_of(image, _outside(reader.damaged, image.shape[:2], downsample))


def stain_of(image: RgbImage, sound: Mask | None = None) -> str:
    """Guess from an overview, (H, W, 3) uint8.

    Args:
        image: the overview.
        sound: the pixels to go by, (H, W) bool; None for all.
    """
    sound = np.ones(image.shape[:2], bool) if sound is None else sound
    if not sound.any():
        return UNKNOWN
    if is_dark_field(image[sound][None]):
        return "fluorescence"
    tissue = image[mask_of(image) & sound]
    density = optical_density(tissue[None])[0]
    stained = density.sum(axis=1) > LEAST_DENSITY
    if stained.sum() < max(1, 0.1 * len(tissue)):
        return "unstained" if sound.all() else UNKNOWN
    colours = tissue[stained]
    if np.ptp(colours.astype(np.int16), axis=1).mean() < 5:
        return "grey" if density[stained].sum(axis=1).mean() > LEAST_GREY_DENSITY else "unstained"
    return _by_direction(_tints(density[stained]))


def _outside(damaged: Iterable[Rect], shape: tuple[int, int], downsample: float) -> Mask:
    """Return the overview's pixels, (H, W) bool, that no damaged part reaches into."""
    sound = np.ones(shape, bool)
    for rect in damaged:
        bad = rect.scaled(1 / downsample)
        rows = slice(math.floor(bad.y), math.ceil(bad.bottom))
        sound[rows, math.floor(bad.x) : math.ceil(bad.right)] = False
    return sound


@dataclass(frozen=True, slots=True)
class _Tints:
    """What the stain directions are told by; medians over pixels."""

    brown: float
    """Share of dense pixels that take out at least as much blue as anything else."""
    pink_pale: float
    """Green minus red of the unit density in the paler half: high for eosin and magenta."""
    pink_dense: float
    """The same in the densest pixels, which in H&E are nuclei and therefore bluer."""
    blue_pale: float
    """Red minus blue in the paler half: high for haematoxylin, below 0 for eosin and DAB."""


def _tints(density: NDArray[np.float32]) -> _Tints:
    total = density.sum(axis=1)
    red, green, blue = (density / np.linalg.norm(density, axis=1, keepdims=True)).T
    pale, dense = total <= np.percentile(total, 50), total >= np.percentile(total, 85)
    brown = (blue > green - 0.05) & (blue > red - 0.02) & (total > 0.8)
    return _Tints(
        brown=float(brown.mean()),
        pink_pale=float(np.median((green - red)[pale])),
        pink_dense=float(np.median((green - red)[dense])),
        blue_pale=float(np.median((red - blue)[pale])),
    )


def _by_direction(tints: _Tints) -> str:
    pinkish = tints.pink_pale > 0.17
    if tints.brown > (0.05 if pinkish else 3e-4):
        return "DAB"
    if not pinkish and tints.pink_dense < 0.25:
        return "haematoxylin"
    if tints.pink_pale < tints.pink_dense < 0.6 and tints.blue_pale < 0.27:
        return "PAS"
    return "H&E"
