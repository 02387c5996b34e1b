"""Methods side by side: who is better in what, as far as the intervals tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stainapp.compare.table import Row, Table


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject stands in one measure."""

    row: Row
    best: int
    """Its rank if every overlap of intervals is decided for it, from 1."""
    worst: int
    """And if every one is decided against it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a subject stands over all measures that every subject has."""

    subject: str
    places: Mapping[str, Place]
    """By measure; those that could not be measured are left out."""
    mean_rank: float
    """Of the middles of its ranks; lower is better."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """All subjects, the best first."""

    standings: tuple[Standing, ...]
    measures: tuple[str, ...]
    """All that occur, in the order of the table."""
    ranked_by: tuple[str, ...]
    """Those that every ranked subject has: only these decide."""
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Subject -> name of a cost with its unit -> value."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "ranked_by": list(self.ranked_by),
            "standings": [
                {
                    "subject": one.subject,
                    "mean_rank": one.mean_rank,
                    "ranks": {
                        name: [place.best, place.worst] for name, place in one.places.items()
                    },
                    "costs": dict(self.costs.get(one.subject, {})),
                }
                for one in self.standings
            ],
        }


def ranking(
    table: Table,
    leave_out: Sequence[str] = (),
    costs: Mapping[str, Mapping[str, float]] | None = None,
) -> Ranking:
    """Rank the subjects of a table in each measure, and over all that they share.

    Two subjects whose 95 % intervals overlap are not told apart: a rank is a range. The
    intervals are those of the rows, clustered by region or slide. The mean over measures weighs
    all alike; it sorts the list, and says no more than the ranks do. A measure of which neither
    more nor less is better, such as an H-score, ranks nobody.

    Args:
        table: one row a subject and measure.
        leave_out: subjects that compete with nobody, such as real tiles of other tissue.
        costs: what each subject takes, by name and unit.
    """
    rows = [
        row
        for row in table.rows
        if row.estimate is not None and row.better and row.subject not in leave_out
    ]
    measures = tuple(dict.fromkeys(row.measure for row in rows))
    subjects = tuple(dict.fromkeys(row.subject for row in rows))
    places = {name: _placed([row for row in rows if row.measure == name]) for name in measures}
    shared = tuple(name for name in measures if len(places[name]) == len(subjects))
    standings = [_standing(subject, places, shared) for subject in subjects]
    standings.sort(key=lambda one: (one.mean_rank, subjects.index(one.subject)))
    return Ranking(tuple(standings), measures, shared, costs or {})


def _standing(
    subject: str, places: Mapping[str, Mapping[str, Place]], shared: Sequence[str]
) -> Standing:
    own = {name: found[subject] for name, found in places.items() if subject in found}
    middles = [(own[name].best + own[name].worst) / 2 for name in shared]
    mean = sum(middles) / len(middles) if middles else float(len(places) or 1)
    return Standing(subject, own, mean)


def _placed(rows: Sequence[Row]) -> dict[str, Place]:
    return {
        row.subject: Place(
            row,
            best=1 + sum(_is_surely_better(other, row) for other in rows),
            worst=len(rows) - sum(_is_surely_better(row, other) for other in rows),
        )
        for row in rows
    }


def _is_surely_better(one: Row, other: Row) -> bool:
    """Tell whether an interval lies wholly on the better side of another."""
    (low, high), (others_low, others_high) = _ends(one), _ends(other)
    return low > others_high if one.better == "higher" else high < others_low


def _ends(row: Row) -> tuple[float, float]:
    assert row.estimate is not None
    low = row.estimate if row.low is None else row.low
    high = row.estimate if row.high is None else row.high
    return low, high
