"""Has a recipe checked by the trainer, in a process of its own, before anything is computed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from stainapp.runs.folder import RunFolder
from stainapp.ui.run_command import Trainer, last_sentence

SILENT = "The check ended without an answer; `stainapp doctor` may say why."


@dataclass(frozen=True, slots=True)
class Area:
    """A region or piece of tissue that goes into one split as a whole."""

    stain: str
    """"source" or "target"."""
    slide: str
    split: str
    """"train" or "validation"."""
    name: str
    area: tuple[float, float, float, float]
    """x, y, width, height in level-0 pixels."""
    squares: tuple[tuple[float, float, float], ...]
    """x, y, side of tiles in it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the trainer says of a recipe."""

    problem: str = ""
    """One sentence; empty where the run can start."""
    tiles: Mapping[str, Any] = field(default_factory=dict)
    split: tuple[Area, ...] = ()
    estimate: Mapping[str, Any] = field(default_factory=dict)


class TrainCheck(QObject):
    """One check at a time; a newer one ends the one before."""

    done = Signal(object)  # Checked

    def __init__(self, trainer: Trainer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._trainer = trainer
        self._process: QProcess | None = None

    @property
    def busy(self) -> bool:
        return self._process is not None

    def start(self, recipe: RunFolder, run: Path) -> None:
        """Check the recipe in one folder for a run in another."""
        self.stop()
        words = self._trainer.words(str(recipe.recipe_file), "-o", str(run), "--check", "--json")
        process = QProcess(self)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        process.start(words[0], words[1:])

    def stop(self) -> None:
        """End the check under way; it says nothing any more."""
        process, self._process = self._process, None
        if process is not None:
            process.finished.disconnect(self._on_finished)
            process.errorOccurred.disconnect(self._on_error)
            process.finished.connect(process.deleteLater)
            process.kill()

    def close(self) -> None:
        """End the check and wait for its process, which was killed and cannot stay."""
        self.stop()
        for process in self.findChildren(QProcess):
            process.waitForFinished(1000)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(Checked("The trainer cannot be started; install stainapp again."))

    def _on_finished(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        output = bytes(process.readAllStandardOutput().data()).decode(errors="replace")
        words = bytes(process.readAllStandardError().data()).decode(errors="replace")
        self._end(read_check(output, words))

    def _end(self, checked: Checked) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        self.done.emit(checked)


def read_check(output: str, words: str) -> Checked:
    """Read what ``--check --json`` printed; without an answer, its last words are the problem."""
    try:
        values = json.loads(last_sentence(output) if "\n{" in output else output)
        areas = tuple(_area(one) for one in values.get("split") or ())
        ok = bool(values["ok"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Checked(last_sentence(words) or SILENT)
    problem = "" if ok else str(values.get("problem") or last_sentence(words) or SILENT)
    return Checked(problem, values.get("tiles") or {}, areas, values.get("estimate") or {})


def _area(values: Mapping[str, Any]) -> Area:
    x, y, width, height = map(float, values["area"])
    squares = tuple((float(a), float(b), float(s)) for a, b, s in values.get("squares") or ())
    return Area(
        str(values["stain"]),
        str(values["slide"]),
        str(values["split"]),
        str(values.get("name", "")),
        (x, y, width, height),
        squares,
    )
