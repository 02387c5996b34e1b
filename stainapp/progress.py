"""A progress bar on a terminal, JSON lines for a program that watches, nothing elsewhere."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ProgressEvents:
    """Writes how far something is to standard output, one JSON object a line."""

    def __init__(self) -> None:
        self._phase, self._share = "", 0.0

    def phase(self, words: str) -> None:
        """Say what begins now."""
        self._phase = words
        self._write()

    def report(self, done: int, total: int) -> None:
        """Say how much is done of all there is."""
        self._share = done / max(total, 1)
        self._write()

    def _write(self) -> None:
        event = {"event": "progress", "phase": self._phase, "share": round(self._share, 4)}
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


@contextmanager
def progress_line(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield ``report(done, total)``, which draws a bar with the time left on a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
