"""Noise that belongs to a place on the slide: the same whichever tile it is asked for with.

A hash of the pixel's place, the step and the seed, and no generator that runs along: tiles
that overlap agree, and a view repeats. In whole numbers up to a table, so that every device
draws the same bits.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BITS = 16
"""Of one draw: four fit into a hash, of which three channels take one each."""


def place_noise(
    at: NDArray[np.int64], height: int, width: int, *, step: int, seed: int, device: str = "cpu"
) -> Tensor:
    """Return standard Gaussian noise, ``(N, 3, height, width)`` float32.

    Args:
        at: ``(N, 2)`` column and row of each tile's first pixel, counted from the slide's
            corner; they may be negative.
        height: of the tiles, in pixels.
        width: likewise.
        step: tells the draws of one place apart.
        seed: gives other noise everywhere.
        device: where it is made.
    """
    key = _mixed(_mixed(torch.tensor(seed, dtype=torch.int64)) + step).to(device)
    origins = torch.from_numpy(np.asarray(at, np.int64)).to(device)
    columns = (origins[:, :1] + torch.arange(width, device=device)) & 0xFFFFFFFF
    rows = origins[:, 1:] + torch.arange(height, device=device)
    counter = (rows[:, :, None] << 32) | columns[:, None, :]  # one for each pixel of a slide
    drawn = _mixed(counter * _signed(0x9E3779B97F4A7C15) + key)
    index = torch.stack([(drawn >> BITS * n) & ((1 << BITS) - 1) for n in range(3)], dim=1)
    return _quantiles().to(device)[index]


def _mixed(x: Tensor) -> Tensor:
    """Return a hash of each int64: the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ _shifted(x, shift)) * _signed(factor)
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """Shift right as unsigned numbers are."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


@lru_cache(maxsize=1)
def _quantiles() -> Tensor:
    """Return the Gaussian's value for each draw: equally likely ones, of variance 1."""
    share = (torch.arange(1 << BITS, dtype=torch.float64) + 0.5) / (1 << BITS)
    values = torch.special.ndtri(share)
    quantiles: Tensor = values / values.square().mean().sqrt()
    return quantiles.float()
