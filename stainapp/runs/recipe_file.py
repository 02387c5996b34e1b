"""A recipe as the file ``recipe.toml``: read strictly, written whole, its paths found.

Relative paths are looked for beside the recipe.
"""

import tomllib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tomli_w

from stainapp.errors import RecipeError
from stainapp.runs.methods import METHODS
from stainapp.runs.recipe import SCHEMA, Recipe
from stainapp.runs.recipe_data import Origin
from stainapp.strict import build

RECIPE_FILE = "recipe.toml"


def read_recipe(path: Path, data: Path | None = None) -> Recipe:
    """Read a recipe, strictly; relative paths in it become absolute.

    Args:
        path: the recipe.
        data: a folder where its files are looked for, after the recipe's own; also those
            that are gone from where an absolute path says, by their name.

    Raises:
        RecipeError: the file is missing or no TOML, or a field is unknown, missing or
            impossible, or names a file that is in neither folder.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"The recipe {path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise RecipeError(f"The recipe {path} is no TOML: {error}.") from error
    return located(
        recipe_from(values, str(path)), path.resolve().parent, data.resolve() if data else None
    )


def located(recipe: Recipe, beside: Path, data: Path | None = None) -> Recipe:
    """Return the recipe with every path absolute, as `read_recipe` finds it from ``beside``.

    Raises:
        RecipeError: a file is in neither folder.
    """

    def found(path: str) -> str:
        if not path or is_address(path):
            return path
        places = [beside / path]  # an absolute path stays itself
        if data is not None:
            places += [data / path, data / Path(path).name]
        for place in places:
            if place.exists():
                return str(place)
        where = f"is not in {beside}" + (f" or {data}" if data else "")
        if Path(path).is_absolute():
            where = "does not exist" + (f" and is not in {data}" if data else "")
        raise RecipeError(
            f"The recipe names {path}, which {where}; "
            "correct the path, or say where it lies with --data."
        )

    return _with_paths(recipe, found)


def recipe_from(values: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from parsed TOML; ``where`` names its origin in errors."""
    schema = values.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise RecipeError(f"{where}: schema is {schema!r}, and this program reads {SCHEMA!r}.")
    said, method = values.get("losses", {}), values.get("method")
    own = [info.losses for info in METHODS if info.method == method]
    if own and isinstance(said, dict):
        values = {**values, "losses": {**own[0], **said}}
    return build(Recipe, values, where, RecipeError)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe, every value stated, so that later defaults change nothing."""
    path.write_text(tomli_w.dumps(_plain(asdict(recipe))), encoding="utf-8")


def portable(recipe: Recipe) -> Recipe:
    """Return the recipe with files by name alone, to travel with the model it makes.

    Where they lay is nobody's business; ``stainapp train --data`` says where they lie now.
    """
    named = replace(recipe.model, teacher=Path(recipe.model.teacher).name)
    return _with_paths(
        replace(recipe, model=named), lambda path: path if is_address(path) else Path(path).name
    )


def _with_paths(recipe: Recipe, change: Callable[[str], str]) -> Recipe:
    """Return the recipe with each path of its data changed."""

    def origin(one: Origin) -> Origin:
        return replace(
            one,
            slide=change(one.slide),
            folder=change(one.folder),
            regions=change(one.regions),
            transform=change(one.transform),
        )

    def volume(address: str) -> str:
        path, *dataset = address.split("::", 1)
        return "::".join([change(path), *dataset])

    data, losses = recipe.data, recipe.losses
    changed = replace(
        data,
        source=tuple(map(origin, data.source)),
        target=tuple(map(origin, data.target)),
        root=change(data.root),
        aligned=change(data.aligned),
        manifest=change(data.manifest),
        npz=change(data.npz),
        volume_source=volume(data.volume_source),
        volume_target=volume(data.volume_target),
    )
    return replace(recipe, data=changed, losses=replace(losses, vgg=change(losses.vgg)))


def is_address(path: str) -> bool:
    """Tell a made-up slide, such as ``phantom:he``, from a file."""
    return path.startswith(("phantom:", "sample:"))


def _plain(value: Any) -> Any:
    """Turn tuples into lists and leave out None, which TOML does not know."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not None}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
