"""What a model is judged by: the held-out part of a recipe's data, or files given for it."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from stainapp.compare.instruments import Instruments
from stainapp.errors import RecipeError
from stainapp.models.card import ANY_STAIN, ModelCard
from stainapp.models.store import Found, Store
from stainapp.runs.recipe import Made, Recipe
from stainapp.runs.recipe_data import Data
from stainapp.runs.recipe_file import RECIPE_FILE, read_recipe
from training.evaluation import LEARNT, Contender, Subject, Verdict, held_out, judge_model
from training.sources import open_tiles

TILES, TILE_PX = 64, 256
"""What files are cut into."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models that stain the same tiles, measured on them."""

    verdict: Verdict
    models: Mapping[str, Found]
    """By the names of their rows; the first is the one whose worst tiles are listed."""
    contenders: Mapping[str, Contender]
    stains: tuple[str, str]
    mpp: float
    held_out: str
    """Where the tiles are from, in words."""


def judge(
    models: Sequence[Found],
    where: Path,
    store: Store,
    *,
    data: Path | None = None,
    steps: Sequence[int] = (),
    device: str = "auto",
    instruments: Instruments | None = None,
) -> list[Comparison]:
    """Measure models on what they have not learnt from, those of one scale and way together.

    Args:
        models: what to measure.
        where: a recipe or a run, whose held-out tiles are used; or files: a folder with
            testA and testB, a folder of A|B images, a CSV of pairs, an npz archive.
        store: finds the inverses.
        data: where a recipe's files lie.
        steps: of bridges, each of which is then measured with each; () for the cards' own.
        device: to run on.
        instruments: what the pictures are looked at with.

    Raises:
        StainAppError: the data, or a model on it, will not do.
    """
    together: dict[tuple[bool, float], list[Found]] = {}
    for found in models:
        recipe, _ = recipe_for(found.card, where, data)
        key = (_is_backward(found.card, recipe), recipe.model.mpp)
        together.setdefault(key, []).append(found)
    return [
        _compared(some, where, store, data, steps, device, instruments)
        for some in together.values()
    ]


def _compared(
    models: Sequence[Found],
    where: Path,
    store: Store,
    data: Path | None,
    steps: Sequence[int],
    device: str,
    instruments: Instruments | None,
) -> Comparison:
    named = _named(models, store, steps)
    first, *others = named
    recipe, learns = recipe_for(models[0].card, where, data)
    with closing(open_tiles(recipe, learns=learns, device=device)) as tiles:
        judged = tiles.judge_tiles()
        paired, grey = tiles.paired, tiles.grey
        learnt = tiles.learnt_tiles(LEARNT) if learns else (judged.source, judged.target)
    subject = Subject(
        folder=models[0].folder,
        tiles=judged,
        learnt=learnt,
        stains=(recipe.model.source_stain, recipe.model.target_stain),
        mpp=recipe.model.mpp,
        paired=paired,
        grey=grey,
        device=device,
    )
    if _is_backward(models[0].card, recipe):
        subject = subject.reversed(models[0].folder)
    contenders = {name: one for name, (_, one) in named.items()}
    subject = replace(
        subject,
        inverse=contenders[first].inverse,
        steps=contenders[first].steps,
        others={name: contenders[name] for name in others},
    )
    verdict = judge_model(subject, instruments).named(first)
    return Comparison(
        verdict,
        {name: found for name, (found, _) in named.items()},
        contenders,
        subject.stains,
        subject.mpp,
        held_out(subject.tiles),
    )


def _named(
    models: Sequence[Found], store: Store, steps: Sequence[int]
) -> dict[str, tuple[Found, Contender]]:
    """Return each model, and each number of steps of a bridge, by the name of its rows."""
    found = {}
    for one in models:
        inverse = _inverse_of(one, store)
        for number in steps if one.card.bridge and steps else [None]:
            name = (
                one.card.id
                if number is None
                else f"{one.card.id}, {number} step{'s' * (number > 1)}"
            )
            found[name] = (one, Contender(one.folder, inverse, number))
    return found


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
