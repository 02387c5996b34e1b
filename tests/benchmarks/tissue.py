"""How well a model stains real tissue it has not learnt from, beside all that is simpler.

On the pieces that its recipe holds out, stained as the viewer stains them:

    FD-OD       to the real stain, beside real tissue of other pieces
    two-sample  how often a small network can tell virtual tiles from real ones; 0.5 is chance
    content     whether nuclei stay where they are, and glass stays bare

    python tests/benchmarks/tissue.py MODEL [--recipe R] [--data DIR] [--tiles N] [--quick] [--json]

MODEL is an id, a model's folder or a run's. Exits with 1 where a bar is missed.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stainapp.compare import frechet
from stainapp.compare.baselines import fit_baselines
from stainapp.compare.evaluation import evaluate
from stainapp.compare.question import Question, TileSet
from stainapp.compare.table import Table
from stainapp.compare.two_sample import Budget, Tiles, two_sample
from stainapp.errors import RecipeError, StainAppError
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import ModelCard
from stainapp.models.opening import open_stainer
from stainapp.models.store import default_store
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.models.working_scale import WorkingScale
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import RECIPE_FILE, read_recipe
from stainapp.slides.reader import RgbImage, SlideReader
from tests.benchmarks.bars import Finding, conclude, of_interval, of_row
from tests.benchmarks.measure import DATA, hardware
from training.cuts import BLOCK_UM
from training.datasets import Dataset
from training.evaluation import LEARNT
from training.export import model_ids
from training.fields import Field, SplitName
from training.rooms import SOURCE, TARGET

TILE_PX = 256
CLOSED_FORM = "mean and deviation"
"""The baseline that comes closest."""

MOST_OF_UNTOUCHED, MOST_OF_CLOSED_FORM = 0.05, 1 / 3
"""FD-OD as a share of what the stain left as it is, and of what the closed form, comes to."""
MOST_TOLD = 0.80
"""Accuracy of the classifier."""
NOTHING_NEW = 0.001
"""Share of the glass: what the rounding of a rim comes to."""
QUICK_TILES, QUICK_STEPS = 24, 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Tiles side by side, and the block of tissue that each lies in."""

    images: RgbImage
    blocks: Sequence[str]
    even: Sequence[bool]
    """Whether the block is a black one of the chessboard; the classifier learns from these."""

    def of(self, images: RgbImage) -> "Sample":
        """Return other pictures of the same places."""
        return replace(self, images=images)

    def part(self, *, even: bool) -> tuple[RgbImage, list[str]]:
        chosen = [n for n, one in enumerate(self.even) if one == even]
        return self.images[chosen], [self.blocks[n] for n in chosen]


@dataclass(frozen=True, slots=True)
class Tissue:
    """All that is compared."""

    source: Sample
    virtual: Sample
    mapped: dict[str, RgbImage]
    """What the baselines make of the source."""
    target: Sample
    """Real tissue that is held out."""
    another: Sample
    """Real tissue of the pieces to learn from."""


def main(arguments: argparse.Namespace) -> int:
    folder, recipe_file = _found(arguments.model)
    recipe = read_recipe(arguments.recipe or recipe_file, arguments.data)
    card = ModelCard.read(folder)
    tissue = _cut(recipe, card, folder, QUICK_TILES if arguments.quick else arguments.tiles)
    table = _measure(tissue, card, recipe.model.mpp)
    budget = Budget(steps=QUICK_STEPS) if arguments.quick else Budget()
    findings = [*_distances(table), *_told(tissue, budget), *_content(table)]
    facts = {
        "model": f"{card.id}: {card.source_stain} to {card.target_stain}",
        "taught by": f"{card.training.get('images', 'an unknown number of')} images",
        "tiles": f"{len(tissue.source.images)} of the source, {len(tissue.target.images)} real, "
        f"{len(tissue.another.images)} real of other pieces; {TILE_PX} px",
        "intervals": f"over blocks of {BLOCK_UM / 1000:g} mm: they say nothing of other patients",
        **hardware(),
    }
    return conclude(f"tissue: {card.id}", facts, findings, as_text=not arguments.json)


def _found(name: str) -> tuple[Path, Path]:
    """Return a model's folder and its recipe."""
    path = Path(name)
    if not path.is_dir():
        folder = default_store().find(name).folder
        return folder, folder / RECIPE_FILE
    run = RunFolder(path)
    if run.model.is_dir():
        return run.model / run.recipe().model.id, run.recipe_file
    return path, path / RECIPE_FILE


def _cut(recipe: Recipe, card: ModelCard, folder: Path, most: int | None) -> Tissue:
    """Cut and stain every tile.

    Raises:
        RecipeError: the recipe is not the model's, or its data are pairs.
    """
    if recipe.data.pairing != "unpaired":
        raise RecipeError(f"{card.id} learnt from pairs; use stainapp evaluate, which needs them.")
    if card.id not in model_ids(recipe).values():
        raise RecipeError(f"This recipe does not make {card.id}; name the right one by --recipe.")
    ours, theirs = (SOURCE, TARGET) if card.id == recipe.model.id else (TARGET, SOURCE)
    least = recipe.data.min_tissue
    with closing(Dataset(recipe)) as data:
        held = _some(_places(data, ours, "validation", least), most)
        source = _sample(held)
        target = _sample(_some(_places(data, theirs, "validation", least), most))
        others = _places(data, theirs, "train", least)
        another = _sample(_some(others, len(target.images)))
        _say(f"staining {len(held)} tiles")
        virtual = source.of(_stained(held, folder, recipe.model.mpp))
        fits = data.calibration_tiles(LEARNT, TILE_PX)
    baselines = fit_baselines(fits[ours], fits[theirs])
    mapped = {name: run(source.images) for name, run in baselines.items()}
    return Tissue(source, virtual, mapped, target, another)


