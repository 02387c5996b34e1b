"""Blocks of one picture sought in another: how far each lies from where it should, and how surely.

Normalised cross-correlation of small windows. Where two pictures show the same tissue,
neighbouring windows move alike; where they do not, each goes its own way. That needs no threshold
on the correlation, which stains and scanners change.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.spatial import cKDTree

from stainapp.registration.view import Density
from stainapp.slides.tissue import Mask

BLOCK = 32
"""Side of a block, in pixels of the view."""
REACH = 16
"""A block is sought up to this far from its place."""
LIKE = 4.0
"""Displacements that differ by no more are alike: 4 of 16 px, one in twenty by chance."""
NEIGHBOURS = 8
FEWEST = 5
BY_CHANCE = 0.1
"""Share of blocks that move like their neighbours where the pictures have nothing in common;
0.05 to 0.17 in pieces laid on other slides, or turned wrongly on their own."""
LEAST_TISSUE = 0.5
BATCH = 256


@dataclass(frozen=True, eq=False, slots=True)
class Blocks:
    """What was found for each block."""

    centres: NDArray[np.float64]
    """(N, 2) x, y in pixels of the view, where pixel 0 covers 0..1."""
    shifts: NDArray[np.float64]
    """(N, 2) from where the block is on the first picture to where it is on the second."""
    peaks: NDArray[np.float64]
    """(N,) correlation there, -1..1."""

    def alike(self) -> NDArray[np.bool_]:
        """Return which blocks moved like their neighbours, (N,)."""
        if len(self.centres) < FEWEST:
            return np.zeros(len(self.centres), bool)
        count = min(NEIGHBOURS, len(self.centres) - 1)
        _, near = cKDTree(self.centres).query(self.centres, count + 1)
        usual = np.median(self.shifts[near[:, 1:]], axis=1)
        # Where the other picture is empty nothing correlates, and all "moved" to the same corner.
        return np.asarray((np.hypot(*(self.shifts - usual).T) <= LIKE) & (self.peaks > 0))


def surety(blocks: Blocks) -> float:
    """Return by how many standard deviations more blocks move alike than would by chance.

    Blocks overlap by half, so that two count as one.
    """
    alike = blocks.alike()
    if len(alike) == 0:
        return 0.0
    deviation = np.sqrt(BY_CHANCE * (1 - BY_CHANCE) / (len(alike) / 2))
    return float((alike.mean() - BY_CHANCE) / deviation)


def match(
    first: Density, second: Density, where: Mask, *, step: int = BLOCK // 2, reach: int = REACH
) -> Blocks:
    """Find the blocks of one picture in another.

    Args:
        first: (rows, columns), locally normalised.
        second: the same shape, laid over the first.
        where: which places count; a block must be half full of them.
        step: pixels between blocks.
        reach: how far to seek.
    """
    centres = _places(where, step)
    if len(centres) == 0:
        return Blocks(np.empty((0, 2)), np.empty((0, 2)), np.empty(0))
    half = BLOCK // 2 + reach
    padded = [np.pad(image, half, mode="constant") for image in (first, second)]
    parts = [
        _found(padded[0], padded[1], centres[n : n + BATCH], reach)
        for n in range(0, len(centres), BATCH)
    ]
    shifts, peaks = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Blocks(centres.astype(np.float64), shifts, peaks)


def _places(where: Mask, step: int) -> NDArray[np.int64]:
    rows, columns = where.shape
    summed = np.pad(where.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    y, x = (n.ravel() for n in np.mgrid[step // 2 : rows : step, step // 2 : columns : step])
    top, left = np.maximum(y - BLOCK // 2, 0), np.maximum(x - BLOCK // 2, 0)
    bottom, right = np.minimum(y + BLOCK // 2, rows), np.minimum(x + BLOCK // 2, columns)
    full = summed[bottom, right] - summed[top, right] - summed[bottom, left] + summed[top, left]
    good = full >= LEAST_TISSUE * BLOCK * BLOCK
    return np.stack([x[good], y[good]], axis=1)


def _found(
    first: Density, second: Density, centres: NDArray[np.int64], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate each block with the larger block around its place on the other picture."""
    side = BLOCK + 2 * reach
    windows = np.lib.stride_tricks.sliding_window_view
    x, y = centres.T  # in padded pixels the corner of the large window
    large = windows(second, (side, side))[y, x]
    small = windows(first, (BLOCK, BLOCK))[y + reach, x + reach]
    small = small - small.mean(axis=(1, 2), keepdims=True)
    size = (side, side)
    product = irfft2(rfft2(large) * rfft2(small, size).conj(), size)
    product = product[:, : 2 * reach + 1, : 2 * reach + 1]
    spread = _spread(large)
    norm = np.sqrt((small * small).sum(axis=(1, 2)))[:, None, None]
    floor = 1e-3 * BLOCK * BLOCK
    score = product / np.sqrt(np.maximum(spread, floor)) / np.maximum(norm, 1e-6)
    return _peaks(score, reach)


def _spread(large: Density) -> NDArray[np.float64]:
    """Return the summed squared deviation within each position of a block."""
    sums = [
        np.pad(image.cumsum(1, dtype=np.float64).cumsum(2), ((0, 0), (1, 0), (1, 0)))
        for image in (large, large * large)
    ]
    total, square = (
        s[:, BLOCK:, BLOCK:]
        - s[:, :-BLOCK, BLOCK:]
        - s[:, BLOCK:, :-BLOCK]
        + s[:, :-BLOCK, :-BLOCK]
        for s in sums
    )
    return np.asarray(square - total * total / (BLOCK * BLOCK))


def _peaks(
    score: NDArray[np.float64], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each correlation is highest, to a fraction of a pixel by a parabola."""
    count, side = len(score), 2 * reach + 1
    best = score.reshape(count, -1).argmax(axis=1)
    row, column, n = best // side, best % side, np.arange(count)
    peak = score[n, row, column]
    r, c = row.clip(1, side - 2), column.clip(1, side - 2)
    dy = _vertex(score[n, r - 1, c], score[n, r, c], score[n, r + 1, c])
    dx = _vertex(score[n, r, c - 1], score[n, r, c], score[n, r, c + 1])
    inside = (row == r) & (column == c)
    shifts = np.stack([column + dx * inside, row + dy * inside], axis=1) - reach
    return shifts, peak


def _vertex(
    before: NDArray[np.float64], here: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    bend = np.minimum(before + after - 2 * here, -1e-6)
    return np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
