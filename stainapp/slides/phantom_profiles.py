"""What stands in the phantom's tissue on average: by depth, and across a round structure."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stainapp.slides import phantom_tissue as anatomy
from stainapp.slides.phantom_texture import Map, stamps

STAMPED = 4
"""Coarsest downsample at which single nuclei are drawn."""
DRAWN = 16
"""Coarsest downsample at which single crypts are drawn."""
_NUCLEUS_OD = 0.62
"""Green optical density of a typical nucleus: light lost to it where it covers a pixel."""


@cache
def depth_profile(mpp: float, downsample: int) -> tuple[float, Map]:
    """Return the first depth, and rows mean, gain, blue, nuclei, mucin, membrane from it on.

    Four columns to a micrometre; smoothed as far as a pixel of the level reaches.
    """
    m, s, w = anatomy.MUCOSA_UM, anatomy.SUBMUCOSA_UM, anatomy.MUSCLE_UM
    start_um = -8.0 - mpp * downsample
    depth = np.arange(start_um, w + 80, 0.25)
    knots = [-0.7, 0.7, 3, 4, 16, 22, m - 5, m + 5, s - 6, s + 12, w - 30, w + 30]
    mean = [0, 0.55, 0.6, 0.5, 0.5, 0.40, 0.40, 0.85, 0.85, 0.46, 0.46, 0.86]
    gain = [0, 0, 0, 0.02, 0.02, 0.14, 0.14, 0.13, 0.13, 0.34, 0.34, 0.15]
    blue = [0, 0.1, 0.1, 0.35, 0.35, 0.12, 0.10, 0.03, 0.03, 0.02, 0.02, 0.03]
    rows = [np.interp(depth, knots, values) for values in (mean, gain, blue)]
    rows += [np.zeros_like(depth)] * 3
    if downsample > DRAWN:
        rows = _with_means(rows, depth, mpp)
    profile = np.stack(rows)
    width = max(int(4 * 0.7 * mpp * downsample), 1)
    if downsample > 1:
        profile = np.stack([np.convolve(row, np.ones(width) / width, "same") for row in profile])
        profile[:, -width:] = profile[:, -width - 1 : -width]
    return start_um, profile.astype(np.float32)


def _with_means(
    rows: list[NDArray[np.float64]], depth: NDArray[np.float64], mpp: float
) -> list[NDArray[np.float64]]:
    """Put the mean of nuclei and of crypts in place of the single ones."""
    area = 0.97 * np.pi * 38.5**2 / (anatomy.ROUND_PITCH_UM**2 * np.sqrt(3) / 2)
    share = area * ((depth > 52) & (depth < anatomy.MUCOSA_UM - 38))
    rho = np.linspace(0, 1, 512)
    table = round_profile(anatomy.CRYPT, 64)
    crypt = [np.trapezoid(2 * rho * np.interp(rho, RHO, row), rho) for row in table]
    mass = np.mean([stamp.sum() for stamp in stamps("nucleus", mpp)[anatomy.OVAL]]) * mpp**2
    covered = anatomy.occupancy(depth) * mass / anatomy.NUCLEUS_PITCH_UM**2
    outside = 1 - share
    return [
        rows[0] * outside + share * crypt[1],
        rows[1] * outside,
        rows[2] * outside + share * crypt[2],
        seen(covered) * outside + share * crypt[3],
        share * crypt[4],
        share * crypt[5],
    ]


def seen(covered: NDArray[Any]) -> NDArray[Any]:
    """Amount that dims the light as much as nuclei do that cover only a part of a pixel."""
    lost = np.minimum(covered, 0.98) * (1 - 10**-_NUCLEUS_OD)
    amount: NDArray[Any] = -np.log10(1 - lost) / _NUCLEUS_OD
    return amount


RHO = np.linspace(0, 1.3, 400)
"""Distances from a round structure's centre at which its profile is tabulated, in radii."""


@cache
def round_profile(kind: int, downsample: int) -> Map:
    """Rows covered, cytoplasm, blue, nuclei, mucin, membrane, blood over `RHO`."""
    knots, values = _PROFILES[kind]
    rows = np.stack([np.interp(RHO, np.array(knots), np.array(row)) for row in values])
    if kind == anatomy.CRYPT and downsample > STAMPED:
        rows[3] = 0.62 * np.interp(RHO, [0.68, 0.76, 0.92, 1.0], [0, 1, 1, 0])
        rows[4] += 0.55 * np.interp(RHO, [0.3, 0.42, 0.66, 0.78], [0, 1, 1, 0])
        rows[1] *= 1 - 0.3 * np.interp(RHO, [0.3, 0.42, 0.66, 0.78], [0, 1, 1, 0])
    width = max(int(0.5 * downsample / 38 / (RHO[1] - RHO[0])), 1)
    if width > 1:
        padded = np.pad(rows, ((0, 0), (width, width)), mode="edge")
        kernel = np.ones(width) / width
        rows = np.stack([np.convolve(row, kernel, "same") for row in padded])[:, width:-width]
    rows[:, -1] = 0
    return rows.astype(np.float32)


_PROFILES: Mapping[int, tuple[list[float], list[list[float]]]] = {
    anatomy.CRYPT: (
        [0, 0.10, 0.14, 0.19, 0.24, 0.40, 0.75, 0.965, 0.985, 1.02, 1.05, 1.09, 1.3],
        [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.6, 0, 0],
         [0.03, 0.03, 0.06, 0.75, 0.60, 0.52, 0.56, 0.58, 0.25, 0.22, 0.1, 0, 0],
         [0.02, 0.02, 0.02, 0.20, 0.25, 0.28, 0.40, 0.45, 0.1, 0, 0, 0, 0],
         [0] * 13,
         [0.20, 0.25, 0.35, 0.50, 0.10, 0.02, 0, 0, 0, 0, 0, 0, 0],
         [0, 0, 0, 0, 0, 0, 0, 0, 0.6, 1.0, 0.7, 0, 0],
         [0] * 13],
    ),
    anatomy.VESSEL: (
        [0, 0.5, 0.60, 0.64, 0.70, 1.0, 1.06, 1.3],
        [[1, 1, 1, 1, 1, 1, 0, 0], [0.02, 0.02, 0.02, 0.6, 0.8, 0.75, 0.1, 0],
         [0, 0, 0, 0.5, 0.05, 0.02, 0, 0], [0] * 8, [0] * 8,
         [0, 0, 0, 0.5, 0.1, 0.1, 0, 0], [0.9, 0.85, 0.3, 0, 0, 0, 0, 0]],
    ),
    anatomy.FAT: (
        [0, 0.94, 0.97, 1.0, 1.03, 1.07, 1.3],
        [[1, 1, 1, 1, 0.5, 0, 0], [0.0, 0.0, 0.25, 0.5, 0.2, 0, 0], [0] * 7, [0] * 7, [0] * 7,
         [0, 0, 0.1, 0.15, 0, 0, 0], [0] * 7],
    ),
}  # fmt: skip
