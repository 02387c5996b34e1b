"""Follows one run: its log, and whether its process lives. Reads on a thread."""

import subprocess
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from stainapp.runs.folder import EventReader, RunFolder
from stainapp.ui.background import Background
from stainapp.ui.run_command import Trainer, last_sentence
from stainapp.ui.run_story import Event, RunStory, State, state_of

LOOK_MS = 400
IDLE_MS = 2000
"""Between looks at a run that no process is known to work on."""
QUIET_FAILURE = "The training ended without a word; resume it from the last checkpoint."

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the folder found."""

    events: tuple[Event, ...]
    running: bool
    failure: str
    """The process's own sentence, where it ended badly."""


class RunWatch(QObject):
    """One run as the window knows it. `begin` starts its process, or goes on with it."""

    changed = Signal()
    """The story or the state is another."""
    live_ready = Signal()
    """The weights that were asked for lie in ``story.live``."""
    failed = Signal(str)

    def __init__(
        self,
        folder: RunFolder,
        trainer: Trainer,
        background: Background,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.folder = folder
        self.story = RunStory()
        self.started_here = False
        """Whether this window started the process that works on it."""
        self._trainer = trainer
        self._background = background
        self._reader = EventReader(folder.events_file)
        self._process: Process | None = None
        self._running = False
        self._known = False
        self._looking = False
        self._begun = 0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    @property
    def known(self) -> bool:
        """Whether the folder has been looked at."""
        return self._known

    @property
    def running(self) -> bool:
        return self._running

    @property
    def state(self) -> State:
        return state_of(self.story, running=self._running)

    @property
    def going(self) -> bool:
        return self._running and self.state in ("starting", "training", "paused")

    def begin(self) -> None:
        """Start the process, from the last checkpoint where there is anything to go on from."""
        if self._running:
            return
        self._running, self.started_here = True, True
        self._begun += 1
        self._timer.setInterval(LOOK_MS)
        self.story.expect_start()
        self.changed.emit()
        self._background.run(
            partial(_begin, self._trainer, self.folder), self._on_begun, self._on_not_begun
        )

    def look(self) -> None:
        """Read what is new, on the thread; `changed` tells when it is here."""
        starting = self._running and self.started_here and self._process is None
        if self._looking or starting:
            return
        self._looking = True
        self._background.run(
            partial(_look, self.folder, self._reader, self._process),
            partial(self._on_look, self._begun),
            self._on_error,
        )

    def close(self) -> None:
        """Look no more. A process that runs goes on."""
        self._timer.stop()
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.returncode = 0  # nobody waits for it any more: it is to outlive this program

    def _on_begun(self, process: Process) -> None:
        self._process = process
        self.look()

    def _on_not_begun(self, sentence: str) -> None:
        self._running = False
        self.story.failure = sentence
        self.changed.emit()

    def _on_error(self, sentence: str) -> None:
        self._looking = False
        self.failed.emit(sentence)

    def _on_look(self, begun: int, look: _Look) -> None:
        self._looking = False
        before = self.state, self._running, self._known
        self._known = True
        if begun == self._begun:  # else the look was at the process before this one
            self._running = look.running
            self._process = self._process if look.running else None
            self._timer.setInterval(LOOK_MS if look.running else IDLE_MS)
        live = self.story.live
        self.story.take(look.events)
        if (
            look.failure
            and begun == self._begun
            and self.state in ("interrupted", "new", "starting")
        ):
            self.story.failure = look.failure
        if look.events or before != (self.state, self._running, self._known):
            self.changed.emit()
        if self.story.live is not live:
            self.live_ready.emit()


def _begin(trainer: Trainer, folder: RunFolder) -> Process:
    resume = folder.events_file.exists()
    folder.say("run")
    return trainer.start(folder, resume=resume)


def _look(folder: RunFolder, reader: EventReader, process: Process | None) -> _Look:
    """Look at the process before the log, so that of one that has ended all is read."""
    running = process.poll() is None if process else folder.is_running()
    events = tuple(reader.new())
    failure = ""
    if process is not None and not running and process.returncode:
        failure = last_sentence(folder.log_file) if process.returncode > 0 else ""
        failure = failure or (QUIET_FAILURE if process.returncode > 0 else "")
    return _Look(events, running, failure)
