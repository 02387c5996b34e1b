"""Every method on one stain whose truth is known: the phantom's PAS from its H&E, in one table.

Each is taught by its recipe beside this file, the paired ones from pairs, the others from two
stains of different phantoms, and judged on pairs of further phantoms, beside the closed forms.
Runs that are done are not repeated, so `--keep` lets it go on where it was stopped.

    python tests/benchmarks/methods.py [--quick] [--json] [--keep DIR] [--page HTML]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from stainapp.compare.ranking import Ranking
from stainapp.models.card import ModelCard
from stainapp.models.store import Found
from stainapp.runs.recipe_file import read_recipe
from tests.benchmarks.phantom_training import (
    JUDGED_BY,
    JUDGED_BY_QUICK,
    RECIPES,
    held_out,
    shortened,
    taught,
)
from training.datasets import Dataset
from training.evaluation import Contender, Subject, judge_model
from training.held_out import Comparison
from training.report import page_of, ranked, reported

TAUGHT = ("pix2pix", "unet", "i2sb", "cyclegan", "cut", "dcgmm", "nst")
STEPS = (1, 4, 32)
"""Of the bridge."""


def main(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folders = {}
        for name in TAUGHT:
            recipe = read_recipe(RECIPES / f"phantom-{name}.toml")
            recipe = shortened(recipe) if arguments.quick else recipe
            print(f"{name}: {recipe.training.images} images", file=sys.stderr, flush=True)
            folders[name] = taught(recipe, folder / name)
        found = compared(folders, JUDGED_BY_QUICK if arguments.quick else JUDGED_BY)
        ranks = ranked(found, "auto", costs=True)
    if arguments.page is not None:
        arguments.page.write_text(page_of([found], [ranks]), encoding="utf-8")
    print(json.dumps(reported(found, ranks), indent=1) if arguments.json else as_text(ranks))
    return 0


def compared(folders: Mapping[str, Path], count: int) -> Comparison:
    """Measure models on pairs of the phantoms that are held out, and the closed forms."""
    recipe = read_recipe(RECIPES / f"phantom-{TAUGHT[0]}.toml")
    first, *others = contenders = contenders_of(folders)
    judged = held_out(recipe, count)
    with closing(Dataset(recipe)) as own, closing(Dataset(judged)) as tiles:
        subject = Subject(
            folder=contenders[first].folder,
            tiles=tiles.judge_tiles(),
            learnt=own.calibration_tiles(16, 256),
            stains=(recipe.model.source_stain, recipe.model.target_stain),
            mpp=recipe.model.mpp,
            paired=True,
            others={name: contenders[name] for name in others},
        )
        verdict = judge_model(subject).named(first)
    models = {
        name: Found(ModelCard.read(one.folder), one.folder, shipped=False)
        for name, one in contenders.items()
    }
    return Comparison(
        verdict, models, contenders, subject.stains, subject.mpp, "phantoms that none has seen"
    )


def contenders_of(folders: Mapping[str, Path]) -> dict[str, Contender]:
    """Return the models by the names of their rows, the bridge once for each number of steps."""
    found: dict[str, Contender] = {}
    for name, folder in folders.items():
        if name == "i2sb":
            found |= {f"i2sb, {n} step{'s' * (n > 1)}": Contender(folder, steps=n) for n in STEPS}
        else:
            found[name] = Contender(folder)
    return found


def as_text(ranks: Ranking) -> str:
    lines = [f"Mean rank in {', '.join(ranks.ranked_by)}:"]
    for one in ranks.standings:
        values = "  ".join(f"{name} {place.row.estimate:.3g}" for name, place in one.places.items())
        costs = "  ".join(f"{v:.3g} {n}" for n, v in ranks.costs.get(one.subject, {}).items())
        lines.append(f"{one.mean_rank:5.1f}  {one.subject:<20}{values}  {costs}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="methods", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="four steps, to see that it runs")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the runs are kept")
    parser.add_argument("--page", type=Path, metavar="HTML", help="a page to write")
    sys.exit(main(parser.parse_args()))
