"""A comparison of methods as one HTML page that needs nothing beside it: table and pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

from PIL import Image

from stainapp.compare.ranking import Ranking, Standing
from stainapp.compare.table import Row, Table
from stainapp.slides.reader import RgbImage

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c21; --faint: #66666f; --line: #d8d8de;
  --paper: #ffffff; --best: #e6f2ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e9ee; --faint: #a0a0aa; --line: #3a3a42;
  --paper: #1b1b1f; --best: #1f3a2a; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 90rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; } figure { margin: 0; width: 256px; }
figcaption { color: var(--faint); font-size: .85rem; overflow-wrap: anywhere; }
p, .faint { color: var(--faint); } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .7rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; vertical-align: top; }
th { vertical-align: bottom; font-weight: 600; white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--paper); }
td.best { background: var(--best); } small { color: var(--faint); display: block; }
img { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """Methods that were measured on the same tiles."""

    title: str
    about: Sequence[str]
    """Sentences on the data and on what is compared."""
    ranking: Ranking
    """The subjects, the best first."""
    table: Table
    """All rows, for what has to be said of them."""
    tiles: Sequence[Mapping[str, RgbImage]] = ()
    """Some tiles, each as its source, as every subject shows it, and as it really is."""


def page(title: str, sections: Sequence[Section]) -> str:
    """Return the page."""
    body = "\n".join([f"<h1>{escape(title)}</h1>", *map(_section, sections)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def _section(section: Section) -> str:
    ranking, table = section.ranking, section.table
    others = [row for row in table.rows if not row.better or row.subject not in _subjects(ranking)]
    parts = [
        f"<h2>{escape(section.title)}</h2>",
        *(f"<p>{escape(sentence)}</p>" for sentence in section.about),
        f'<div class="wide">{_table(ranking)}</div>',
        "<p>Each cell: the estimate, its 95 % interval, and the ranks that the intervals leave "
        "open. Shaded: not told apart from the best. The first column of numbers is the mean of "
        f"the ranks in: {escape(', '.join(ranking.ranked_by) or 'nothing that all have')}.</p>",
        *(_tile(number, tile) for number, tile in enumerate(section.tiles, start=1)),
        *notes_of(table.rows),
        *(_others(others) if others else ()),
    ]
    return "\n".join(parts)


def _subjects(ranking: Ranking) -> set[str]:
    return {one.subject for one in ranking.standings}


def _table(ranking: Ranking) -> str:
    costs = tuple(dict.fromkeys(name for one in ranking.costs.values() for name in one))
    heads = ["Method", "Mean rank", *(_heading(ranking, name) for name in ranking.measures), *costs]
    head = "".join(f"<th>{one if one.startswith('<') else escape(one)}</th>" for one in heads)
    rows = "".join(_line(one, ranking, costs) for one in ranking.standings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _heading(ranking: Ranking, measure: str) -> str:
    row = next(one.places[measure].row for one in ranking.standings if measure in one.places)
    unit = f" ({row.unit})" if row.unit else ""
    return f"<span>{escape(measure + unit)}<small>{escape(row.better)} is better</small></span>"


def _line(one: Standing, ranking: Ranking, costs: Sequence[str]) -> str:
    cells = [f"<td>{escape(one.subject)}</td>", f"<td>{one.mean_rank:.1f}</td>"]
    for measure in ranking.measures:
        place = one.places.get(measure)
        if place is None:
            cells.append('<td class="faint">not measured</td>')
            continue
        ranks = f"{place.best}" if place.best == place.worst else f"{place.best}-{place.worst}"
        best = ' class="best"' if place.best == 1 else ""
        cells.append(f"<td{best}>{_number(place.row)}<small>rank {ranks}</small></td>")
    own: Mapping[str, float] = ranking.costs.get(one.subject, {})
    cells += [f"<td>{own[name]:.3g}</td>" if name in own else "<td></td>" for name in costs]
    return f"<tr>{''.join(cells)}</tr>"


def _number(row: Row) -> str:
    interval = "" if row.low is None else f"<small>{row.low:.3g} to {row.high:.3g}</small>"
    return f"{row.estimate:.3g}{interval}"


class Noted(Protocol):
    """A figure of which something has to be said."""

    @property
    def measure(self) -> str: ...

    @property
    def note(self) -> str:
        """Sentences parted by semicolons; empty where there is nothing to say."""
        ...


def notes_of(rows: Sequence[Noted]) -> list[str]:
    """Return what is to be said of figures as HTML, each sentence once."""
    said: dict[str, list[str]] = {}
    for row in rows:
        for note in filter(None, row.note.split("; ")):
            named = said.setdefault(note, [])
            named += [] if row.measure in named else [row.measure]
    if not said:
        return []
    items = "".join(
        f"<li>{escape(note)} <span class='faint'>({escape(', '.join(named))})</span></li>"
        for note, named in said.items()
    )
    return [f"<h3>What is to be said of these figures</h3><ul>{items}</ul>"]


def _others(rows: Sequence[Row]) -> list[str]:
    """Return the rows that rank nobody: of real tissue, and of measures such as an H-score."""
    items = "".join(
        f"<li>{escape(row.subject)}, {escape(row.measure)}: "
        + ("not measured" if row.estimate is None else _number(row))
        + "</li>"
        for row in rows
    )
    return [f"<h3>For comparison</h3><ul>{items}</ul>"]


def _tile(number: int, tile: Mapping[str, RgbImage]) -> str:
    shown = "".join(
        f"<figure>{_picture(image, f'tile {number}, {name}')}"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, image in tile.items()
    )
    return f'<h3>Tile {number}</h3><div class="tiles">{shown}</div>'


def _picture(image: RgbImage, words: str) -> str:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    source = base64.b64encode(data.getvalue()).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{source}">'
