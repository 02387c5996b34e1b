"""Whether two ways of measuring one quantity agree: Bland and Altman's limits of agreement.

Bland & Altman, Lancet 327:307-310 (1986); the exact variance of a limit as in their Stat Methods
Med Res 8:135-160 (1999), section 2.1. Each pair of values is to be independent of the others,
which regions are and pieces of one region are not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stainapp.compare.comparison import Comparison
from stainapp.compare.region_figures import ALL
from stainapp.errors import StainAppError

Values = NDArray[np.float64]

WITHIN = 1.96
"""Standard deviations within which 95 of 100 differences lie, if they are normal."""
LEAST_PAIRS = 3
"""Below it there is a difference or two, and no spread worth a line."""
LEAST_BINS, MOST_BINS = 4, 30


@dataclass(frozen=True, slots=True)
class Paired:
    """One quantity of several regions, as each side has it."""

    measure: str
    unit: str
    regions: tuple[str, ...]
    reference: Values
    """``(N,)``, as `other`."""
    other: Values

    @property
    def difference(self) -> Values:
        """The other's less the reference's."""
        return self.other - self.reference

    @property
    def mean(self) -> Values:
        """Of both sides: the best guess at what is true.

        With either side alone the difference would be correlated by itself.
        """
        return (self.other + self.reference) / 2


@dataclass(frozen=True, slots=True)
class Line:
    """A value with its 95 % confidence interval."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Where differences lie: on average, and 95 of 100 of them."""

    bias: Line
    lower: Line
    upper: Line
    n: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often differences lie where."""

    counts: NDArray[np.int64]
    """``(bins,)``."""
    edges: Values
    """``(bins + 1,)``."""


def limits_of_agreement(difference: Values) -> Limits:
    """Return bias and limits of agreement, with intervals by Student's t.

    Args:
        difference: ``(N,)``, of at least `LEAST_PAIRS` independent pairs.

    Raises:
        StainAppError: there are fewer.
    """
    n = len(difference)
    if n < LEAST_PAIRS:
        raise StainAppError(
            f"Limits of agreement need {LEAST_PAIRS} regions or more, not {n}; draw some more."
        )
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(0.975, n - 1))
    of_bias = t * spread / np.sqrt(n)
    of_limit = t * spread * np.sqrt(1 / n + WITHIN**2 / (2 * (n - 1)))

    def line(at: float, half: float) -> Line:
        return Line(at, float(at - half), float(at + half))

    return Limits(
        line(bias, of_bias),
        line(bias - WITHIN * spread, of_limit),
        line(bias + WITHIN * spread, of_limit),
        n,
    )


def histogram(difference: Values) -> Histogram:
    """Count differences in equal steps, as many as the square root of their number, about."""
    bins = int(np.clip(np.ceil(np.sqrt(len(difference))), LEAST_BINS, MOST_BINS))
    counts, edges = np.histogram(difference, bins)
    return Histogram(counts.astype(np.int64), edges)


def paired_of(comparison: Comparison, measure: str) -> Paired:
    """Return a quantity of all regions where it may be read; perhaps of none.

    Args:
        comparison: what was measured.
        measure: one that each side has by itself.
    """
    found = [
        one
        for one in comparison.figures
        if one.measure == measure and one.region != ALL and not one.greyed
    ]
    both = [(f.region, f.reference, f.other) for f in found]
    sound = [one for one in both if one[1] is not None and one[2] is not None]
    values = np.array([pair[1:] for pair in sound], np.float64).reshape(-1, 2)
    unit = found[0].unit if found else ""
    return Paired(measure, unit, tuple(one[0] for one in sound), values[:, 0], values[:, 1])


def quantities(comparison: Comparison) -> tuple[str, ...]:
    """Return the measures that each side has by itself, in the order of tables."""
    return tuple(one.measure for one in comparison.of(ALL) if one.reference is not None)
