"""Where on the moving slide a piece lies, turned by any angle and perhaps upside down.

The piece is turned in steps and correlated with the whole moving slide at once; normalised
cross-correlation under the piece's own outline, by Fourier transforms (Padfield, "Masked object
registration in the Fourier domain", IEEE Trans Image Process 21:2706-2718, 2012, equation 20 with
one mask).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import affine_transform

from stainapp.registration.transform import Matrix
from stainapp.registration.view import Density, View
from stainapp.slides.tissue import Mask

STEP_DEGREES = 5
APART_DEGREES = 20
"""Placings that differ by less are one."""


@dataclass(frozen=True, eq=False, slots=True)
class Placing:
    """A guess: the piece lies there on the moving slide."""

    score: float
    """Correlation of the densities, -1..1."""
    degrees: float
    mirrored: bool
    matrix: Matrix
    """(2, 3) fixed to moving, level-0 pixels."""


def placings(
    fixed: View, piece: Mask, moving: View, most: int, check: Callable[[], None]
) -> list[Placing]:
    """Return the best places for a piece, the best first.

    Args:
        fixed: the slide that the piece lies on.
        piece: (rows, columns) of ``fixed``; where it and its rim are.
        moving: the other slide, at the same working scale.
        most: how many to return.
        check: called often; raises to stop.
    """
    template = _Template(fixed.density, piece)
    slide = _Spectrum(moving.density, template.side)
    found = []
    for mirrored in (False, True):
        for degrees in range(0, 360, STEP_DEGREES):
            check()
            turn = _turn(degrees, mirrored=mirrored)
            score, centre = slide.best(*template.turned(turn))
            turn_px = turn * (moving.cell_px / fixed.cell_px)
            shift = (centre + 0.5) * moving.cell_px - turn_px @ (
                (template.centre + 0.5) * fixed.cell_px
            )
            found.append(Placing(score, degrees, mirrored, np.column_stack([turn_px, shift])))
    return _distinct(sorted(found, key=lambda one: -one.score), most)


class _Template:
    """A piece, cut out, with its centre; x before y."""

    def __init__(self, density: Density, piece: Mask) -> None:
        rows, columns = (np.flatnonzero(piece.any(axis=axis)) for axis in (1, 0))
        spot = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        self._weight = piece[spot].astype(np.float32)
        self._density = density[spot] * self._weight
        height, width = self._weight.shape
        self._middle = np.array([(width - 1) / 2, (height - 1) / 2])
        self.centre = self._middle + np.array([columns[0], rows[0]])
        self.side = int(np.ceil(np.hypot(width, height))) + 2

    def turned(self, turn: NDArray[np.float64]) -> tuple[Density, Density]:
        """Return density and weight after a turn, (side, side), the centre in the middle."""
        back = np.linalg.inv(turn)[::-1, ::-1]  # rows before columns
        middle = np.full(2, (self.side - 1) / 2)
        offset = self._middle[::-1] - back @ middle
        shape = (self.side, self.side)
        density, weight = (
            affine_transform(image, back, offset, output_shape=shape, order=1)
            for image in (self._density, self._weight)
        )
        return density, weight


class _Spectrum:
    """The moving slide, ready to be correlated with templates of one size."""

    def __init__(self, density: Density, side: int) -> None:
        self._shape = tuple(next_fast_len(n + side, real=True) for n in density.shape)
        self._reach = tuple(n + side - 1 for n in density.shape)
        self._side = side
        self._first = rfft2(density, self._shape)
        self._second = rfft2(density * density, self._shape)

    def best(self, density: Density, weight: Density) -> tuple[float, NDArray[np.float64]]:
        """Return the highest correlation, and where the template's middle then lies (x, y)."""
        total = max(float(weight.sum()), 1.0)
        # The density has been weighted once, by interpolation between inside and outside too.
        centred = density - weight * (density.sum() / total)
        norm = np.sqrt(max(float((centred * centred).sum()), 1e-12))
        mask = rfft2(weight, self._shape).conj()
        product = irfft2(self._first * rfft2(centred, self._shape).conj(), self._shape)
        mean = irfft2(self._first * mask, self._shape)
        square = irfft2(self._second * mask, self._shape)
        spread = square - mean * mean / total
        floor = 1e-3 * float(spread.max())
        score = product / (norm * np.sqrt(np.maximum(spread, floor)))
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        corner = np.array([self._signed(int(column), 1), self._signed(int(row), 0)])
        return float(score[row, column]), corner + (self._side - 1) / 2

    def _signed(self, place: int, axis: int) -> int:
        """Turn an index of the periodic result into the position of the template's corner."""
        length = self._shape[axis]
        return place - length if place > length - self._side else place


def _turn(degrees: float, *, mirrored: bool) -> NDArray[np.float64]:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([-1.0 if mirrored else 1.0, 1.0])


def _distinct(ordered: list[Placing], most: int) -> list[Placing]:
    kept: list[Placing] = []
    for one in ordered:
        if len(kept) < most and not any(_alike(one, other) for other in kept):
            kept.append(one)
    return kept


def _alike(one: Placing, other: Placing) -> bool:
    between = abs((one.degrees - other.degrees + 180) % 360 - 180)
    return one.mirrored == other.mirrored and between < APART_DEGREES
