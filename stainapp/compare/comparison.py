"""Two slides compared over regions: each measure with its interval, beside the registration error.

Reads piece by piece, so that memory grows with neither the regions nor the slides.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

from stainapp.cancel import CancelToken
from stainapp.compare.instruments import Instruments
from stainapp.compare.pair import Pair
from stainapp.compare.piece_sums import Measurer
from stainapp.compare.region_figures import ALL, Figure, Tallied, figures_of, figures_of_all
from stainapp.compare.region_grid import Grid, count, pieces
from stainapp.compare.region_measures import measures_of, unmeasured
from stainapp.compare.registration_error import ErrorTally, ErrorThere
from stainapp.compare.table import csv_of
from stainapp.errors import StainAppError
from stainapp.session.regions import Region

Progress = Callable[[int, int], None]

IGNORED = "Ignore"
"""The class whose regions are left out."""
MOST_TESTED = 100
"""Regions of which each is tested for overlap with each other."""


@dataclass(frozen=True, slots=True)
class Place:
    """A region as it was measured."""

    name: str
    """Its own, or its number; made different where two have the same."""
    region: Region
    pieces: int
    """Squares of the grid that it was measured in."""
    area_mm2: float
    """Of the pixels measured."""
    error: ErrorThere


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured, and where."""

    mpp: float
    places: tuple[Place, ...]
    figures: tuple[Figure, ...]
    """Of all regions first, then region by region."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """What was not measured, and why."""
    notes: tuple[str, ...] = ()

    def of(self, region: str = ALL) -> tuple[Figure, ...]:
        """Return the figures of one region, or of all of them."""
        return tuple(one for one in self.figures if one.region == region)

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.measure for one in self.figures))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON. Equal comparisons give equal ones."""
        return {
            "mpp": self.mpp,
            "regions": [_plain(place) for place in self.places],
            "figures": [asdict(one) for one in self.figures],
            "not_measured": dict(self.missing),
            "notes": list(self.notes),
        }

    def as_csv(self) -> str:
        """Return the figures below a line of their names."""
        return csv_of(Figure, self.figures)


def compare(
    pair: Pair,
    regions: Sequence[Region],
    *,
    mpp: float | None = None,
    instruments: Instruments | None = None,
    token: CancelToken | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Measure a pair over regions.

    Args:
        pair: the reference, and what is set beside it.
        regions: in level-0 pixels of the pair's frame. Those of the class "Ignore", and those
            that lie beyond the slide, are left out, which the notes say.
        mpp: micrometres per pixel to compare at; None for the finest that both sides have.
        instruments: who finds nuclei, and what counts as positive.
        token: cancels between two pieces.
        progress: called with the pieces done and all pieces.

    Raises:
        UnknownScaleError: nobody has said how large the frame's pixels are.
        StainAppError: no region is left, or the scale is finer than one side has.
        SlideError: a slide cannot be read there.
        Cancelled: the token was cancelled.
    """
    scale, info = pair.scale(mpp), pair.reference.reader.info
    grid = Grid.over(info.width_px, info.height_px, pair.frame_mpp, scale)
    measurer = Measurer(pair, grid, scale, instruments or Instruments())
    walk = _Walk(grid, token or CancelToken(), progress)
    chosen = [one for one in regions if one.classification != IGNORED]
    names = _names(chosen)
    walk.total = sum(count(region, grid) for region in chosen)
    places, tallied = [], []
    for name, region in zip(names, chosen, strict=True):
        errors = ErrorTally(pair.error_um, scale)
        rows = walk.rows(region, measurer, errors)
        if rows:
            area = sum(row["px"] for row in rows) * (scale / 1000) ** 2
            places.append(Place(name, region, len(rows), area, errors.found))
            tallied.append(Tallied(name, area, errors.found, rows))
    if not places:
        raise StainAppError(
            f"No region to compare lies on {info.path.name}; draw some on its tissue."
        )
    measures = measures_of(measurer)
    figures = figures_of_all(tallied, measures)
    for one in tallied:
        figures += figures_of(one, measures)
    notes = _notes(regions, chosen, places)
    return Comparison(scale, tuple(places), tuple(figures), unmeasured(measurer), notes)


@dataclass(slots=True)
class _Walk:
    """Goes over regions, piece by piece, and tells how far it is."""

    grid: Grid
    token: CancelToken
    progress: Progress | None
    total: int = 0
    done: int = 0

    def rows(
        self, region: Region, measurer: Measurer, errors: ErrorTally
    ) -> list[dict[str, float]]:
        """Return what each piece of a region sums up to; none where it lies beyond the slide."""
        found = []
        for piece in pieces(region, self.grid):
            self.token.check()
            if piece is not None:
                found.append(measurer.sums(piece))
                errors.add(piece, self.grid.step)
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
        return found


def _names(regions: Sequence[Region]) -> list[str]:
    """Return a name for each region that no other has."""
    given = [one.name.strip() or f"region {n}" for n, one in enumerate(regions, start=1)]
    often, seen, names = Counter(given), Counter[str](), []
    for name in given:
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if often[name] > 1 else name)
    return names


def _notes(
    given: Sequence[Region], chosen: Sequence[Region], places: Sequence[Place]
) -> tuple[str, ...]:
    found = []
    if len(given) > len(chosen):
        found.append(f"{_many(len(given) - len(chosen))} of the class {IGNORED} left out.")
    if len(chosen) > len(places):
        found.append(f"{_many(len(chosen) - len(places))} beyond the slide left out.")
    pairs = combinations([place.region for place in places[:MOST_TESTED]], 2)
    if any(one.overlaps(another) for one, another in pairs):
        found.append("Some regions overlap: what they share counts twice over all regions.")
    return tuple(found)


def _many(number: int) -> str:
    return "1 region" if number == 1 else f"{number} regions"


def _plain(place: Place) -> dict[str, Any]:
    bounds = place.region.bounds
    return {
        "name": place.name,
        "classification": place.region.classification,
        "bounds": [bounds.x, bounds.y, bounds.width, bounds.height],
        "area_mm2": place.area_mm2,
        "pieces": place.pieces,
        "error_um": place.error.mean_um,
        "greatest_error_um": place.error.greatest_um,
    }
