"""Cooperative cancellation, free of Qt so that any thread or process can use it."""

from threading import Event

from stainapp.errors import Cancelled


class CancelToken:
    """A one-way flag: one thread sets it, another reads it between steps."""

    def __init__(self) -> None:
        self._event = Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the work should stop."""
        if self._event.is_set():
            raise Cancelled
