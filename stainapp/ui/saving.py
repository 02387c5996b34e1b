"""What the user does, on its way to the disk: a scribe, and how it stands for the window."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import strftime
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from stainapp.errors import StainAppError
from stainapp.session.journal import Record
from stainapp.session.scribe import Scribe, Standing, Writable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What work on the thread came to, on its way to the GUI thread."""

    deliver: Callable[[Any], None]
    value: Any


class Saving(QObject):
    """Writes and reads journals off the GUI thread, in order. What fails is tried again."""

    noted = Signal(str, str)
    """How it stands, in a word or two for the status line, and more about it."""
    failed = Signal(str)
    saved = Signal()
    """All that was asked for is on the disk."""

    _stands = Signal(object)  # Standing
    _answered = Signal(object)  # _Answer

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked = self._written = 0
        self._error = ""
        self._closed = False
        self._stands.connect(self._on_standing)
        self._answered.connect(self._on_answer)
        self._scribe = Scribe(self._stands.emit)

    @property
    def pending(self) -> bool:
        """Whether something is not on the disk yet."""
        return self._written < self._asked

    @property
    def failing(self) -> bool:
        """Whether what is pending could not be written when it was tried last."""
        return self.pending and bool(self._error)

    def append(
        self, journal: Writable, records: Callable[[], Iterable[Record]], *, quietly: bool = False
    ) -> None:
        """Have records written; ``records`` is called on the thread.

        Args:
            journal: what they are added to; this thread leaves it alone from now on.
            records: makes them, of frozen things.
            quietly: do not say "Saving…", as the user did not ask for what is written.
        """
        self._asked += 1
        if not quietly and not self._error:
            self.noted.emit("Saving…", "")
        self._scribe.append(journal, records)

    def run(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[str], None]
    ) -> None:
        """Do other work with these files on the thread, once all before it is written.

        ``done(result)`` or ``failed(sentence)`` then runs on this thread; nothing after `close`.
        """

        def answered() -> None:
            try:
                self._answered.emit(_Answer(done, work()))
            except StainAppError as error:
                self._answered.emit(_Answer(failed, str(error)))
            except Exception as error:
                log.exception("work beside the journals failed")
                self._answered.emit(_Answer(failed, f"That failed unexpectedly: {error}."))

        self._scribe.run(answered)

    def close(self) -> None:
        """Write what is left, and end the thread."""
        self._closed = True
        self._scribe.close()

    @Slot(object)
    def _on_standing(self, standing: Standing) -> None:
        new_error = standing.error and standing.error != self._error
        self._written, self._error = standing.written, standing.error
        if standing.error:
            self.noted.emit("⚠ Not saved", standing.error)
            if new_error:
                self.failed.emit(standing.error)
        elif not self.pending:
            self.noted.emit("Saved", f"All you did is on the disk since {strftime('%X')}.")
            self.saved.emit()

    @Slot(object)
    def _on_answer(self, answer: _Answer) -> None:
        if not self._closed:
            answer.deliver(answer.value)
