"""The run folder: its names, its log of events, and the words said to the process that trains.

recipe.toml    what was asked
events.jsonl   one JSON object a line, see `Events`
samples/       PNG grids source | generated | target
checkpoints/   the last two
model/         one folder a generator, each what the picker reads, of the best validation so far
live/          the same of this moment, written when asked for
control.json   the last word said to the process: run, pause or stop
run.lock       held while a process works on it
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from stainapp.errors import TrainingError
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import RECIPE_FILE, read_recipe
from stainapp.slides.file_lock import FileLock, HeldError

Word = Literal["run", "pause", "stop"]

LOCK_TRIES, LOCK_WAIT_S = 4, 0.05


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's place on disk. Any number of processes may read it, one may work on it."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        return self.path / RECIPE_FILE

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def live(self) -> Path:
        return self.path / "live"

    @property
    def lock_file(self) -> Path:
        return self.path / "run.lock"

    @property
    def log_file(self) -> Path:
        """What the process wrote to its standard streams, when a window started it."""
        return self.path / "output.log"

    @property
    def _control_file(self) -> Path:
        return self.path / "control.json"

    @property
    def exists(self) -> bool:
        return self.recipe_file.is_file()

    @property
    def has_learnt(self) -> bool:
        """Whether there is anything that beginning anew would lose."""
        return self.model.exists() or any(self.checkpoints.glob("*"))

    @property
    def is_foreign(self) -> bool:
        """Whether it holds files, and none of them a recipe: a folder of something else."""
        try:
            names = {one.name for one in self.path.iterdir() if not one.name.startswith(".")}
        except OSError:
            return False
        return not self.exists and bool(names - {self.lock_file.name})

    def recipe(self) -> Recipe:
        return read_recipe(self.recipe_file)

    def lock(self) -> FileLock:
        """Take the run for this process.

        Raises:
            TrainingError: another process works on it.
        """
        try:
            return self._lock()
        except HeldError as error:
            raise TrainingError(
                f"The run {self.path} is being worked on by another process; "
                "stop that one first, or choose another folder."
            ) from error
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written ({error.strerror}).") from error

    def delete(self) -> None:
        """Delete the run with all that was learnt; models copied from it stay.

        Raises:
            TrainingError: a process works on it, or its files are held.
        """
        self.lock().release()
        doomed = self.path.with_name(f".{self.path.name}-{time.time_ns()}")
        try:
            self.path.rename(doomed)  # at once, so that nobody meets half a run
            shutil.rmtree(doomed)
        except OSError as error:
            left = doomed if doomed.exists() else self.path
            raise TrainingError(
                f"{left} cannot be deleted ({error.strerror}); close what holds its files, "
                "then delete it by hand."
            ) from error

    def _lock(self) -> FileLock:
        for _ in range(LOCK_TRIES - 1):  # who asks whether it runs holds it for a moment
            with suppress(HeldError):
                return FileLock(self.lock_file)
            time.sleep(LOCK_WAIT_S)
        return FileLock(self.lock_file)

    def is_running(self) -> bool:
        """Tell whether a process works on it now."""
        if not self.lock_file.exists():
            return False
        try:
            FileLock(self.lock_file).release()
        except HeldError:
            return True
        except OSError:
            pass
        return False

    def say(self, word: Word) -> None:
        """Tell the process to go on, to pause, or to stop and keep the best model."""
        self._update({"word": word})

    def ask_for_live(self) -> None:
        """Ask for the averaged weights of this moment; event "live" answers."""
        self._update({"live": time.time_ns()})

    def control(self) -> tuple[Word, int]:
        """Return the last word said, and the number of the last wish for live weights."""
        values = self._said()
        word = values.get("word", "run")
        live = values.get("live", 0)
        return word if word in get_args(Word) else "run", live if isinstance(live, int) else 0

    def _said(self) -> dict[str, Any]:
        try:
            values = json.loads(self._control_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def _update(self, changes: Mapping[str, Any]) -> None:
        draft = self._control_file.with_suffix(f".{os.getpid()}.tmp")
        try:
            draft.write_text(json.dumps({**self._said(), **changes}), encoding="utf-8")
            draft.replace(self._control_file)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise TrainingError(f"{self.path} cannot be written ({error.strerror}).") from error


class Events:
    """The log of a run, ``events.jsonl``; each line has ``event`` and ``time_s`` (Unix).

    start       step, images, total_images, device, precision, processes, tiles
                {"train": n, "validation": n}, resumed (bool)
    step        step, images, losses {name: mean since the last such line}, rate, images_per_s,
                eta_s; at most about once a second
    sample      step, images, file (below the run), worst (list of tile numbers)
    validation  step, images, metrics {name: value}, score (lower is better), best (bool)
    checkpoint  step, images, file
    live        step, images, model (folder below the run), wish
    paused, going-on, notice {message}
    evaluation  direction ("forward" or "inverse"), model, rows, worst, figure; rows and worst as
                `stainapp.compare.table.Table.as_dict` gives them; one event a direction
    done        step, images, model (folder below the run), why ("finished", "stopped", "early")
    failed      message
    """

    def __init__(self, path: Path) -> None:
        """Open the log to append; a last line that was cut off is ended first."""
        self._file = path.open("ab")
        if path.stat().st_size and not _ends_with_newline(path):
            self._file.write(b"\n")

    def write(self, event: str, **values: Any) -> None:
        """Append one line. A full disk loses the line, not the run."""
        line = json.dumps({"event": event, "time_s": time.time(), **values}, allow_nan=True)
        with suppress(OSError):
            self._file.write(line.encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()


@dataclass
class EventReader:
    """Reads a log as it grows; lines cut off or damaged are passed over."""

    path: Path
    _offset: int = field(default=0)

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield what was added since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        for line in data[:whole].splitlines():
            with suppress(ValueError):
                values = json.loads(line)
                if isinstance(values, dict) and "event" in values:
                    yield values


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
