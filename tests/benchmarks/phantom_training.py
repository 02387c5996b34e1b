"""Whether training learns a stain whose truth is known: the phantom's PAS from its H&E.

From the recipes beside this file, as `stainapp train` would: Pix2Pix from pairs, CycleGAN from
two stains of different phantoms. Both are measured on pairs of further phantoms that neither
has seen, stained as the viewer stains it. Exits with 1 where a bar is missed.

    python tests/benchmarks/phantom_training.py [--quick] [--json] [--keep DIR]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from stainapp.compare.table import Row, Table
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Origin
from stainapp.runs.recipe_file import read_recipe
from tests.benchmarks.bars import Finding, conclude, of_row
from tests.benchmarks.measure import hardware
from training.datasets import Dataset
from training.evaluation import Subject, judge_model
from training.processes import Processes
from training.start import start

RECIPES = Path(__file__).parent / "recipes"
PAIRED, UNPAIRED = "phantom-pix2pix", "phantom-cyclegan"
HELD_OUT = ("phantom:he:5000", "phantom:pas:5000")
SEEDS = (21, 22, 23, 24)
"""Of the phantoms held out, which no recipe names. All are drawn in the same colours."""
JUDGED_BY, JUDGED_BY_QUICK = 48, 8
"""Tiles of 256 px."""

LEAST_PSNR_DB, LEAST_SSIM = 28.0, 0.90
"""Of Pix2Pix."""
RIVALS = ("reinhard", "macenko")
"""That CycleGAN has to beat ..."""
MEASURES = ("PSNR", "SSIM", "PAS error")
"""... on each of these."""
SHOWN = (*MEASURES, "haematoxylin error", "nuclei F1")
MOST_MINUTES = 20.0
"""For both trainings, on two cores that do nothing else."""
QUICK_STEPS = 4


def main(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        minutes, findings = {}, []
        for name, bars in ((PAIRED, _of_pix2pix), (UNPAIRED, _of_cyclegan)):
            recipe = read_recipe(RECIPES / f"{name}.toml")
            recipe = shortened(recipe) if arguments.quick else recipe
            began = time.perf_counter()
            model = taught(recipe, folder / name)
            minutes[name] = (time.perf_counter() - began) / 60
            _say(f"{name}: {recipe.training.images} images in {minutes[name]:.1f} min")
            count = JUDGED_BY_QUICK if arguments.quick else JUDGED_BY
            findings += bars(measured(recipe, model, count))
        findings += _of_time(minutes)
    if arguments.quick:  # four steps teach nothing
        findings = [replace(one, bar=None) for one in findings]
    return conclude("phantom training", hardware(), findings, as_text=not arguments.json)


def taught(recipe: Recipe, folder: Path) -> Path:
    """Teach, or find it done; return the model's folder."""
    run = RunFolder(folder)
    start(recipe, run, Processes(), resume=run.exists)
    return run.model / recipe.model.id


def measured(recipe: Recipe, model: Path, count: int) -> Table:
    """Measure a model and the baselines on pairs of the phantoms that are held out.

    The baselines are fitted to the same phantoms that the model has learnt from.
    """
    with closing(Dataset(recipe)) as own, closing(Dataset(held_out(recipe, count))) as others:
        made = recipe.model
        return judge_model(
            Subject(
                folder=model,
                tiles=others.judge_tiles(),
                learnt=own.calibration_tiles(16, 256),
                stains=(made.source_stain, made.target_stain),
                mpp=made.mpp,
                paired=True,
            )
        ).table


def held_out(recipe: Recipe, count: int) -> Recipe:
    """Return a recipe that is judged by the phantoms held out; what it learns from is not used."""
    learnt = tuple(one for one in recipe.data.source if one.split == "train")
    source, target = (
        [Origin(slide=f"{address}:{seed}", split="validation") for seed in SEEDS]
        for address in HELD_OUT
    )
    data = replace(
        recipe.data,
        pairing="paired",
        source=(*learnt, *source),
        target=(*learnt, *target),
        validation_tiles=count,
        validation_px=256,
    )
    return replace(recipe, data=data)


def _of_pix2pix(table: Table) -> list[Finding]:
    bars = {"PSNR": LEAST_PSNR_DB, "SSIM": LEAST_SSIM}
    return [
        _named("Pix2Pix", row, bars.get(row.measure) if row.subject == "model" else None)
        for row in _shown(table)
        if row.subject == "model"
    ]


def _of_cyclegan(table: Table) -> list[Finding]:
    """Return all rows; each of the model's is held to the better of the rivals."""
    return [
        _named("CycleGAN", row, _best_rival(table, row) if row.subject == "model" else None)
        for row in _shown(table)
    ]


def _best_rival(table: Table, row: Row) -> float | None:
    if row.measure not in MEASURES:
        return None
    found = [table.value(row.measure, rival) for rival in RIVALS]
    values = [value for value in found if value is not None]
    return min(values) if row.better == "lower" else max(values)


def _shown(table: Table) -> Sequence[Row]:
    return [row for row in table.rows if row.measure in SHOWN]


def _named(method: str, row: Row, bar: float | None) -> Finding:
    """Call the model by its method."""
    return of_row(replace(row, subject=method) if row.subject == "model" else row, bar)


def _of_time(minutes: dict[str, float]) -> list[Finding]:
    each = [Finding(f"{name}: training", value, unit="min") for name, value in minutes.items()]
    return [*each, Finding("both trainings", sum(minutes.values()), unit="min", bar=MOST_MINUTES)]


def shortened(recipe: Recipe) -> Recipe:
    images = QUICK_STEPS * recipe.training.batch
    training = replace(recipe.training, images=images, constant_images=None)
    return replace(
        recipe, data=replace(recipe.data, validation_tiles=JUDGED_BY_QUICK), training=training
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="phantom_training", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="four steps, to see that it runs")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the runs are kept")
    sys.exit(main(parser.parse_args()))
