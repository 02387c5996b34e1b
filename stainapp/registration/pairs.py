"""Landmarks while a person places them: pairs of points, some of them still half or only proposed.

Values that never change: each edit returns new pairs, so that undoing is keeping the old ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from stainapp.registration.grid import Points

Side = Literal["fixed", "moving"]
Place = tuple[float, float]
"""x, y in level-0 pixels."""
SIDES: tuple[Side, Side] = ("fixed", "moving")


@dataclass(frozen=True, slots=True)
class Pair:
    """The same place on both slides."""

    number: int
    """What it is called; kept when others are removed."""
    fixed: Place | None = None
    moving: Place | None = None
    proposed: Side | None = None
    """The side whose point a transform has put there, and nobody has yet looked at."""

    @property
    def whole(self) -> bool:
        """Whether both points are there and both were placed by a person."""
        return self.fixed is not None and self.moving is not None and self.proposed is None

    @property
    def missing(self) -> Side | None:
        """The side whose point is still to be placed."""
        return next((side for side in SIDES if self.at(side) is None), None)

    def at(self, side: Side) -> Place | None:
        return self.fixed if side == "fixed" else self.moving

    def put(self, side: Side, place: Place) -> "Pair":
        """Return the pair with a person's point on that side."""
        proposed = None if self.proposed == side else self.proposed
        if side == "fixed":
            return replace(self, fixed=place, proposed=proposed)
        return replace(self, moving=place, proposed=proposed)


Pairs = tuple[Pair, ...]


def other(side: Side) -> Side:
    return "moving" if side == "fixed" else "fixed"


def numbered(pairs: Pairs, number: int | None) -> Pair | None:
    """Return the pair of that number."""
    return next((pair for pair in pairs if pair.number == number), None)


def half_placed(pairs: Pairs) -> Pair | None:
    """Return the pair that waits for its second point, the newest of several."""
    return next((pair for pair in reversed(pairs) if pair.missing is not None), None)


def placed(pairs: Pairs, side: Side, place: Place, partner: Place | None = None) -> Pairs:
    """Put a point where somebody clicked: the partner that was missing, or a new pair.

    Args:
        pairs: as they are.
        side: where the click was.
        place: the point.
        partner: where a transform expects it on the other slide; it becomes a proposal.
    """
    half = next((pair for pair in reversed(pairs) if pair.missing == side), None)
    if half is not None:
        return changed(pairs, half.put(side, place))
    number = max((pair.number for pair in pairs), default=0) + 1
    pair = Pair(number).put(side, place)
    if partner is not None:
        pair = replace(pair.put(other(side), partner), proposed=other(side))
    return (*pairs, pair)


def changed(pairs: Pairs, pair: Pair) -> Pairs:
    """Put a pair in place of the one with its number."""
    return tuple(pair if one.number == pair.number else one for one in pairs)


def without(pairs: Pairs, number: int) -> Pairs:
    return tuple(pair for pair in pairs if pair.number != number)


def whole(pairs: Iterable[Pair]) -> Pairs:
    """Return the pairs that count: nothing is fitted to a proposal or to half a pair."""
    return tuple(pair for pair in pairs if pair.whole)


def points_of(pairs: Pairs) -> tuple[Points, Points]:
    """Return the points of whole pairs on the fixed and on the moving slide, each (N, 2)."""
    found = whole(pairs)
    fixed = [pair.fixed for pair in found if pair.fixed is not None]
    moving = [pair.moving for pair in found if pair.moving is not None]
    return (
        np.array(fixed, np.float64).reshape(-1, 2),
        np.array(moving, np.float64).reshape(-1, 2),
    )
