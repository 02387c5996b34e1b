"""How the window registers slides: another process, which can be ended at any moment.

It holds the other end of this one's pipe as its standard input, and so ends with it in any case.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from stainapp.ui.run_command import last_sentence, own_program

QUIET_FAILURE = "The registration ended without a word; register again, or place landmarks."
GOODBYE_MS = 2000
"""How long a killed process may take to be gone when the program closes."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be registered, and where the transform goes."""

    fixed: str
    """An address, as `moving`."""
    moving: str
    output: Path
    fixed_mpp: float | None = None
    """The user's word on the scale, where the file has none; as `moving_mpp`."""
    moving_mpp: float | None = None
    landmarks: Path | None = None
    """Pairs to start from."""
    mirrored: bool = False
    """Whether the moving slide is known to lie upside down."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """The words that begin each command; tests put another program there."""

    program: tuple[str, ...] = ()

    def words(self, task: Task) -> list[str]:
        words = [*(self.program or own_program()), "register", task.fixed, task.moving]
        words += ["-o", str(task.output), "--progress-json", "--end-with-stdin"]
        for name, mpp in (("--fixed-mpp", task.fixed_mpp), ("--moving-mpp", task.moving_mpp)):
            words += [] if mpp is None else [name, f"{mpp:.9g}"]
        if task.landmarks is not None:
            words += ["--start", str(task.landmarks)]
        return [*words, "--mirrored"] if task.mirrored else words


class Registration(QObject):
    """One run of the command. Tells how far it is, and once how it ended."""

    progress = Signal(str, float)
    """What is being done, and the share of all that is done, 0..1."""
    done = Signal()
    """The transform is on disk."""
    failed = Signal(str)

    def __init__(self, words: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process = QProcess(self)
        self._process.setProgram(words[0])
        self._process.setArguments(list(words[1:]))
        self._process.readyReadStandardOutput.connect(self._on_output)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._unread = b""
        self._silent = False

    @property
    def process_id(self) -> int:
        """The running process; 0 where none runs."""
        return self._process.processId()

    def start(self) -> None:
        self._process.start()

    def cancel(self) -> None:
        """End the process at once; nothing more is told."""
        self._silent = True
        self._process.kill()

    def close(self) -> None:
        """Cancel, and return when the process is gone."""
        self.cancel()
        self._process.waitForFinished(GOODBYE_MS)

    def _on_output(self) -> None:
        self._unread += bytes(self._process.readAllStandardOutput().data())
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            event = _event(line)
            if event.get("event") == "progress" and not self._silent:
                self.progress.emit(str(event.get("phase", "")), float(event.get("share", 0.0)))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if not self._silent:
            self._silent = True
            if code == 0 and status is QProcess.ExitStatus.NormalExit:
                self.done.emit()
            else:
                words = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
                crashed = status is QProcess.ExitStatus.CrashExit
                self.failed.emit((not crashed and last_sentence(words)) or QUIET_FAILURE)
        self.deleteLater()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # the only one without a finish
            if not self._silent:
                self._silent = True
                self.failed.emit(
                    f"The registration cannot be started ({self._process.errorString()})."
                )
            self.deleteLater()


def _event(line: bytes) -> dict[str, Any]:
    """Read one line; what is no event of ours is nothing."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
