"""Whether two pictures of one place hold the same nuclei."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from stainapp.compare.nuclei import Labels
from stainapp.errors import StainAppError

WITHIN_UM = 3.0
"""Centres farther apart than half a nucleus are two nuclei."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Nuclei found in both pictures, and in each."""

    matched: int
    first: int
    second: int
    dice: float
    """Shared area, ``2 |A and B| / (|A| + |B|)``; 1 where neither has any."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where neither picture has nuclei."""
        both = self.first + self.second
        return 2 * self.matched / both if both else 1.0


def agreement(first: Labels, second: Labels, mpp: float, within_um: float = WITHIN_UM) -> Agreement:
    """Match nuclei one to one by their centres, so that as many as possible find a partner.

    Args:
        first: ``(H, W)``, 0 is none, as `nuclei` gives them.
        second: the same shape.
        mpp: micrometres per pixel.
        within_um: centres that are farther apart are never matched.

    Raises:
        StainAppError: the shapes differ.
    """
    if first.shape != second.shape:
        raise StainAppError(
            f"Nuclei in pictures of {first.shape} and {second.shape} cannot be matched; "
            "cut both from the same place."
        )
    ours, theirs = centres(first), centres(second)
    inside, there = first > 0, second > 0
    area = int(inside.sum() + there.sum())
    dice = 2 * int((inside & there).sum()) / area if area else 1.0
    return Agreement(_matches(ours, theirs, within_um / mpp), len(ours), len(theirs), dice)


def centres(labels: Labels) -> NDArray[np.float64]:
    """Return row and column of each nucleus's centre of mass, ``(N, 2)``."""
    numbers = np.unique(labels)
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return np.empty((0, 2))
    return np.asarray(ndimage.center_of_mass(labels > 0, labels, numbers)).reshape(-1, 2)


def _matches(ours: NDArray[np.float64], theirs: NDArray[np.float64], within_px: float) -> int:
    if not len(ours) or not len(theirs):
        return 0
    apart = np.hypot(*(ours[:, None] - theirs[None]).transpose(2, 0, 1))
    # One impossible match must cost more than all possible ones together.
    cost = np.where(apart <= within_px, apart, (within_px + 1) * (1 + min(apart.shape)))
    rows, columns = optimize.linear_sum_assignment(cost)
    return int((apart[rows, columns] <= within_px).sum())
