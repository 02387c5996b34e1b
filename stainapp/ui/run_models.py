"""A run's models: which of them suits the slide, and how they come into the picker. No Qt."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from stainapp.errors import ModelError, StainAppError
from stainapp.models.card import CARD_FILE, ModelCard
from stainapp.models.store import Found, Store, check
from stainapp.ui.train_wish import PLAIN_ID


def cards_in(folder: Path) -> dict[Path, ModelCard]:
    """Return the sound models that a folder is or holds."""
    found = {}
    with suppress(OSError):
        for place in (folder, *sorted(folder.iterdir())):
            if (place / CARD_FILE).is_file():
                with suppress(StainAppError):
                    found[place] = ModelCard.read(place)
    return found


def model_for(folder: Path, stain: str, wanted: str) -> Path:
    """Choose the model to show on a slide of some stain: the way there or the way back.

    Raises:
        ModelError: there is none yet.
    """
    cards = cards_in(folder)
    if not cards:
        raise ModelError(f"There is no model in {folder} yet; wait for the first validation.")
    by_stain = [place for place, card in cards.items() if card.source_stain == stain]
    by_id = [place for place, card in cards.items() if card.id == wanted]
    return next(iter([*[p for p in by_id if p in by_stain], *by_stain, *by_id, *cards]))


def free_id(store: Store, wanted: str) -> str:
    """Return an id that no model has, as ``wanted`` or numbered."""
    taken = Stock.of(store).taken
    number, free = 1, wanted
    while free in taken:
        number += 1
        free = f"{wanted}-{number}"
    return free


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is to go on from, and which ids no new model may have."""

    models: tuple[Found, ...]
    taken: frozenset[str]
    """The ids of all models, and the names of folders that only look like some."""

    @classmethod
    def of(cls, store: Store) -> "Stock":
        """Look at the disk; not for the GUI thread."""
        every = store.list()
        problems = {problem.folder.name for problem in store.problems}
        return cls(store.stainers(), frozenset({found.card.id for found in every} | problems))


def add_models(folder: Path, ids: Mapping[str, str], store: Store) -> tuple[str, ...]:
    """Copy a run's models into the user's store; not for the GUI thread.

    Args:
        folder: holds them.
        ids: for each model's id the one it gets; cards that name each other are rewritten.
        store: where to; never over another model.

    Returns:
        The new ids, in the order of ``ids``.

    Raises:
        ModelError: an id is taken or no plain name, or a file cannot be copied.
    """
    cards = {card.id: (place, card) for place, card in cards_in(folder).items()}
    new = list(ids.values())
    for taken in sorted(Stock.of(store).taken & set(new)):
        raise ModelError(f"A model called {taken!r} is there already; choose another id.")
    if len(set(new)) < len(new):
        raise ModelError("The two models need two ids; change one of them.")
    renamed = [_renamed(cards, old, ids) for old in ids]  # first: it proves that ids are plain
    drafts = store.user / f".new-{os.getpid()}-{new[0]}"
    try:
        for place, card in renamed:
            _copy(place, drafts / card.id, card)
        for name in new:
            (drafts / name).rename(store.user / name)  # fails over a folder that holds anything
    except OSError as error:
        raise ModelError(
            f"The model cannot be added to {store.user} ({error.strerror}); "
            "free some space, or make the folder writable."
        ) from error
    finally:
        shutil.rmtree(drafts, ignore_errors=True)
    return tuple(new)


def _renamed(
    cards: Mapping[str, tuple[Path, ModelCard]], old: str, ids: Mapping[str, str]
) -> tuple[Path, ModelCard]:
    if old not in cards:
        raise ModelError(f"The run has no model {old!r}; resume it or train anew.")
    if not PLAIN_ID.fullmatch(ids[old]):
        raise ModelError(
            f"{ids[old]!r} is no id: use lower-case letters, digits, dots and hyphens."
        )
    place, card = cards[old]
    inverse = ids.get(card.inverse, card.inverse) if card.inverse else None
    return place, replace(card, id=ids[old], inverse=inverse)


def _copy(place: Path, draft: Path, card: ModelCard) -> None:
    draft.mkdir(parents=True)
    for name in card.files:
        shutil.copyfile(place / name, draft / name)
    card.write(draft)
    check(draft)
