"""What a model is judged by: the held-out part of a recipe's data, or files given for it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from stainapp.compare.table import Row, Table
from stainapp.errors import RecipeError
from stainapp.models.card import ANY_STAIN, ModelCard
from stainapp.models.store import Found, Store
from stainapp.runs.recipe import RECIPE_FILE, Data, Made, Recipe, read_recipe
from training.datasets import Dataset
from training.evaluation import LEARNT, Subject, Verdict, judge_model

TILES, TILE_PX = 64, 256
"""What files are cut into."""


def judge(
    found: Found, where: Path, store: Store, *, data: Path | None = None, device: str = "auto"
) -> Verdict:
    """Measure one model on what it has not learnt from.

    Args:
        found: the model.
        where: a recipe or a run, whose held-out tiles are used; or files: a folder with
            testA and testB, a folder of A|B images, a CSV of pairs, an npz archive.
        store: finds the inverse.
        data: where a recipe's files lie.
        device: to run on.

    Raises:
        StainAppError: the data, or the model on it, will not do.
    """
    card = found.card
    recipe, learns = recipe_for(card, where, data)
    back = _is_backward(card, recipe)
    with closing(Dataset(recipe, learns=learns, device=device)) as tiles:
        judged = tiles.judge_tiles()
        paired, grey = tiles.paired, tiles.grey
        learnt = tiles.learnt_tiles(LEARNT) if learns else (judged.source, judged.target)
    subject = Subject(
        folder=found.folder,
        tiles=judged,
        learnt=learnt,
        stains=(recipe.model.source_stain, recipe.model.target_stain),
        mpp=recipe.model.mpp,
        paired=paired,
        grey=grey,
        device=device,
    )
    subject = subject.reversed(found.folder) if back else subject
    return judge_model(replace(subject, inverse=_inverse_of(found, store)))


def recipe_for(card: ModelCard, where: Path, data: Path | None) -> tuple[Recipe, bool]:
    """Return the data as a recipe at the card's scale, and whether part of it was learnt from.

    Raises:
        RecipeError: there is no such data.
    """
    if (where / RECIPE_FILE).is_file():
        where /= RECIPE_FILE
    if where.suffix.lower() == ".toml":
        recipe = read_recipe(where, data)
        mpp = card.mpp or recipe.model.mpp
        return replace(recipe, model=replace(recipe.model, mpp=mpp)), True
    if card.mpp is None:
        raise RecipeError(
            f"{card.name} knows no scale, and {where} tells none; name a recipe instead of files."
        )
    made = Made(
        id=card.id,
        name=card.name,
        source_stain=card.source_stain,
        target_stain=card.target_stain,
        mpp=card.mpp,
    )
    return Recipe(method="pix2pix", model=made, data=_data_of(where)), False


def _data_of(where: Path) -> Data:
    cut = Data(pairing="paired", tile_px=TILE_PX, validation_px=TILE_PX, validation_tiles=TILES)
    if where.suffix.lower() == ".csv" and where.is_file():
        return replace(cut, manifest=str(where))
    if where.suffix.lower() == ".npz" and where.is_file():
        return replace(cut, npz=str(where))
    if (where / "trainA").is_dir():
        return replace(cut, pairing="unpaired", root=str(where))
    if where.is_dir():
        return replace(cut, aligned=str(where))
    raise RecipeError(
        f"{where} is no data to judge by; name a recipe.toml, a run, a folder of images, "
        "a CSV file of pairs or an npz archive."
    )


def _is_backward(card: ModelCard, recipe: Recipe) -> bool:
    """Tell whether a model leads from the recipe's target to its source.

    Raises:
        RecipeError: it stains something else.
    """
    own, asked = (card.source_stain, card.target_stain), recipe.model
    there, back = (asked.source_stain, asked.target_stain), (asked.target_stain, asked.source_stain)
    if _fits(own, there):
        return False
    if _fits(own, back) and recipe.data.pairing != "self":
        return True
    raise RecipeError(
        f"{card.name} stains {own[0]} as {own[1]}, and the data is {there[0]} and {there[1]}; "
        "choose data of the model's stains."
    )


def _fits(own: Sequence[str], asked: Sequence[str]) -> bool:
    return all(a in (b, ANY_STAIN) or b == ANY_STAIN for a, b in zip(own, asked, strict=True))


def _inverse_of(found: Found, store: Store) -> Path | None:
    """Return the inverse's folder, beside the model or in the store."""
    if not found.card.inverse:
        return None
    beside = found.folder.parent / found.card.inverse
    if beside.is_dir():
        return beside
    return next((one.folder for one in store.list() if one.card.id == found.card.inverse), None)


def named(table: Table, model_id: str) -> Table:
    """Return a model's own rows and its baselines', its own under its id."""
    rows = tuple(_renamed(row, model_id) for row in table.rows)
    return replace(table, rows=rows)


def _renamed(row: Row, model_id: str) -> Row:
    return replace(row, subject=model_id) if row.subject == "model" else row
