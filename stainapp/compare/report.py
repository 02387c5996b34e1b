"""A comparison as one HTML page that needs nothing beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from stainapp import __version__
from stainapp.compare.axes import WIDTH, said
from stainapp.compare.bland_altman import paired_of, quantities
from stainapp.compare.comparison import Comparison
from stainapp.compare.instruments import Instruments
from stainapp.compare.page import STYLE as PAGE_STYLE
from stainapp.compare.page import notes_of
from stainapp.compare.pair import Pair, Side
from stainapp.compare.plots import agreement_in_words, plots_of
from stainapp.compare.region_figures import ALL, Figure
from stainapp.compare.report_pictures import (
    DIFFERENCE,
    Field,
    Picture,
    as_data,
    svg_as_data,
)
from stainapp.compare.report_words import limits, methods

STYLE = (
    PAGE_STYLE
    + """
.grey, .grey small { color: #9a9aa4; } .grey b { font-weight: 400; text-decoration: line-through; }
.virtual { background: #6a26c9; color: #fff; padding: .1rem .5rem; border-radius: 4px;
  font-weight: 600; font-size: .85rem; }
.pictures td { border: 0; padding: 0 .6rem .6rem 0; text-align: left; white-space: normal;
  font-size: .85rem; color: var(--faint); }
.pictures img { max-width: none; } table:not(.pictures) br { display: none; }
.facts td, .facts th { text-align: left; white-space: normal; overflow-wrap: anywhere; }
"""
)
FACTS = (
    ("source_file", "file"),
    ("stain", "stain"),
    ("model_name", "model"),
    ("model", "model id"),
    ("model_version", "model version"),
    ("weights_sha256", "weights, sha256"),
    ("source_stain", "made from"),
    ("target_stain", "made to look like"),
    ("template", "normalised to"),
    ("mpp", "um per pixel"),
    ("recorded_mpp", "um per pixel, as recorded"),
    ("working_mpp", "um per pixel, of the model"),
    ("icc", "colour management"),
    ("strength", "strength of the stain"),
    ("calibration_tiles", "calibrated on tiles of tissue"),
    ("calibration_digest", "calibration"),
    ("device", "device"),
    ("precision", "precision"),
    ("licence", "licence"),
    ("intended_use", "intended use"),
    ("source_identity", "identity of the source"),
)
"""What is said of a side: its name in the provenance, and in the report."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the page is laid out: on a screen, or on paper."""

    style: str
    picture_px: int
    """Width of a picture, of which four are to fit beside each other; ``plot_px``: of three."""
    plot_px: int
    measures: int = 99
    """How many of them stand beside each other in a table; the others follow in further tables."""


SCREEN = Look(STYLE, 320, WIDTH)


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, with all that is shown beside it."""

    pair: Pair
    comparison: Comparison
    instruments: Instruments
    overviews: Sequence[Picture]
    fields: Sequence[Field]
    made: str = ""
    """When, in words; the only part that differs from run to run."""

    @property
    def title(self) -> str:
        return f"{self.pair.other.name} against {self.pair.reference.name}"


def as_html(report: Report, look: Look = SCREEN) -> str:
    """Return the page."""
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        *_opening(report),
        "<h2>All regions</h2>",
        *_paragraphs(report.comparison.notes),
        _table_of_all(report),
        *notes_of(report.comparison.of(ALL)),
        *_not_measured(report.comparison.missing),
        "<h2>Region by region</h2>",
        _tables_by_region(report, look),
        "<h2>Agreement over regions</h2>",
        *_agreement(report, look),
        '<h2 class="leaf">Pictures</h2>',
        *_fields(report, look),
        '<h2 class="leaf">Slides and models</h2>',
        _pictures(report.overviews, look),
        _facts(report.pair),
        "<h2>How it was measured</h2>",
        *_paragraphs(methods(report.pair, report.comparison, report.instruments)),
        "<h2>Limits</h2>",
        _list(limits(report.pair, report.comparison)),
        f"<p>stainapp {escape(__version__)}. {escape(report.made)}</p>",
    ]
    title, body = escape(report.title), "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{look.style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _opening(report: Report) -> list[str]:
    pair, comparison = report.pair, report.comparison
    area = sum(place.area_mm2 for place in comparison.places)
    said_of_it = (
        f"Reference: {pair.reference.name} ({pair.reference.stain}). Set beside it: "
        f"{pair.other.name} ({pair.other.stain}). Regions: {len(comparison.places)}, "
        f"{area:.3g} mm2, at {comparison.mpp:.4g} um per pixel."
    )
    if pair.error_um is None:
        said_of_it += " How well the two lie on each other is not known."
    found = [f"<p>{escape(said_of_it)}</p>"]
    for side in pair.sides:
        if side.virtual:
            badge = '<span class="virtual">VIRTUAL - research use only</span>'
            found.insert(0, f"<p>{badge} {escape(side.name)}</p>")
    return found


def _table_of_all(report: Report) -> str:
    heads = (
        "Measure", "Reference", "Other", "Agreement or difference", "95 % interval", "Regions",
        "Registration error, um",
    )  # fmt: skip
    head = "".join(f"<th>{one}</th>" for one in heads)
    figures = report.comparison.of(ALL)
    rows = "".join(_line(one) for one in figures)
    grey = [one.measure for one in figures if one.greyed]
    table = _wide(f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>")
    if not grey:
        return table
    why = f"Grey, and not to be read in any of the regions: {', '.join(grey)}."
    return f"{table}<p>{escape(why)}</p>"


def _line(one: Figure) -> str:
    unit = f" {one.unit}" if one.unit else ""
    better = _small(f"{one.better} is better" if one.better else "")
    cells = (
        f"<td>{escape(one.measure)}{better}</td>",
        f"<td>{_maybe(one.reference)}</td>",
        f"<td>{_maybe(one.other)}</td>",
        f"<td><b>{said(one.estimate)}</b>{escape(unit)}</td>",
        f"<td>{_interval(one)}</td>",
        f"<td>{one.regions}</td>",
        f"<td>{_um(one.error_um)}</td>",
    )
    return f"<tr{_class(one)}>{''.join(cells)}</tr>"


def _tables_by_region(report: Report, look: Look) -> str:
    comparison = report.comparison
    measures = comparison.measures
    tables = [
        _table_by_region(comparison, measures[at : at + look.measures])
        for at in range(0, len(measures), look.measures)
    ]
    why = dict.fromkeys(f"{one.region}: {one.greyed}." for one in comparison.figures if one.greyed)
    said_of_it = (
        "Each cell: the agreement, or the other side less the reference, with its 95 % interval "
        "over the region's squares, and below it both sides."
    )
    grey = f"<p>Grey, and not to be read:</p>{_list(why)}" if why else ""
    return f"<p>{said_of_it}</p>{'<p></p>'.join(tables)}{grey}"


def _table_by_region(comparison: Comparison, measures: Sequence[str]) -> str:
    heads = ["Region", "Area, mm2", "Registration error, um", *measures]
    units = {one.measure: one.unit for one in comparison.of(ALL)}
    head = "".join(f"<th>{escape(one)}{_small(units.get(one))}</th>" for one in heads)
    rows = []
    for number, place in enumerate(comparison.places, start=1):
        figures = {one.measure: one for one in comparison.of(place.name)}
        error = _um(place.error.mean_um)
        if place.error.greatest_um is not None:
            error += _small(f"{place.error.greatest_um:.2f} at most")
        name = f"{number}. {place.name}"
        cells = [f"<td>{escape(name)}</td>", f"<td>{place.area_mm2:.3g}</td>", f"<td>{error}</td>"]
        cells += [_cell(figures[measure]) for measure in measures]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _wide(f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>")


def _cell(one: Figure) -> str:
    both = one.reference is not None and one.other is not None
    sides = f"{_maybe(one.other)} against {_maybe(one.reference)}" if both else ""
    return (
        f"<td{_class(one)}><b>{said(one.estimate)}</b>{_small(_interval(one))}{_small(sides)}</td>"
    )


def _agreement(report: Report, look: Look) -> list[str]:
    found, plots = [], []
    names = report.pair.reference.name, report.pair.other.name
    for measure in quantities(report.comparison):
        paired = paired_of(report.comparison, measure)
        found.append(agreement_in_words(paired))
        plots += [(measure, plot) for plot in plots_of(paired, *names)]
    rows = "".join(
        f"<tr>{''.join(_plot(*one, look.plot_px) for one in plots[at : at + 3])}</tr>"
        for at in range(0, len(plots), 3)
    )
    table = f'<div class="wide"><table class="pictures">{rows}</table></div>' if rows else ""
    return [_list(found), table]


def _plot(measure: str, svg: str, width: int) -> str:
    return f'<td><img alt="{escape(measure)}" width="{width}" src="{svg_as_data(svg)}"></td>'


def _fields(report: Report, look: Look) -> list[str]:
    places = report.comparison.places
    found = [f"<p>{escape(DIFFERENCE.format(report.pair.other.name))}</p>"]
    if len(report.fields) < len(places):
        found.append(f"<p>{len(report.fields)} of {len(places)} regions, spread over all.</p>")
    for field in report.fields:
        name = f"{places.index(field.place) + 1}. {field.place.name}"
        found.append(_pictures(field.pictures, look, name))
    return found


def _pictures(pictures: Sequence[Picture], look: Look, name: str = "") -> str:
    """Return pictures in a row, with what they show below them, and so on one page with it."""
    named = f"<b>{escape(name)}</b><br>" if name else ""
    cells = []
    for one in pictures:
        shown = f'width="{min(look.picture_px, one.image.width)}" src="{as_data(one.image)}"'
        words = f"{named}{escape(one.caption)}"
        alt = escape(one.caption)
        cells.append(f'<td width="{look.picture_px}"><img alt="{alt}" {shown}><br>{words}</td>')
        named = ""
    return f'<div class="wide"><table class="pictures"><tr>{"".join(cells)}</tr></table></div>'


def _facts(pair: Pair) -> str:
    def cell(side: Side, key: str) -> str:
        value = side.origin.get(key)
        return "" if value in (None, "") else escape(_plain(value))

    rows = [
        (words, cell(pair.reference, key), cell(pair.other, key))
        for key, words in FACTS
        if any(side.origin.get(key) not in (None, "") for side in pair.sides)
    ]
    rows += [(f"registration, {k}", escape(str(v)), "") for k, v in pair.joined_by.items()]
    head = "".join(f"<th>{one}</th>" for one in ("", "Reference", "Other"))
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="facts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _not_measured(missing: Mapping[str, str]) -> list[str]:
    if not missing:
        return []
    return ["<p>Not measured:</p>", _list(f"{what}: {why}." for what, why in missing.items())]


def _paragraphs(sentences: Iterable[str]) -> list[str]:
    return [f"<p>{escape(one)}</p>" for one in sentences]


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>"


def _wide(table: str) -> str:
    return f'<div class="wide"><table>{table}</table></div>'


def _small(words: str | None) -> str:
    return f"<br><small>{escape(words)}</small>" if words else ""


def _class(one: Figure) -> str:
    return f' class="grey" title="{escape(one.greyed)}"' if one.greyed else ""


def _interval(one: Figure) -> str:
    if one.low is None or one.high is None:
        return ""
    return f"{said(one.low)} to {said(one.high)}"


def _maybe(value: float | None) -> str:
    return "" if value is None else said(value)


def _um(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _plain(value: Any) -> str:
    return said(value) if isinstance(value, float) else str(value)
