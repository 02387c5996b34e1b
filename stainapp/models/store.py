"""The models on this machine: found, checked, removed. Imports no torch.

A folder of models holds one folder a model, named by its id. Names that begin with a dot
are half-written or none of our business.
"""

import difflib
import logging
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resources import resource
from stainapp.errors import ModelError
from stainapp.models.card import CARD_FILE, ModelCard, sha256_of
from stainapp.settings import home

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A model whose card can be read."""

    card: ModelCard
    folder: Path
    shipped: bool
    """Whether it came with the program, and so cannot be removed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A folder that should be a model and is none."""

    folder: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Store:
    """The models below some folders; where an id occurs twice, the earlier folder wins.

    It keeps nothing: each call looks at the disk, so a model that a training run has just
    written is there.
    """

    user: Path
    """Folder of models that the user may add to and remove from; it need not exist."""
    shipped: Sequence[Path] = ()
    """Folders of models that come with the program."""

    def list(self) -> tuple[Found, ...]:
        """Return all sound models, shipped ones first, then by id."""
        return self._look()[0]

    def stainers(self) -> tuple[Found, ...]:
        """Return those of `list` that make a stain: what a picker may offer."""
        return tuple(found for found in self._look()[0] if found.card.kind == "stainer")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Folders that were passed over, each with one sentence of why."""
        return self._look()[1]

    def find(self, id: str) -> Found:  # noqa: A002 - the card's word
        """Return the model of that id.

        Raises:
            ModelError: there is none; the message names those that are spelt alike.
        """
        models, problems = self._look()
        for found in models:
            if found.card.id == id:
                return found
        for problem in problems:
            if problem.folder.name == id:
                raise ModelError(problem.reason)
        ids = [found.card.id for found in models]
        near = difflib.get_close_matches(id, ids, n=3, cutoff=0.5)
        known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ids)}."
        raise ModelError(f"No model is called {id!r}: {known if ids else 'none is installed.'}")

    def at(self, name: str) -> Found:
        """Return the model in a folder, or of an id.

        Raises:
            ModelError: it is neither, or the folder's card cannot be used.
        """
        folder = Path(name)
        if (folder / CARD_FILE).is_file():
            return Found(ModelCard.read(folder), folder, shipped=False)
        return self.find(name)

    def remove(self, id: str) -> None:  # noqa: A002 - the card's word
        """Delete one of the user's models.

        Raises:
            ModelError: there is none, it came with the program, or its files are held.
        """
        found = self.find(id)
        if found.shipped:
            raise ModelError(f"The model {id!r} came with the program and cannot be removed.")
        try:
            shutil.rmtree(found.folder)
        except OSError as error:
            raise ModelError(f"{found.folder} cannot be removed: {error.strerror}.") from error

    def _look(self) -> tuple[tuple[Found, ...], tuple[Problem, ...]]:
        models: dict[str, Found] = {}
        problems = []
        for root, shipped in (*((root, True) for root in self.shipped), (self.user, False)):
            try:
                folders = _folders(root)
            except OSError as error:
                reason = f"The models in {root} are not seen ({error.strerror}); make it readable."
                problems.append(Problem(root, reason))
                continue
            for folder in folders:
                try:
                    card = _card(folder)
                    if card.id in models:
                        raise ModelError(f"{folder} is passed over: {card.id!r} is taken.")
                    models[card.id] = Found(card, folder, shipped)
                except ModelError as error:
                    log.debug("%s", error)  # on every look, and perhaps not the model asked for
                    problems.append(Problem(folder, str(error)))
        return tuple(models.values()), tuple(problems)


def default_store() -> Store:
    """Return the store of what ships and what lies in the user's own folder."""
    return Store(user=home() / "models", shipped=(resource("models"),))


def check(folder: Path) -> ModelCard:
    """Verify a model folder: a strict card, every file as recorded, and nothing else.

    Raises:
        ModelError: says which file is missing, changed, left over or a link.
    """
    card = _card(folder)
    present = {entry.name: entry for entry in folder.iterdir()}
    for name, entry in sorted(present.items()):
        if not stat.S_ISREG(entry.lstat().st_mode):
            raise ModelError(f"{entry} is no plain file: remove it, or install the model again.")
        if name != CARD_FILE and name not in card.files:
            raise ModelError(f"{entry} is not on the model's card: remove it.")
    for name, expected in card.files.items():
        if name not in present:
            raise ModelError(f"{folder / name} is missing: install the model again.")
        if sha256_of(present[name]) != expected:
            raise ModelError(f"{folder / name} has changed or is damaged: install the model again.")
    return card


def _card(folder: Path) -> ModelCard:
    card = ModelCard.read(folder)
    if card.id != folder.name:
        raise ModelError(f"{folder} holds the model {card.id!r}: rename the folder to that.")
    return card


def _folders(root: Path) -> list[Path]:
    try:
        entries = sorted(root.iterdir())
    except FileNotFoundError:
        return []
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def plain_id(path: Path) -> str:
    """Suggest a model's id from the name of the file it is imported from."""
    plain = re.sub(r"[^a-z0-9]+", "-", path.name.partition(".")[0].lower()).strip("-")
    return plain[:60] or "model"
