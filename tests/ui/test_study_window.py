"""A reader study in its window, read by keyboard."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from stainapp.compare.pair import Pair
from stainapp.session.reader_study import Study, StudyFolder, make_study
from stainapp.session.regions import Region
from stainapp.ui.study_window import StudyWindow
from tests.compare.readers import ArraySlide, side

REAL, VIRTUAL = 60, 190
KEY = Qt.Key


def flat(grey: int, name: str) -> ArraySlide:
    return ArraySlide(np.full((100, 400, 3), grey, np.uint8), name)


@pytest.fixture
def study() -> Study:
    regions = [Region.rectangle(100 * n, 10, 60, 50, name=f"r{n}") for n in range(3)]
    return make_study(regions, 5, {"reference": "a", "other": "b"})


@pytest.fixture
def folder(study: Study, tmp_path: Path) -> StudyFolder:
    return StudyFolder.create(tmp_path, study)


def window_of(folder: StudyFolder, qtbot: QtBot, clock: float = 0.0) -> StudyWindow:
    pair = Pair(side(flat(REAL, "real")), side(flat(VIRTUAL, "virtual")))
    window = StudyWindow(folder, "anna", pair, clock=lambda: clock)
    qtbot.addWidget(window)
    shown(window, qtbot)
    return window


def shown(window: StudyWindow, qtbot: QtBot) -> None:
    """Wait until there is a field to answer, the end, or something to say."""
    qtbot.waitUntil(lambda: window.choices[True].isEnabled() or bool(window.problem.text()))


def answer(window: StudyWindow, qtbot: QtBot, *keys: Qt.Key) -> None:
    for key in keys:
        qtbot.keyClick(window, key)
    shown(window, qtbot)


def grey(window: StudyWindow) -> int:
    return window.picture.pixmap.toImage().pixelColor(5, 5).red()


def test_fields_come_in_the_studys_order_and_say_nothing_of_themselves(
    folder: StudyFolder, study: Study, qtbot: QtBot
) -> None:
    window = window_of(folder, qtbot)

    for number, field in enumerate(study.fields):
        assert grey(window) == (VIRTUAL if field.virtual else REAL)
        assert window.place.text() == f"Field {number + 1} of 6"
        answer(window, qtbot, KEY.Key_R, KEY.Key_4, KEY.Key_Return)

    assert window.field is None
    assert set(folder.answers("anna")) == set(range(6))


def test_what_is_said_by_key_is_kept_once_both_questions_have_an_answer(
    folder: StudyFolder, qtbot: QtBot
) -> None:
    window = window_of(folder, qtbot)

    answer(window, qtbot, KEY.Key_V, KEY.Key_Return)
    assert folder.answers("anna") == {}
    assert not window.go_on.isEnabled()
    answer(window, qtbot, KEY.Key_2, KEY.Key_Return)

    kept = folder.answers("anna")[0]
    assert (kept.says_virtual, kept.score) == (True, 2)


def test_the_window_goes_on_where_it_was_closed(folder: StudyFolder, qtbot: QtBot) -> None:
    first = window_of(folder, qtbot)
    answer(first, qtbot, KEY.Key_V, KEY.Key_2, KEY.Key_Return)
    answer(first, qtbot, KEY.Key_V)  # half an answer is none
    first.reject()

    assert window_of(folder, qtbot).field == 1


def test_backspace_goes_back_to_answer_anew(folder: StudyFolder, qtbot: QtBot) -> None:
    window = window_of(folder, qtbot)
    answer(window, qtbot, KEY.Key_V, KEY.Key_2, KEY.Key_Return)

    answer(window, qtbot, KEY.Key_Backspace)
    assert window.field == 0
    answer(window, qtbot, KEY.Key_R, KEY.Key_5, KEY.Key_Return)

    assert folder.answers("anna")[0].score == 5
    assert window.field == 1


def test_keys_before_the_field_is_seen_say_nothing(folder: StudyFolder, qtbot: QtBot) -> None:
    pair = Pair(side(flat(REAL, "real")), side(flat(VIRTUAL, "virtual")))
    window = StudyWindow(folder, "anna", pair)
    qtbot.addWidget(window)

    for key in (KEY.Key_R, KEY.Key_3, KEY.Key_Return):
        qtbot.keyClick(window, key)

    assert folder.answers("anna") == {}
    shown(window, qtbot)


def test_an_answer_that_cannot_be_kept_is_told_and_the_field_stays(
    folder: StudyFolder, qtbot: QtBot
) -> None:
    window = window_of(folder, qtbot)
    (folder.path / "answers-anna.jsonl").mkdir()

    answer(window, qtbot, KEY.Key_R, KEY.Key_3, KEY.Key_Return)

    assert window.field == 0
    assert "anna" in window.problem.text()
