"""How the window starts the trainer: another process that lives on when the window closes."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stainapp.errors import TrainingError
from stainapp.runs.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Trainer:
    """The words that begin each command; tests put another program there."""

    program: tuple[str, ...] = ()

    def words(self, *arguments: str) -> list[str]:
        return [*(self.program or own_program()), "train", *arguments]

    def start(self, folder: RunFolder, *, resume: bool) -> "subprocess.Popen[bytes]":
        """Start to train in a session of its own; its output goes into the run's log file.

        Raises:
            TrainingError: the process cannot be started or its log cannot be written.
        """
        words = self.words(str(folder.recipe_file), "-o", str(folder.path))
        if resume:
            words.append("--resume")
        try:
            with folder.log_file.open("ab") as log:
                return subprocess.Popen(  # noqa: S603 - our own program
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    creationflags=_FLAGS,
                )
        except OSError as error:
            raise TrainingError(
                f"The training in {folder.path} cannot be started ({error.strerror})."
            ) from error


def own_program() -> tuple[str, ...]:
    """Return how this program calls itself, frozen or not."""
    frozen = getattr(sys, "frozen", False)
    return (sys.executable,) if frozen else (sys.executable, "-m", "stainapp")


def shown_command(folder: RunFolder) -> str:
    """Return the line that does the same on a terminal."""
    words = ["stainapp", "train", str(folder.recipe_file), "-o", str(folder.path)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def last_sentence(output: Path | str) -> str:
    """Return the last line that a process wrote, which is its one sentence when it failed."""
    try:
        text = output if isinstance(output, str) else _tail(output)
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("stainapp: ") if lines else ""


def _tail(path: Path, most: int = 4096) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - most))
        return file.read().decode(errors="replace")


def _flags(names: Sequence[str]) -> int:
    return sum(getattr(subprocess, name, 0) for name in names)


_FLAGS = _flags(("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP"))
"""On Windows: no console window, and no Ctrl+C of ours; elsewhere nothing."""
