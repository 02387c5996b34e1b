"""Writes journals on a thread of its own, in the order in which it is asked, and tells how it goes.

What cannot be written is kept and tried again: with whatever comes next, and every few seconds.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from stainapp.errors import SessionError
from stainapp.session.journal import Record

log = logging.getLogger(__name__)

RETRY_S = 5.0


class Writable(Protocol):
    """What records are added to; raises SessionError where that fails."""

    def append(self, records: Iterable[Record]) -> None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How the writing stands."""

    written: int
    """Of all pieces ever asked for, how many are on the disk."""
    error: str = ""
    """Why the others are not, in one sentence; "" where they are merely on their way."""


@dataclass(frozen=True, slots=True)
class _Piece:
    journal: Writable
    records: Callable[[], Iterable[Record]]


class Scribe:
    """Owns one thread, from its making to `close`.

    Args:
        told: is called on that thread with a `Standing` after each time something was written,
            or could not be.
    """

    def __init__(self, told: Callable[[Standing], None]) -> None:
        self._told = told
        self._asked: SimpleQueue[_Piece | Callable[[], None] | None] = SimpleQueue()
        self._kept: dict[Writable, list[_Piece]] = {}
        self._written = 0
        self._thread = Thread(target=self._run, name="scribe")
        self._thread.start()

    def append(self, journal: Writable, records: Callable[[], Iterable[Record]]) -> None:
        """Ask for a piece; ``records`` is called on the thread, and must not change anything."""
        self._asked.put(_Piece(journal, records))

    def run(self, work: Callable[[], None]) -> None:
        """Ask for other work, once all that was asked for before is written."""
        self._asked.put(work)

    def close(self) -> None:
        """Write what is left, tell how that went, and end the thread."""
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            asked = self._next()
            if isinstance(asked, _Piece):
                self._keep(asked)
            elif asked is None:
                self._write()
                break
            else:
                self._work(asked)

    def _next(self) -> "_Piece | Callable[[], None] | None":
        """Wait for what is asked next, writing what there is to write meanwhile."""
        if self._kept:
            try:
                return self._asked.get_nowait()
            except Empty:
                self._write()
        while self._kept:
            try:
                return self._asked.get(timeout=RETRY_S)
            except Empty:
                self._write()
        return self._asked.get()

    def _keep(self, piece: _Piece) -> None:
        self._kept.setdefault(piece.journal, []).append(piece)

    def _work(self, work: Callable[[], None]) -> None:
        self._write()
        try:
            work()
        except Exception:
            log.exception("work beside the journals failed")

    def _write(self) -> None:
        """Write all that is kept, journal by journal; what fails stays."""
        error = ""
        for journal, pieces in list(self._kept.items()):
            try:
                journal.append([record for piece in pieces for record in piece.records()])
            except SessionError as failure:
                error = str(failure)
                continue
            except Exception as failure:
                log.exception("a journal could not be written")
                error = f"What you did could not be saved ({failure}); export it to keep it."
                continue
            del self._kept[journal]
            self._written += len(pieces)
        self._told(Standing(self._written, error))
