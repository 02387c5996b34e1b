"""A reader study from the window's menu: what is asked, what is missing, and going on with it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from stainapp.session.reader_study import StudyFolder
from stainapp.session.regions import Region
from stainapp.settings import Settings, home
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.dialogs import TextDialog
from stainapp.ui.study_dialog import StudyDialog
from stainapp.ui.study_requests import FEW_REGIONS, NO_STAIN
from stainapp.ui.study_window import StudyWindow

WAIT_MS = 60_000
"""Generous: it only bounds a test that would hang."""
Start = Callable[[], App]
KEY = Qt.Key


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    apps: list[App] = []

    def begin() -> App:
        options = ViewOptions(slide="phantom:he:600:1", size=(1000, 700))
        app = App(options, replace(Settings(), theme="light"))
        apps.append(app)
        app.start()
        qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)
        return app

    yield begin
    for app in apps:
        app.close()
        app.window.deleteLater()


def stained(app: App, qtbot: QtBot) -> None:
    app.requests.stain.start_model("macenko", None)
    qtbot.waitUntil(lambda: app.virtual.reader is not None, timeout=WAIT_MS)


def drawn(app: App) -> None:
    regions = [Region.rectangle(x, 100, 150, 150, name=f"at {x}") for x in (50, 300)]
    assert app.regions.put(regions, "Draw")


def asked(app: App, qtbot: QtBot, reader: str = "anna") -> StudyDialog:
    """Choose the menu's action, and wait until the dialog has looked into the folder."""
    app.window.action("reader-study").trigger()
    dialog = app.requests.dialog
    assert isinstance(dialog, StudyDialog)
    qtbot.waitUntil(lambda: bool(dialog.words.text()), timeout=WAIT_MS)
    dialog.reader.setEditText(reader)
    return dialog


def begun(app: App, dialog: StudyDialog, qtbot: QtBot) -> StudyWindow:
    qtbot.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: isinstance(app.requests.dialog, StudyWindow), timeout=WAIT_MS)
    window = app.requests.dialog
    assert isinstance(window, StudyWindow)
    return window


def answered(window: StudyWindow, qtbot: QtBot, fields: int) -> None:
    for _ in range(fields):
        qtbot.waitUntil(window.choices[True].isEnabled, timeout=WAIT_MS)
        at = window.field
        for key in (KEY.Key_V, KEY.Key_4, KEY.Key_Return):
            qtbot.keyClick(window, key)
        qtbot.waitUntil(lambda at=at: window.field != at, timeout=WAIT_MS)  # type: ignore[misc]


def test_what_is_missing_for_a_new_study_is_said(start: Start, qtbot: QtBot) -> None:
    app = start()

    dialog = asked(app, qtbot)
    assert dialog.words.text() == NO_STAIN
    assert not dialog.begin.isEnabled()
    dialog.reject()

    stained(app, qtbot)
    dialog = asked(app, qtbot)
    assert dialog.words.text() == FEW_REGIONS
    assert not dialog.begin.isEnabled()


def test_a_study_is_begun_read_and_gone_on_with_from_the_same_place(
    start: Start, qtbot: QtBot
) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)

    dialog = asked(app, qtbot)
    assert "2 regions, 4 fields" in dialog.words.text()
    answered(begun(app, dialog, qtbot), qtbot, 1)
    folder = StudyFolder.open(home() / "studies" / "phantom-he-600-1-macenko")
    window = app.requests.dialog
    assert isinstance(window, StudyWindow)
    window.reject()

    again = asked(app, qtbot)
    assert again.begin.text() == "Go on"
    assert "anna 1" in again.words.text()
    window = begun(app, again, qtbot)
    answered(window, qtbot, 3)
    assert window.field is None
    assert len(folder.answers("anna")) == 4
    window.reject()


def test_the_results_are_shown_and_lie_beside_the_study(start: Start, qtbot: QtBot) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)
    window = begun(app, asked(app, qtbot), qtbot)
    answered(window, qtbot, 4)
    window.reject()

    dialog = asked(app, qtbot)
    qtbot.mouseClick(dialog.results, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: isinstance(app.requests.dialog, TextDialog), timeout=WAIT_MS)

    shown = app.requests.dialog
    assert isinstance(shown, TextDialog)
    assert "right choices" in shown.text.toPlainText()
    (study,) = (home() / "studies").iterdir()
    assert len((study / "answers.csv").read_text("utf-8").splitlines()) == 1 + 4
    assert (study / "results.csv").is_file()


@pytest.mark.parametrize("name", ["", "anna b", "../anna", "ä" * 61])
def test_a_reader_needs_a_name_that_a_file_can_have(start: Start, qtbot: QtBot, name: str) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)

    assert not asked(app, qtbot, name).begin.isEnabled()


def test_a_folder_that_cannot_be_written_is_said_and_another_can_be_chosen(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)
    dialog = asked(app, qtbot)
    (tmp_path / "file").write_text("no folder")

    dialog.folder.setText(str(tmp_path / "file" / "study"))
    qtbot.waitUntil(lambda: bool(dialog.words.text()), timeout=WAIT_MS)
    qtbot.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "cannot be written" in dialog.problem.text(), timeout=WAIT_MS)
    assert dialog.isVisible()

    dialog.folder.setText(str(tmp_path / "study"))
    qtbot.waitUntil(lambda: not dialog.problem.text(), timeout=WAIT_MS)
    assert begun(app, dialog, qtbot).isVisible()


def test_a_damaged_study_is_named_and_not_written_over(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)
    dialog = asked(app, qtbot)
    (tmp_path / "study.json").write_text("{")

    dialog.folder.setText(str(tmp_path))

    qtbot.waitUntil(lambda: "damaged" in dialog.problem.text(), timeout=WAIT_MS)
    assert not dialog.begin.isEnabled()


def test_closing_the_program_closes_the_study(start: Start, qtbot: QtBot) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)
    window = begun(app, asked(app, qtbot), qtbot)

    with qtbot.waitSignal(window.finished, timeout=WAIT_MS):
        app.window.close()
