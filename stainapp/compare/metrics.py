"""How alike two pictures of the same place are, at the scale they come in: never resized."""

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.metrics import structural_similarity

from stainapp.compare.density import amounts
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

MOST_PSNR = 100.0
"""Decibels given to equal pictures, so that means stay finite and JSON can hold them.

One value of a 256 px tile that is off by one grey level already gives 101 dB.
"""
LEAST_SSIM_PX = 11
"""Side of the Gaussian window of SSIM."""
LEAST_MS_SSIM_PX = 176
"""So that an 11 px window fits into the fifth scale, a sixteenth of the side."""


def psnr(reference: RgbImage, other: RgbImage) -> float:
    """Return the peak signal-to-noise ratio in dB over all pixels and channels.

    ``10 * log10(255**2 / mean squared difference)``, at most `MOST_PSNR`.

    Args:
        reference: ``(H, W, 3)`` uint8.
        other: the same shape.

    Raises:
        StainAppError: the shapes differ.
    """
    check(reference, other)
    difference = reference.astype(np.float64) - other
    return float(decibels(np.mean(difference * difference)))


def decibels(error: ArrayLike) -> NDArray[np.float64]:
    """Return the PSNR of mean squared errors of 8-bit values, at most `MOST_PSNR`."""
    least = 255.0**2 / 10 ** (MOST_PSNR / 10)
    return np.asarray(10 * np.log10(255.0**2 / np.maximum(error, least)))


def ssim(reference: RgbImage, other: RgbImage) -> float:
    """Return the structural similarity, -1..1, the mean of three channels and all pixels.

    Wang et al., IEEE Trans Image Process 13:600-612 (2004), with their Gaussian window of
    sigma 1.5 and population covariance, as scikit-image computes it.

    Args:
        reference: ``(H, W, 3)`` uint8, at least 11 px a side.
        other: the same shape.

    Raises:
        StainAppError: the shapes differ, or the pictures are smaller than the window.
    """
    return float(_similarity(reference, other, full=False))


def ssim_map(reference: RgbImage, other: RgbImage) -> NDArray[np.float32]:
    """Return the structural similarity around each pixel, ``(H, W)``, the mean of the channels.

    As `ssim`, whose value is its mean over all but a border of 5 px, where the window reaches
    beyond the picture.
    """
    return np.asarray(_similarity(reference, other, full=True)[1].mean(axis=2), np.float32)


def _similarity(reference: RgbImage, other: RgbImage, *, full: bool) -> Any:
    check(reference, other)
    if min(reference.shape[:2]) < LEAST_SSIM_PX:
        raise StainAppError(
            f"SSIM needs pictures of at least {LEAST_SSIM_PX} px, not "
            f"{reference.shape[1]} x {reference.shape[0]}; compare larger tiles."
        )
    return cast("Any", structural_similarity)(
        reference,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=255,
        full=full,
    )


def ms_ssim(reference: RgbImage, other: RgbImage) -> float | None:
    """Return the structural similarity over five scales, 0..1; None below 176 px a side.

    Wang, Simoncelli & Bovik, Asilomar Conf 2003, as torchmetrics computes it. Smaller
    pictures have no fifth scale, and fewer scales would be another measure.

    Args:
        reference: ``(H, W, 3)`` uint8.
        other: the same shape.

    Raises:
        StainAppError: the shapes differ.
    """
    check(reference, other)
    if min(reference.shape[:2]) < LEAST_MS_SSIM_PX:
        return None
    import torch
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure as measure,
    )

    first, second = (
        torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        for image in (reference, other)
    )
    # Scales that look opposite would take a root of a negative number without the rectifier.
    return float(measure(first, second, data_range=255.0, normalize="relu"))


def density_error(reference: RgbImage, other: RgbImage, stain: str) -> dict[str, float]:
    """Return the mean absolute difference of each dye's amount, in optical density.

    Args:
        reference: ``(H, W, 3)`` uint8.
        other: the same shape.
        stain: what both are stained with: "H&E", "PAS" or "DAB".

    Raises:
        StainAppError: the shapes differ, or the stain's dyes are not known.
    """
    check(reference, other)
    ours, theirs = amounts(reference, stain), amounts(other, stain)
    return {dye: float(np.abs(ours[dye] - theirs[dye]).mean()) for dye in ours}


def check(reference: RgbImage, other: RgbImage) -> None:
    """Refuse pictures that do not show the same pixels.

    Raises:
        StainAppError: the shapes differ, are not ``(H, W, 3)``, or the values are not uint8.
    """
    for image in (reference, other):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise StainAppError(
                f"A picture of shape {image.shape} and type {image.dtype} cannot be measured; "
                "give 8-bit RGB."
            )
    if reference.shape != other.shape:
        sizes = " and ".join(f"{i.shape[1]} x {i.shape[0]}" for i in (reference, other))
        raise StainAppError(
            f"Pictures of {sizes} px show different pixels; cut both from the same place."
        )
