"""A model that makes the targets another one learns from: tiles as the viewer would stain them.

A tile is stained within as much of its surroundings as the model sees, by statistics of its whole
slide, and bare glass is handed through: a function of the slide and the place alone.
"""

from collections.abc import Mapping
from threading import RLock
from typing import Any

from stainapp.errors import ModelError, RecipeError
from stainapp.models.background import MARGIN_PX, tissue_share, with_glass
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import ANY_STAIN, ModelCard
from stainapp.models.opening import open_stainer
from stainapp.models.slide_state import SlideState
from stainapp.models.store import Found, default_store
from stainapp.runs.recipe import Recipe
from stainapp.slides.reader import RgbImage, SlideReader
from training.fields import Field

NEAR_MPP = 0.05
"""Largest relative difference between a teacher's scale and the recipe's."""


class Teacher:
    """A model, opened, and what it knows of each slide. Threads may share it."""

    def __init__(self, recipe: Recipe, device: str = "auto") -> None:
        """Open the recipe's teacher; in float32, so that its tiles are the same on every day.

        Raises:
            RecipeError: there is none, or it does not go with the recipe.
        """
        found = teacher_of(recipe)
        _refuse_misfit(found.card, recipe)
        try:
            self._stainer = open_stainer(found.folder, device=device, precision="fp32")
        except ModelError as error:
            raise RecipeError(f"The teacher cannot be used: {error}") from error
        self.card = found.card
        self._states: dict[SlideReader, SlideState] = {}
        self._lock = RLock()

    def target(self, field: Field, i: int, j: int, side_px: int) -> RgbImage:
        """Return what the teacher makes of a tile, by its corner in working pixels.

        A network sees the tile within its halo, in step with the grid the viewer stains it on;
        one that blends its tiles sees this tile alone.

        Raises:
            SlideError: the slide cannot be read.
            ModelError: the slide shows too little tissue to fit the teacher to.
        """
        card, state = self.card, self._state(field.reader)
        crops, passes = card.blend == "crop", card.background == "pass"
        reach = max(card.halo, MARGIN_PX) if crops else 0
        step = card.multiple if crops else 1
        left, top = ((at - reach) // step * step for at in (i, j))
        side = -(-(side_px + reach + max(i - left, j - top)) // step) * step
        seen = field.read(left, top, side)
        made: RgbImage = self._stainer.predict(seen[None], state)[0]
        if passes:
            made = with_glass(made, seen, tissue_share(seen, state.glass, left, top))
        return made[j - top : j - top + side_px, i - left : i - left + side_px]

    def _state(self, reader: SlideReader) -> SlideState:
        with self._lock:  # a slide is looked over once
            if reader not in self._states:
                self._states[reader] = calibrate_slide(reader, self._stainer)
            return self._states[reader]


def teacher_of(recipe: Recipe) -> Found:
    """Find the recipe's teacher by id, or by its folder.

    Raises:
        RecipeError: there is none.
    """
    try:
        return default_store().at(recipe.model.teacher)
    except ModelError as error:
        raise RecipeError(f"The teacher cannot be used: {error}") from error


def taught_by(recipe: Recipe) -> ModelCard | None:
    """Return the card of the recipe's teacher; None where nothing is distilled."""
    return teacher_of(recipe).card if recipe.model.teacher else None


def facts_of(teacher: ModelCard) -> Mapping[str, Any]:
    """Return what a card says of the model that it was distilled from."""
    return {
        "id": teacher.id,
        "name": teacher.name,
        "version": teacher.version,
        "digest": teacher.digest,
    }


def sees_grey(recipe: Recipe) -> bool:
    """Tell whether the network gets the grey of a slide: as its teacher does, if it has one."""
    teacher = taught_by(recipe)
    return recipe.data.pairing == "self" if teacher is None else teacher.grey_input


def _refuse_misfit(card: ModelCard, recipe: Recipe) -> None:
    made = recipe.model
    stains = (
        ("source", card.source_stain, made.source_stain),
        (
            "target",
            card.target_stain,
            made.target_stain,
        ),
    )
    for side, own, asked in stains:
        if own not in (ANY_STAIN, asked):
            raise RecipeError(
                f"The teacher {card.id!r} stains {card.source_stain} as {card.target_stain}, and "
                f"the recipe's {side} stain is {asked}; set model.{side}_stain to {own}."
            )
    if not card.pixelwise and card.mpp and abs(card.mpp / made.mpp - 1) > NEAR_MPP:
        raise RecipeError(
            f"The teacher {card.id!r} works at {card.mpp:g} um/px and the recipe at "
            f"{made.mpp:g}; set model.mpp to {card.mpp:g}."
        )
    whole = card.multiple if card.blend == "overlap" else 1
    for name in ("tile_px", "validation_px"):
        side_px = getattr(recipe.data, name)
        if side_px % whole:
            near = max(whole, round(side_px / whole) * whole)
            raise RecipeError(
                f"data.{name} is {side_px}, and the teacher {card.id!r} takes multiples of "
                f"{whole}; set it to {near}."
            )
