"""How far apart two slides lie in a region, and what is not to be read there for it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stainapp.compare.agreement import WITHIN_UM
from stainapp.compare.pair import ErrorAt
from stainapp.compare.region_grid import Piece

Rests = Literal["place", "region", "nothing"]
"""What of the registration a measure needs: each place in its place, the region as a whole, or
nothing, where both pictures come from one slide."""

NUCLEUS_RADIUS_UM = WITHIN_UM
"""Farther apart, a pixel of a nucleus is set beside one of its surroundings.

Nuclei are some 6 um across (Alberts et al., Molecular Biology of the Cell, chapter 4), so that
this is also how far apart the centres of one nucleus in two pictures may be.
"""
MOST_EXCHANGED = 0.1
"""Error, in sides of a square of the region's area, from which what is summed up over the region
is no longer to be read: some tenth of what the one sum is over then lies outside the other."""
APART_UM = 16.0
"""Between two points at which the error is asked for."""


@dataclass(frozen=True, slots=True)
class ErrorThere:
    """The registration error in a region."""

    asked: bool
    """Whether there is an estimate at all: not where both slides are said to lie in one frame."""
    mean_um: float | None = None
    """Over the points where it is known; None where it is known at less than half of them."""
    greatest_um: float | None = None

    def why_not(self, rests_on: Rests, area_mm2: float) -> str:
        """Return why a measure is not to be read there; empty where it may be.

        Args:
            rests_on: what of the registration the measure needs.
            area_mm2: of the region.
        """
        if not self.asked or rests_on == "nothing":
            return ""
        if self.mean_um is None:
            return "how well the slides lie on each other is not known here"
        said = f"the slides lie {self.mean_um:.1f} um apart here"
        if rests_on == "place" and self.mean_um > NUCLEUS_RADIUS_UM:
            return f"{said}, more than a nucleus' radius of {NUCLEUS_RADIUS_UM:g} um"
        if rests_on == "region" and self.mean_um > MOST_EXCHANGED * math.sqrt(area_mm2) * 1000:
            return f"{said}, more than a tenth of the region's side"
        return ""


class ErrorTally:
    """Asks for the error piece by piece."""

    def __init__(self, error_um: ErrorAt | None, mpp: float) -> None:
        self._error_um = error_um
        self._apart_px = max(1, round(APART_UM / mpp))
        self._points = self._known = 0
        self._sum = self._greatest = 0.0

    def add(self, piece: Piece, step: float) -> None:
        """Look at a piece of a grid with so many level-0 pixels per pixel."""
        if self._error_um is None:
            return
        found = self._error_um(piece.points(step, self._apart_px))
        known = found[np.isfinite(found)]
        self._points += len(found)
        self._known += len(known)
        self._sum += float(known.sum())
        self._greatest = max(self._greatest, float(known.max(initial=0)))

    @property
    def found(self) -> ErrorThere:
        if self._error_um is None:
            return ErrorThere(asked=False)
        if 2 * self._known < max(1, self._points):
            return ErrorThere(asked=True)
        return ErrorThere(True, self._sum / self._known, self._greatest)


def mean_of(errors: list[ErrorThere], weights: list[int]) -> float | None:
    """Return the mean error of several regions; None where it is known of none."""
    known = [(e.mean_um, w) for e, w in zip(errors, weights, strict=True) if e.mean_um is not None]
    if not known:
        return None
    return sum(error * weight for error, weight in known) / sum(weight for _, weight in known)
