"""The runs on this machine and how each of them stands. Knows no Qt; reads files."""

import json
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stainapp.errors import RecipeError, StainAppError
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import recipe_from
from stainapp.settings import home
from stainapp.ui.run_story import STATE_WORDS, RunStory, State, state_of

TAIL_BYTES = 128 << 10
"""The end of a log, of which the last events are enough to tell how a run stands."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run as a list shows it."""

    folder: RunFolder
    name: str
    state: State
    share: float
    """How much is done, 0..1."""

    @property
    def words(self) -> str:
        state = STATE_WORDS[self.state].rstrip("…")
        return f"{self.name}: {state}, {100 * self.share:.0f} %"

    @property
    def going(self) -> bool:
        return self.state in ("starting", "training", "paused")

    @property
    def unfinished(self) -> bool:
        return self.state in ("interrupted", "failed")


def runs_home() -> Path:
    """Return the folder in which the window puts its runs."""
    return home() / "runs"


def find_runs(root: Path) -> tuple[RunSummary, ...]:
    """Return the runs below a folder, those changed last first. Not for the GUI thread."""
    folders = []
    with suppress(OSError):
        folders = [RunFolder(one) for one in root.iterdir() if not one.name.startswith(".")]
    runs = [folder for folder in folders if folder.exists]
    return tuple(map(_summary, sorted(runs, key=_changed, reverse=True)))


def free_name(root: Path, wanted: str) -> str:
    """Return a name that no run has that was ever started, as ``wanted`` or numbered."""
    number, name = 1, wanted
    while (root / name).exists() and not is_unused(RunFolder(root / name)):
        number += 1
        name = f"{wanted}-{number}"
    return name


def is_unused(folder: RunFolder) -> bool:
    """Tell whether nothing was ever computed there, so that it may be written anew."""
    used = folder.events_file.exists() or folder.checkpoints.exists() or folder.is_running()
    return folder.exists and not used


def asked_of(folder: RunFolder) -> Recipe:
    """Read a run's recipe as it stands: its slides may lie on a disk that is not here now.

    Raises:
        RecipeError: it is missing, or no recipe.
    """
    path = folder.recipe_file
    try:
        return recipe_from(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise RecipeError(f"The recipe {path} is damaged or missing; train anew.") from error


def _summary(folder: RunFolder) -> RunSummary:
    running = folder.is_running()
    story = RunStory()
    for line in _first_and_last_lines(folder.events_file):
        with suppress(ValueError, TypeError, KeyError):
            event = json.loads(line)
            story.take([event])
    story.begun = story.begun or running
    name = folder.path.name
    with suppress(StainAppError):
        name = asked_of(folder).model.name or name
    return RunSummary(folder, name, state_of(story, running=running), story.share)


def _first_and_last_lines(path: Path) -> list[bytes]:
    with suppress(OSError), path.open("rb") as file:
        first = file.readline()
        rest = path.stat().st_size - len(first) - TAIL_BYTES
        file.seek(max(rest, 0) + len(first))
        return [first, *file.read().splitlines()]
    return []


def _changed(folder: RunFolder) -> float:
    with suppress(OSError):
        return folder.events_file.stat().st_mtime
    with suppress(OSError):
        return folder.recipe_file.stat().st_mtime
    return 0.0
