"""Compares slides off the GUI thread, and tells how far it is."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from PySide6.QtCore import QObject, Signal

from stainapp.cancel import CancelToken
from stainapp.compare.comparison import Comparison, compare
from stainapp.compare.instruments import Instruments
from stainapp.compare.pair import Pair
from stainapp.compare.report_files import ReportFiles
from stainapp.session.regions import Region
from stainapp.ui.background import Background
from stainapp.ui.report_pdf import PdfThread

OpenPair: TypeAlias = Callable[[ExitStack, CancelToken], Pair]
"""Opens both sides on the thread, and leaves to the stack what to close."""


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """All that a comparison needs."""

    open: OpenPair
    regions: tuple[Region, ...]
    mpp: float | None = None
    """Micrometres per pixel; None for the finest that both sides have."""
    instruments: Instruments = field(default_factory=Instruments)


class Comparing(QObject):
    """One comparison at a time: a new request stops the one before."""

    progressed = Signal(object, object)  # pieces done, pieces in all
    finished = Signal(object)  # Comparison
    failed = Signal(str)
    reported = Signal(object)  # tuple[Path, ...]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = Background(self)
        self._token = CancelToken()
        self._last: tuple[CompareRequest, Comparison] | None = None

    def start(self, request: CompareRequest) -> None:
        """Measure; ends with one of `finished` and `failed`, or with neither if stopped."""
        self.stop()
        token = self._token = CancelToken()

        def work() -> Comparison:
            with ExitStack() as opened:
                return compare(
                    request.open(opened, token),
                    request.regions,
                    mpp=request.mpp,
                    instruments=request.instruments,
                    token=token,
                    progress=self.progressed.emit,
                )

        def done(found: Comparison) -> None:
            if not token.cancelled:
                self._last = (request, found)
                self.finished.emit(found)

        def failed(sentence: str) -> None:
            if not token.cancelled:
                self.failed.emit(sentence)

        self._background.run(work, done, failed)

    def stop(self) -> None:
        """Stop what runs, before its next piece."""
        self._token.cancel()

    def report(self, page: Path, *, pdf: bool, inputs: Sequence[Path] = ()) -> None:
        """Write the report of the last comparison; ends with `reported` or `failed`.

        Args:
            page: the HTML file; tables go beside it.
            pdf: whether a PDF goes there too.
            inputs: files that must not be written over.
        """
        if self._last is None:
            self.failed.emit("Nothing was compared yet; compare some regions first.")
            return
        request, found = self._last
        token = self._token = CancelToken()  # the one before may have been stopped

        def work() -> tuple[Path, ...]:
            files = ReportFiles(page)
            files.make_room(inputs)
            with ExitStack() as opened:
                pair = request.open(opened, token)
                report = files.write(pair, found, request.instruments, token)
            if pdf:
                files.written.append(PdfThread(report, files.pdf).written())
            return tuple(files.written)

        self._background.run(work, self.reported.emit, self.failed.emit)

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        self._background.close()
