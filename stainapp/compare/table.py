"""What was measured, as rows that JSON and CSV can hold. Equal rows give equal bytes."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from stainapp.compare.intervals import FEW_CLUSTERS, Interval


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one picture source."""

    subject: str
    """Whose picture: "model", or a baseline's name."""
    measure: str
    estimate: float | None
    """None where it cannot be measured; the note says why."""
    low: float | None
    high: float | None
    """Ends of the 95 % interval."""
    n: int
    """Tiles."""
    clusters: int
    """Regions that the tiles come from."""
    clustered: bool
    """Whether regions were resampled; see `Interval.clustered`."""
    unit: str
    better: str
    """ "higher", "lower", or nothing where the number by itself is neither good nor bad."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Worst:
    """A tile of the first subject."""

    index: int
    """Into the tiles that were given."""
    region: str
    score: float
    measure: str
    """What it was ranked by."""


@dataclass(frozen=True, slots=True)
class Table:
    """All rows, and the tiles of the first subject with the worst first."""

    rows: tuple[Row, ...]
    worst: tuple[Worst, ...] = ()

    def value(self, measure: str, subject: str = "model") -> float | None:
        """Return an estimate; None where it was not measured.

        Raises:
            KeyError: there is no such row.
        """
        for row in self.rows:
            if (row.measure, row.subject) == (measure, subject):
                return row.estimate
        raise KeyError(f"{measure} of {subject}")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "worst": [asdict(tile) for tile in self.worst],
        }

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"

    def as_csv(self) -> str:
        """Return the rows below a line of their names."""
        return csv_of(Row, self.rows)


def csv_of(kind: type[Any], rows: Iterable[Any]) -> str:
    """Return dataclasses of one kind as CSV, below a line of their fields' names."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return file.getvalue()


def from_dict(values: Mapping[str, Any]) -> Table:
    """Return the table that `Table.as_dict` described."""
    return Table(
        tuple(Row(**row) for row in values["rows"]),
        tuple(Worst(**tile) for tile in values["worst"]),
    )


def joined(tables: Iterable[Table]) -> Table:
    """Return all rows; the worst tiles are those of the first table."""
    every = list(tables)
    rows = tuple(row for table in every for row in table.rows)
    return Table(rows, every[0].worst if every else ())


def measured(
    subject: str, measure: str, found: Interval, unit: str, better: str, note: str = ""
) -> Row:
    """Return a row; what is to be said of its interval comes before the note."""
    said = [said_of(found), note]
    return Row(
        subject,
        measure,
        found.estimate,
        found.low,
        found.high,
        found.n,
        found.clusters,
        found.clustered,
        unit,
        better,
        "; ".join(part for part in said if part),
    )


def missing(subject: str, measure: str, unit: str, better: str, why: str) -> Row:
    """Return a row without a value."""
    return Row(subject, measure, None, None, None, 0, 0, False, unit, better, why)


def said_of(found: Interval) -> str:
    """Return what keeps an interval from being taken at its word; nothing if nothing does."""
    if not found.clustered:
        return "one region: the interval is over its tiles and says nothing of other regions"
    if found.clusters < FEW_CLUSTERS:
        return f"only {found.clusters} regions: the interval is too narrow"
    return ""
