"""What is being done for a reference, on a thread or in another process: the last wish counts."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from stainapp.ui.background import Background
from stainapp.ui.registrar import Registrar, Registration, Task


class ReferenceWork(QObject):
    """Does one thing at a time. Whoever asks for another gives the one before up."""

    def __init__(self, registrar: Registrar, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.registrar = registrar
        self.background = Background(self)
        """Reads and writes, in order, all that is kept of a pair of slides."""
        self._registration: Registration | None = None
        self._awaited = False
        """Whether nothing can be shown before the thread has answered."""
        self._ticket = 0
        """Of the newest wish."""

    @property
    def busy(self) -> bool:
        """Whether something that is waited for is under way."""
        return self._awaited or self._registration is not None

    @property
    def registration(self) -> Registration | None:
        """The process at work, where there is one."""
        return self._registration

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        *,
        awaited: bool = False,
        dropped: Callable[[Any], None] = lambda found: None,
    ) -> None:
        """Work on the thread.

        Args:
            work: what is done there.
            done: gets what that came to.
            failed: gets the sentence of its error.
            awaited: whether this is `busy` until then.
            dropped: gets what that came to in place of ``done`` where something else was wished
                for meanwhile.
        """
        self._ticket += 1
        self._awaited = awaited
        ticket = self._ticket

        def answer(found: Any) -> None:
            if ticket == self._ticket:
                self._awaited = False
                done(found)
            else:
                dropped(found)

        def refuse(sentence: str) -> None:
            if ticket == self._ticket:
                self._awaited = False
                failed(sentence)

        self.background.run(work, answer, refuse)

    def register(
        self,
        task: Task,
        progress: Callable[[str, float], None],
        done: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        """Register in another process; ``progress`` gets what is done and the share done."""
        self.stop()
        run = Registration(self.registrar.words(task), self)

        def end(*sentence: str) -> None:
            self._registration = None
            if sentence:
                failed(*sentence)
            else:
                done()

        run.progress.connect(progress)
        run.done.connect(end)
        run.failed.connect(end)
        self._registration = run
        run.start()

    def stop(self) -> None:
        """Give up what is under way."""
        self._ticket += 1
        self._awaited = False
        if self._registration is not None:
            self._registration.cancel()
            self._registration = None

    def end(self) -> None:
        """Give up what is under way, and return when its process is gone."""
        if self._registration is not None:
            self._registration.close()
        self.stop()
