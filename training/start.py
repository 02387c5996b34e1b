"""From a recipe's file to a run: what the command line and `python -m training` do."""

import logging
from pathlib import Path

from stainapp.errors import RecipeError, StainAppError, TrainingError
from stainapp.runs.folder import Events, RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import read_recipe, write_recipe
from stainapp.settings import home
from training.check import Checked, check, check_sizes
from training.loop import setting_of, train
from training.processes import Processes, join

log = logging.getLogger(__name__)


def checked(recipe: Recipe, device: str = "auto") -> Checked:
    """Return what a recipe comes to.

    Raises:
        RecipeError: it will not do.
    """
    return check(setting_of(recipe, Processes(), device))


def run_of(recipe_file: Path, recipe: Recipe, output: Path | None) -> RunFolder:
    """Return the folder of a run: as said, where the recipe lies in one, or below `home`."""
    if output is not None:
        return RunFolder(output)
    beside = RunFolder(recipe_file.parent)
    return beside if beside.events_file.exists() else RunFolder(home() / "runs" / recipe.model.id)


def start_from(
    recipe_file: Path,
    *,
    output: Path | None = None,
    data: Path | None = None,
    resume: bool = False,
    device: str = "auto",
) -> tuple[RunFolder, str]:
    """Read a recipe and teach, together with the other processes that torchrun started.

    Returns:
        The run, and why it ended; see `training.loop.train`.

    Raises:
        StainAppError: as `start`.
    """
    recipe = read_recipe(recipe_file, data)
    run = run_of(recipe_file, recipe, output)
    processes = join()
    try:
        return run, start(recipe, run, processes, resume=resume, device=device)
    finally:
        processes.close()


def start(
    recipe: Recipe, run: RunFolder, processes: Processes, *, resume: bool, device: str = "auto"
) -> str:
    """Begin a run, or go on with one, and teach to its end.

    Returns:
        Why it ended; see `training.loop.train`.

    Raises:
        StainAppError: the folder, the recipe or the data will not do, or learning failed.
    """
    if processes.count > 1 and recipe.training.batch % processes.count:
        raise RecipeError(
            f"training.batch is {recipe.training.batch}, which {processes.count} processes "
            "cannot share evenly; make it a multiple of their number."
        )
    check_sizes(recipe)
    if not processes.leads:
        processes.wait()  # until the folder is there
        return train(run, recipe, processes, device)
    check_folder(run, recipe, resume=resume)  # what is wrong here is no failure of the run there
    _make(run)
    lock = run.lock()
    try:
        _prepare(run, recipe, resume=resume)
        processes.wait()
        return train(run, recipe, processes, device)
    except StainAppError as error:
        _note_failure(run, str(error))
        raise
    finally:
        lock.release()


def _make(run: RunFolder) -> None:
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{run.path} cannot be made ({error.strerror}).") from error


def check_folder(run: RunFolder, recipe: Recipe, *, resume: bool) -> None:
    """See that a new run finds its folder empty, and a resumed one its own recipe.

    A run that ended before it had learnt anything may be begun anew, also by another recipe.

    Raises:
        StainAppError: not so; says what to do instead.
    """
    if not resume:
        if run.has_learnt:
            raise TrainingError(
                f"{run.path} already holds a run; add --resume to go on with it, "
                "or choose another folder with -o."
            )
        begun = run.events_file.exists()
        if run.is_foreign or (run.exists and not begun and run.recipe() != recipe):
            raise TrainingError(
                f"{run.path} holds other files; choose a new or empty folder with -o."
            )
    elif not run.exists:
        raise TrainingError(f"There is no run in {run.path} to resume; leave out --resume.")
    elif run.recipe() != recipe:
        raise RecipeError(
            f"The run in {run.path} was begun with another recipe; resume that one "
            f"({run.recipe_file}), or choose another folder."
        )


def _prepare(run: RunFolder, recipe: Recipe, *, resume: bool) -> None:
    if not resume:
        try:
            write_recipe(recipe, run.recipe_file)
        except OSError as error:
            raise TrainingError(f"{run.path} cannot be written ({error.strerror}).") from error
    run.say("run")


def _note_failure(run: RunFolder, sentence: str) -> None:
    try:
        events = Events(run.events_file)
    except OSError as error:
        log.warning("%s", error)
        return
    events.write("failed", message=sentence)
    events.close()
