"""The recipe that teaches a colour map what a model makes of some slides. No torch."""

from collections.abc import Sequence
from pathlib import Path

from stainapp.models.store import Found
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Made, Recipe
from stainapp.runs.recipe_data import Data, Origin
from stainapp.runs.recipe_file import is_address

USUAL_MPP = 0.5
"""For teachers that know no scale."""
JUDGED = 12
"""Tiles to judge by: each is first stained by the teacher."""


def distilling(
    teacher: Found, slides: Sequence[str], *, mpp: float | None = None, model_id: str | None = None
) -> Recipe:
    """Return the quick recipe of a model's fast stand-in.

    Args:
        teacher: the model.
        slides: files or addresses of its source stain.
        mpp: micrometres per level-0 pixel of the slides, where they do not say it.
        model_id: of what is made.

    Raises:
        RecipeError: the id is no plain name.
    """
    card, quick = teacher.card, preset("distil", "quick")
    return Recipe(
        method="distil",
        model=Made(
            id=model_id or f"{card.id}-fast",
            name=f"{card.name}, fast",
            source_stain=card.source_stain,
            target_stain=card.target_stain,
            mpp=card.mpp or USUAL_MPP,
            # by id where it has one that everybody finds, so that the recipe can travel
            teacher=card.id if teacher.shipped else str(teacher.folder.resolve()),
            tissue=card.tissue,
            background=card.background,
        ),
        network=quick.network,
        data=Data(
            pairing="alone",
            source=tuple(Origin(slide=_absolute(one), mpp=mpp) for one in slides),
            tile_px=quick.tile_px,
            validation_tiles=JUDGED,
        ),
        losses=quick.losses,
        training=quick.training,
    )


def _absolute(slide: str) -> str:
    return slide if is_address(slide) else str(Path(slide).resolve())
