"""What the user asks of reader studies: begin one on the open slide's regions, go on, results."""

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from html import escape
from pathlib import Path
from secrets import randbelow
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog

from stainapp.cancel import CancelToken
from stainapp.models.store import Store
from stainapp.session.reader_study import Study, StudyFolder, make_study
from stainapp.session.regions import Region
from stainapp.settings import home
from stainapp.ui.background import Background
from stainapp.ui.compare_requests import CompareRequests
from stainapp.ui.dialogs import TextDialog
from stainapp.ui.main_window import MainWindow
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.study_dialog import StudyDialog, StudyPlan

if TYPE_CHECKING:
    from stainapp.compare.opening import PairRequest
    from stainapp.compare.pair import Pair
    from stainapp.compare.table import Table

NO_STAIN = (
    "For a new study open a slide and show a virtual stain of it; lay a real section over it "
    "(Compare > Reference slide) where the two stains differ."
)
FEW_REGIONS = "For a new study draw at least two regions: each is shown once real, once virtual."


class StudyRequests(QObject):
    """Asks with the dialog, and shows the study's own window. What it shows is opened anew."""

    def __init__(
        self,
        window: MainWindow,
        compare: CompareRequests,
        editor: RegionEditor,
        store: Store,
        dialogs: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window, self._compare, self._editor = window, compare, editor
        self._store, self._dialogs = store, dialogs
        self._background = Background(self)
        self._reader = ""
        self._open_dialogs: list[QDialog] = []
        self.answers: Mapping[str, Callable[[], object]] = {"reader-study": self._ask}

    def plan(self) -> StudyPlan:
        """Return what a study of the open slide would be."""
        request = self._compare.request()
        regions = self._editor.selected_regions or self._editor.regions.areas
        if request is None or request.model is None:
            return StudyPlan(home() / "studies", self._open, None, NO_STAIN)
        name = f"{Path(request.other).stem}-{Path(request.model).name}"
        folder = home() / "studies" / re.sub(r"[^\w.-]+", "-", name)
        if len(regions) < 2:
            return StudyPlan(folder, self._open, None, FEW_REGIONS)
        make = partial(_make, tuple(regions), request)
        words = (
            f"A new study: {len(regions)} regions, {2 * len(regions)} fields. Real: "
            f"{Path(request.reference).name}. Virtual: {Path(request.model).name} of "
            f"{Path(request.other).name}."
        )
        caution = self._compare.stains_apart()
        return StudyPlan(folder, self._open, make, f"{words} {caution}".rstrip())

    def close(self) -> None:
        """Close all windows of studies, which ends what they read."""
        for dialog in tuple(self._open_dialogs):
            dialog.reject()
        self._background.close()

    def _ask(self) -> None:
        dialog = StudyDialog(self.plan(), self._reader, self._window)
        dialog.opened.connect(self._read)
        dialog.results_asked.connect(self._ask_results)
        self._show(dialog)

    def _show(self, dialog: QDialog) -> None:
        self._open_dialogs.append(dialog)
        dialog.finished.connect(lambda _: self._open_dialogs.remove(dialog))
        self._dialogs.show(dialog)

    def _open(self, study: Study, opened: ExitStack, token: CancelToken) -> "Pair":
        """Open a study's slides; on a thread."""
        from stainapp.compare.opening import PairRequest, open_pair

        request = PairRequest.of(study.slides)
        return open_pair(request, self._store, opened, token, lambda _: None)

    def _read(self, folder: StudyFolder, reader: str, pair: "Pair", slides: ExitStack) -> None:
        """Show the study's window; when it is closed, so are the slides."""
        from stainapp.ui.study_window import StudyWindow

        self._reader = reader
        window = StudyWindow(folder, reader, pair, self._window)
        window.finished.connect(lambda _: slides.close())
        self._show(window)

    def _ask_results(self, folder: StudyFolder) -> None:
        done = partial(self._show_results, folder)
        self._background.run(partial(_results, folder), done, self._window.messages.say)

    def _show_results(self, folder: StudyFolder, table: "Table") -> None:
        dialog = TextDialog("Results of the study", results_html(folder, table), self._window)
        dialog.resize(820, 480)
        self._show(dialog)


def _make(regions: tuple[Region, ...], request: "PairRequest") -> Study:
    """Draw a new study's order, which nobody knows beforehand."""
    return make_study(regions, randbelow(2**31), asdict(request.absolute()))


def _results(folder: StudyFolder) -> "Table":
    from stainapp.compare.study_results import write_results

    return write_results(folder)


def results_html(folder: StudyFolder, table: "Table") -> str:
    """Return the measures of a study as a page."""
    heads = ("Reader", "Measure", "Value", "95 % interval", "Fields", "")
    head = "".join(f"<th align='left'>{one}</th>" for one in heads)
    rows = []
    for row in table.rows:
        value = "" if row.estimate is None else f"{row.estimate:.3g}"
        known = row.low is not None and row.high is not None
        ends = f"{row.low:.3g} to {row.high:.3g}" if known else ""
        cells = (row.subject, row.measure, value, ends, str(row.n or ""), row.note)
        rows.append("".join(f"<td>{escape(one)}</td>" for one in cells))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f"<table cellpadding='4'><tr>{head}</tr>{body}</table>"
        f"<p>Written to {escape(str(folder.path))}: results.csv, and answers.csv with each answer "
        "beside the truth.</p>"
    )