Place = tuple[Field, int, int]
"""A tile's corner, in working pixels."""


def _places(data: Dataset, stain: int, split: SplitName, min_tissue: float) -> list[Place]:
    """Return the tiles of a grid that lie in a split's tissue, row by row."""
    return [
        (field, i, j)
        for field in data.fields(stain)
        if field.split == split
        for i, j in _on_grid(field, min_tissue)
    ]


def _on_grid(field: Field, min_tissue: float) -> list[tuple[int, int]]:
    """Return the corners of tiles of tissue, in working pixels, that never overlap."""
    apart = math.ceil(TILE_PX * field.scale.step / field.cell)
    cells = field.places(TILE_PX, min_tissue).cells()
    cells = cells[(cells % apart == 0).all(axis=1)]
    return [(int(i), int(j)) for i, j in field.corners(cells.astype(np.float64), TILE_PX)]


def _some(places: Sequence[Place], most: int | None) -> Sequence[Place]:
    """Return ``most`` of the places, spread over all of them and in their order."""
    if most is None or len(places) <= most:
        return places
    return [places[n] for n in np.linspace(0, len(places) - 1, most).round().astype(int)]


def _sample(places: Sequence[Place]) -> Sample:
    blocks = [_block(*place) for place in places]
    return Sample(
        images=np.stack([field.read(i, j, TILE_PX) for field, i, j in places]),
        blocks=[f"{name}, block {column}.{row}" for name, column, row in blocks],
        even=[(column + row) % 2 == 0 for _, column, row in blocks],
    )


def _block(field: Field, i: int, j: int) -> tuple[str, int, int]:
    assert field.scale.mpp is not None
    side = BLOCK_UM / field.scale.mpp
    return field.name, int(i // side), int(j // side)


def _stained(places: Sequence[Place], folder: Path, mpp: float) -> RgbImage:
    """Return tiles as the viewer shows them: the slide calibrated, nothing cut at their edges."""
    stainer = open_stainer(folder)
    slides: dict[SlideReader, WorkingScale] = {}
    made = []
    for field, i, j in places:
        if field.reader not in slides:
            state = calibrate_slide(field.reader, stainer)
            slides[field.reader] = WorkingScale.at(VirtualSlide(field.reader, stainer, state), mpp)
        made.append(slides[field.reader].read(i, j, TILE_PX, TILE_PX))
    return np.stack(made)


def _measure(tissue: Tissue, card: ModelCard, mpp: float) -> Table:
    def tiles(sample: Sample, stain: str) -> TileSet:
        return TileSet(sample.images, sample.blocks, stain, mpp)

    _say("measuring")
    question = Question(
        tiles(tissue.source, card.source_stain),
        tiles(tissue.target, card.target_stain),
        paired=False,
        another=tiles(tissue.another, card.target_stain),
    )
    return evaluate(question, {"model": tissue.virtual.images, **tissue.mapped})


def _distances(table: Table) -> list[Finding]:
    """FD-OD of all, and the model's as shares of two of them."""
    rows = [of_row(row) for row in table.rows if row.measure == frechet.NAME]
    shares = [
        Finding(f"model: {frechet.NAME} / {subject}", _share(table, subject), bar=bar)
        for subject, bar in (("untouched", MOST_OF_UNTOUCHED), (CLOSED_FORM, MOST_OF_CLOSED_FORM))
    ]
    return rows + shares


def _share(table: Table, of: str) -> float | None:
    ours, theirs = (table.value(frechet.NAME, subject) for subject in ("model", of))
    return None if ours is None or not theirs else ours / theirs


def _told(tissue: Tissue, budget: Budget) -> list[Finding]:
    """How well a network tells the model's tiles, the closed form's and other real ones."""
    pretenders = {
        "model": (tissue.virtual, MOST_TOLD),
        CLOSED_FORM: (tissue.source.of(tissue.mapped[CLOSED_FORM]), None),
        "real": (tissue.another, None),
    }
    findings = []
    for name, (sample, bar) in pretenders.items():
        _say(f"telling {name} from real")
        learnt, unseen = (_told_apart(sample, tissue.target, even=e) for e in (True, False))
        verdict = two_sample(learnt, unseen, budget)
        note = (
            f"two-sample: learnt from {verdict.trained_on} tiles of 128 px, "
            f"{verdict.seen_accuracy:.2f} of which it tells"
        )
        what = f"{name}: two-sample accuracy"
        findings.append(of_interval(what, verdict.accuracy, bar, f"{note} ({name})"))
    return findings


def _told_apart(pretended: Sample, real: Sample, *, even: bool) -> Tiles:
    """Return the tiles of the black, or of the white blocks of both."""
    first, second = pretended.part(even=even), real.part(even=even)
    return Tiles(first[0], second[0], first[1], second[1])


def _content(table: Table) -> list[Finding]:
    """Nuclei that stay, and what is new on glass, of the model and of the closed form."""
    bars = {"nuclei F1": None, "new structures on glass": NOTHING_NEW}
    return [
        of_row(row, bars[row.measure] if row.subject == "model" else None)
        for row in table.rows
        if row.measure in bars and row.subject in ("model", CLOSED_FORM)
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tissue", description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a model's id, its folder or its run's")
    parser.add_argument("--recipe", type=Path, help="by which it was taught, if not beside it")
    parser.add_argument("--data", type=Path, default=DATA / "slides", help="where the slides lie")
    parser.add_argument("--tiles", type=int, help="at most so many of each stain; all by default")
    parser.add_argument("--quick", action="store_true", help="few tiles, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    try:
        sys.exit(main(parser.parse_args()))
    except StainAppError as error:
        sys.exit(str(error))
