"""Findings with their intervals, and the bars that some of them must reach, as one table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from stainapp.compare.intervals import Interval
from stainapp.compare.table import Row

REACHED, MISSED = 0, 1
"""Exit codes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured number, and what it is held to."""

    what: str
    value: float | None
    """None where it could not be measured; the note says why."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval, where there is one."""
    unit: str = ""
    bar: float | None = None
    """None for what is only to be set beside the others."""
    lower: bool = True
    """Whether less is better, and the bar an upper one."""
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the bar is reached: what could not be measured has not reached it."""
        if self.bar is None:
            return None
        if self.value is None:
            return False
        return self.value <= self.bar if self.lower else self.value >= self.bar


def of_row(row: Row, bar: float | None = None) -> Finding:
    """Return a row of an evaluation as a finding."""
    return Finding(
        f"{row.subject}: {row.measure}",
        row.estimate,
        row.low,
        row.high,
        row.unit,
        bar,
        row.better == "lower",
        row.note,
    )


def of_interval(what: str, found: Interval, bar: float | None = None, note: str = "") -> Finding:
    return Finding(what, found.estimate, found.low, found.high, bar=bar, note=note)


def as_table(title: str, facts: Mapping[str, str], findings: Sequence[Finding]) -> str:
    """Return lines to print: facts, then findings with interval, bar and verdict."""
    lines = [title, *(f"  {key}: {value}" for key, value in facts.items()), ""]
    width = max(len(one.what) for one in findings)
    for one in findings:
        cells = (f"{one.what:{width}}", _number(one.value), _span(one), f"{one.unit:8}", _bar(one))
        lines.append("  ".join(cells).rstrip())
    notes = dict.fromkeys(one.note for one in findings if one.note)
    return "\n".join([*lines, "", *notes])


def as_json(title: str, facts: Mapping[str, str], findings: Sequence[Finding]) -> str:
    rows = [asdict(one) | {"passed": one.passed} for one in findings]
    return json.dumps({"benchmark": title, **facts, "findings": rows}, indent=2)


def conclude(
    title: str, facts: Mapping[str, str], findings: Sequence[Finding], *, as_text: bool
) -> int:
    """Print, and return the exit code: 1 where a bar is missed."""
    print((as_table if as_text else as_json)(title, facts, findings))
    return MISSED if any(one.passed is False for one in findings) else REACHED


def _number(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.4g'):>9}"


def _span(one: Finding) -> str:
    span = "" if one.low is None or one.high is None else f"{one.low:.4g} .. {one.high:.4g}"
    return f"{span:20}"


def _bar(one: Finding) -> str:
    if one.bar is None:
        return ""
    return f"{'<=' if one.lower else '>='} {one.bar:<8.4g} {'PASS' if one.passed else 'FAIL'}"
