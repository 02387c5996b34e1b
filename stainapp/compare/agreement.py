"""Whether two pictures of one place hold the same nuclei."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from stainapp.compare.nuclei import Labels
from stainapp.errors import StainAppError

WITHIN_UM = 3.0
"""Centres farther apart than half a nucleus are two nuclei."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of one place, which add up over several."""

    matched: int
    """Nuclei found in both pictures; ``first`` and ``second``: in each."""
    first: int
    second: int
    shared_px: int
    """Pixels inside nuclei in both; ``inside_px``: in the one plus in the other."""
    inside_px: int
    overlap_px: int
    """Overlap of each nucleus of the first with the one of the second that fits it best;
    ``union_px``: their unions, and what nobody fits."""
    union_px: int

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where neither picture has nuclei."""
        return _share(2 * self.matched, self.first + self.second)

    @property
    def dice(self) -> float:
        """Shared area, ``2 |A and B| / (|A| + |B|)``; 1 where neither has any."""
        return _share(2 * self.shared_px, self.inside_px)

    @property
    def aji(self) -> float:
        """Aggregated Jaccard index, 0..1, the first being the reference; 1 where neither has any.

        Kumar et al., IEEE Trans Med Imaging 36:1550-1560 (2017), algorithm 1. It falls where
        nuclei are missed, merged or split, which Dice does not see.
        """
        return _share(self.overlap_px, self.union_px)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


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
    both = _shared(first, second)
    return Agreement(
        len(matches(ours, theirs, within_um / mpp)[0]),
        len(ours),
        len(theirs),
        int(both[1:, 1:].sum()),
        int(both[1:].sum() + both[:, 1:].sum()),
        *_jaccard(both),
    )


def _shared(first: Labels, second: Labels) -> NDArray[np.int64]:
    """Return the pixels that each pair of nuclei shares; row and column 0 are what is none."""
    places, counts = [], []
    for labels in (first, second):
        # With a 0 before all, none is row 0 even where nuclei fill the picture.
        found, place = np.unique(np.concatenate([[0], labels.ravel()]), return_inverse=True)
        places.append(place[1:])
        counts.append(len(found))
    pairs = np.bincount(places[0] * counts[1] + places[1], minlength=counts[0] * counts[1])
    return pairs.reshape(counts)


def _jaccard(both: NDArray[np.int64]) -> tuple[int, int]:
    """Return the overlap and the union that Kumar's index is the quotient of."""
    ours, theirs, common = both.sum(axis=1)[1:], both.sum(axis=0)[1:], both[1:, 1:]
    if not common.size:
        return 0, int(ours.sum() + theirs.sum())
    union = ours[:, None] + theirs[None] - common
    best = (common / union).argmax(axis=1)
    rows = np.arange(len(ours))
    met = common[rows, best] > 0
    overlap = common[rows, best].sum()
    joint = np.where(met, union[rows, best], ours).sum()
    unused = np.setdiff1d(np.arange(len(theirs)), best[met])
    return int(overlap), int(joint + theirs[unused].sum())


def centres(labels: Labels) -> NDArray[np.float64]:
    """Return row and column of each nucleus's centre of mass, ``(N, 2)``."""
    numbers = np.unique(labels)
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return np.empty((0, 2))
    return np.asarray(ndimage.center_of_mass(labels > 0, labels, numbers)).reshape(-1, 2)


def matches(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], within_px: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of ours ``(N, 2)`` is which of theirs ``(M, 2)``, as two lists of indices.

    As many as possible find a partner, and of these ways the one with the least distances.
    """
    if not len(ours) or not len(theirs):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    apart = np.hypot(*(ours[:, None] - theirs[None]).transpose(2, 0, 1))
    # One impossible match must cost more than all possible ones together.
    cost = np.where(apart <= within_px, apart, (within_px + 1) * (1 + min(apart.shape)))
    rows, columns = optimize.linear_sum_assignment(cost)
    near = apart[rows, columns] <= within_px
    return rows[near], columns[near]
