"""From what the pieces of regions sum up to, to the figures of a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.intervals import intervals_of_sums
from stainapp.compare.region_measures import Measure, Sums, Value
from stainapp.compare.registration_error import ErrorThere, Rests, mean_of
from stainapp.compare.table import said_of

ALL = "all regions"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of one region, or of all of them."""

    region: str
    """Its name, or `ALL`."""
    measure: str
    reference: float | None
    """What the reference has of it by itself; None of what only two pictures have together."""
    other: float | None
    estimate: float
    """How the two agree; of quantities, the other's less the reference's."""
    low: float | None
    """Ends of the 95 % interval; None where a single piece leaves nothing to resample."""
    high: float | None
    unit: str
    better: str
    """ "higher", "lower", or nothing where nearer to 0 is better."""
    error_um: float | None
    """Mean registration error there; None where it is not known."""
    greyed: str
    """Why it is not to be read; empty where it may be."""
    pieces: int
    regions: int
    note: str


@dataclass(frozen=True, slots=True)
class Tallied:
    """A region, and what each of its pieces sums up to."""

    name: str
    area_mm2: float
    error: ErrorThere
    rows: Sequence[dict[str, float]]

    def why_not(self, rests_on: Rests) -> str:
        return self.error.why_not(rests_on, self.area_mm2)


def figures_of(region: Tallied, measures: Sequence[Measure]) -> list[Figure]:
    """Return each measure of one region."""
    found = []
    for rests_on, some in _by_need(measures):
        found += _figures(region.name, some, [region], region.why_not(rests_on))
    return found


def figures_of_all(regions: Sequence[Tallied], measures: Sequence[Measure]) -> list[Figure]:
    """Return each measure of all regions where it may be read; of all, greyed, where of none."""
    found = []
    for rests_on, some in _by_need(measures):
        sound = [one for one in regions if not one.why_not(rests_on)]
        said, why = "", ""
        if not sound:
            why = "it is not to be read in any of the regions"
        elif len(sound) < len(regions):
            said = f"over {len(sound)} of {len(regions)} regions, those where it may be read"
        found += _figures(ALL, some, sound or regions, why, said)
    return found


def _by_need(measures: Sequence[Measure]) -> list[tuple[Rests, list[Measure]]]:
    """Return neighbouring measures together that rest on the same, in the order of tables."""
    groups = groupby(measures, lambda measure: measure.rests_on)
    return [(rests_on, list(some)) for rests_on, some in groups]


def _figures(
    name: str,
    measures: Sequence[Measure],
    regions: Sequence[Tallied],
    greyed: str,
    said: str = "",
) -> list[Figure]:
    columns = list(regions[0].rows[0])
    rows = np.array([[row[one] for one in columns] for region in regions for row in region.rows])
    clusters = [region.name for region in regions for _ in region.rows]
    by_sums = [_by_name(measure.value, columns) for measure in measures]
    whole = dict(zip(columns, rows.sum(axis=0), strict=True))
    error = mean_of([one.error for one in regions], [len(one.rows) for one in regions])
    found = []
    for measure, one in zip(measures, intervals_of_sums(rows, clusters, by_sums), strict=True):
        single = one.n == 1
        narrow = said_of(one) if name == ALL else ""  # of one region nothing else is expected
        parts = ("one piece: no interval" if single else narrow, said, measure.note)
        found.append(
            Figure(
                region=name,
                measure=measure.name,
                reference=_value(measure.reference, whole),
                other=_value(measure.other, whole),
                estimate=one.estimate,
                low=None if single else one.low,
                high=None if single else one.high,
                unit=measure.unit,
                better=measure.better,
                error_um=None if measure.rests_on == "nothing" else error,
                greyed=greyed,
                pieces=one.n,
                regions=one.clusters,
                note="; ".join(part for part in parts if part),
            )
        )
    return found


def _by_name(
    value: Value, columns: Sequence[str]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return a function of sums ``(..., K)`` from one that reads them by name."""
    return lambda sums: value({name: sums[..., n] for n, name in enumerate(columns)})


def _value(value: Value | None, sums: Sums) -> float | None:
    return None if value is None else float(value(sums))
