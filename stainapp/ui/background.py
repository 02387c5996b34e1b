"""Work that would make the window wait, done on a thread: opening, importing, thumbnails."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from stainapp.errors import Cancelled, StainAppError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ending:
    """What a piece of work came to, on its way to the GUI thread."""

    deliver: Callable[[Any], None]
    value: Any


class Background(QObject):
    """Runs functions on one thread, in order, and hands back on the GUI thread what they return."""

    _ended = Signal(object)  # _Ending

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._closed = False
        self._ended.connect(self._on_ended)

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        """Run ``work`` on the thread, then ``done(result)`` or ``failed(sentence)`` on this one.

        ``work`` must not touch a widget. After `close` nothing is delivered.
        """
        self._pool.submit(self._work, work, done, failed)

    def close(self, *, finish: bool = False) -> None:
        """Drop what has not begun, unless all is to be finished, and wait for what has."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=not finish)

    def _work(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[str], None]
    ) -> None:
        try:
            self._ended.emit(_Ending(done, work()))
        except Cancelled:
            return
        except StainAppError as error:
            self._ended.emit(_Ending(failed, str(error)))
        except Exception as error:
            log.exception("work in the background failed")
            self._ended.emit(_Ending(failed, f"That failed unexpectedly: {error}."))

    @Slot(object)
    def _on_ended(self, ending: _Ending) -> None:
        if not self._closed:
            ending.deliver(ending.value)
