"""A comparison of models as it is told: ranks and costs, plain values, a page."""

from collections.abc import Sequence

import numpy as np

from stainapp.compare.page import Section, page
from stainapp.compare.ranking import Ranking, ranking
from stainapp.models.cost import cost_of
from stainapp.slides.reader import RgbImage
from training.evaluation import Verdict
from training.held_out import Comparison

SHOWN = 3
"""Tiles on a page."""


def ranked(one: Comparison, device: str, *, costs: bool) -> Ranking:
    """Rank what was measured; where wanted, measure what each model costs as well."""
    found = {}
    for name, contender in one.contenders.items() if costs else ():
        cost = cost_of(contender.folder, one.verdict.source, device, contender.steps)
        found[name] = {f"s/Mpx on {cost.device} in {cost.precision}": cost.seconds_per_mpx}
        if cost.memory_bytes is not None:
            found[name]["memory (MiB)"] = cost.memory_bytes / 2**20
    return ranking(one.verdict.table, leave_out=("real",), costs=found)


def reported(one: Comparison, ranks: Ranking) -> dict[str, object]:
    """Return plain values, ready for JSON."""
    return {
        "source_stain": one.stains[0],
        "target_stain": one.stains[1],
        "mpp": one.mpp,
        "held_out": one.held_out,
        "models": [
            {"subject": name, "id": found.card.id, "version": found.card.version}
            for name, found in one.models.items()
        ],
        **one.verdict.table.as_dict(),
        **ranks.as_dict(),
    }


def page_of(found: Sequence[Comparison], rankings: Sequence[Ranking]) -> str:
    """Return one HTML page, a section a comparison."""
    sections = [_section(*pair) for pair in zip(found, rankings, strict=True)]
    return page("Virtual stains compared", sections)


def _section(one: Comparison, ranks: Ranking) -> Section:
    verdict = one.verdict
    count = len(verdict.source)
    pairs = "each with its target" if verdict.paired else "without pairs"
    return Section(
        f"{one.stains[0]} to {one.stains[1]} at {one.mpp:g} um/px",
        [f"{count} tiles held out from {one.held_out}, {pairs}. Not for diagnosis."],
        ranks,
        verdict.table,
        [_tile(verdict, n) for n in np.linspace(0, count - 1, min(SHOWN, count)).astype(int)],
    )


def _tile(verdict: Verdict, number: int) -> dict[str, RgbImage]:
    return {
        "source": verdict.source[number],
        **{name: tiles[number] for name, tiles in verdict.made.items()},
        verdict.beside_name: verdict.beside[number],
    }
