"""Regions in the real window, drawn and changed as a user would."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QComboBox, QMessageBox
from pytestqt.qtbot import QtBot

from stainapp.errors import SessionError
from stainapp.session import region_journal
from stainapp.session.journal import Content, Journal, read_journal
from stainapp.session.regions import Region
from stainapp.ui.region_list import CHECKED, CLASS, LOCK, NAME
from stainapp.ui.region_tools import Tool
from tests.ui.person import ALT, LEFT, NONE, SHIFT, WAIT_MS, Open, corners, near


def test_a_rectangle_is_drawn_selected_and_shown_in_both_panes(window: Open) -> None:
    person = window()
    person.qtbot.waitUntil(lambda: person.app.view.is_settled, timeout=WAIT_MS)
    before = [pane.grab().toImage() for pane in person.app.view.panes]

    region = person.rectangle((1000, 1200), (1800, 1600))

    assert region.shape == "rectangle"
    assert corners(region)[0] == near(person, (1000, 1200))
    assert corners(region)[1] == near(person, (1800, 1600))
    assert person.selected == [region.id]
    assert person.app.hand.tool is Tool.MOVE
    after = [pane.grab().toImage() for pane in person.app.view.panes]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert all(pane.regions.picture.regions == (region,) for pane in person.app.view.panes)


def test_a_region_is_drawn_in_the_second_pane_as_in_the_first(window: Open) -> None:
    person = window(pane=1)

    region = person.rectangle((1000, 1200), (1800, 1600))

    assert corners(region)[1] == near(person, (1800, 1600))


def test_on_a_turned_slide_regions_lie_where_they_were_drawn(window: Open) -> None:
    person = window(rotate=30.0)
    places = (1000.0, 1000.0), (1900.0, 1200.0), (1500.0, 1900.0)

    rectangle = person.rectangle((1000, 1200), (1800, 1600))
    polygon = person.polygon(*places)

    assert corners(rectangle)[0] == near(person, (1000, 1200))
    assert corners(rectangle)[1] == near(person, (1800, 1600))
    assert rectangle.area_px == pytest.approx(800 * 400, rel=0.03)
    assert list(polygon.ring) == [near(person, place) for place in places]


def test_a_region_on_a_real_slide_is_there_again(window: Open, data: Path) -> None:
    slide = str(data / "slides" / "CMU-1-Small-Region.svs")
    person = window(slide)

    region = person.rectangle((500, 600), (1500, 1700))
    person.leaves()

    assert corners(region)[1] == near(person, (1500, 1700))
    assert window(slide).drawn == region


def test_a_tool_says_how_it_is_used(window: Open) -> None:
    person = window()
    hint = person.app.window.status.hint

    person.pick("polygon")
    assert "double click ends it" in hint.text()

    person.pick("move")
    assert hint.text() == ""


def test_a_click_with_the_rectangle_tool_makes_nothing(window: Open) -> None:
    person = window()
    person.pick("rectangle")

    person.click((1000, 1000))

    assert person.regions == []
    assert person.app.hand.tool is Tool.RECTANGLE


@pytest.mark.parametrize("ending", ["double click", "first point"])
def test_a_polygon_ends_with_a_double_click_or_on_its_first_point(
    window: Open, ending: str
) -> None:
    person = window()
    person.pick("polygon")
    person.click((1000, 1000), (2000, 1000))

    if ending == "double click":
        person.double_click((2000, 2000))
    else:
        person.click((2000, 2000), (1000, 1000))

    assert len(person.drawn.ring) == 3
    assert person.app.hand.tool is Tool.MOVE


@pytest.mark.parametrize("others", [0, 1])
def test_the_last_point_is_taken_back_and_escape_drops_the_rest(window: Open, others: int) -> None:
    person = window()
    before = [person.rectangle((100, 100), (600, 600)) for _ in range(others)]
    person.pick("polygon")
    person.click((1000, 1000), (2000, 1000), (2000, 2000))

    person.key(Qt.Key.Key_Backspace)
    assert len(person.line) == 3  # two points and the pointer

    person.key(Qt.Key.Key_Escape)
    assert person.line == []
    assert person.regions == before


def test_space_pans_while_a_polygon_is_drawn(window: Open) -> None:
    person = window(zoom=10.0, at=(1500.0, 1500.0))
    person.pick("polygon")
    person.click((1450, 1450))
    before = person.pane.viewpoint.camera

    person.qtbot.keyPress(person.pane, Qt.Key.Key_Space)
    person.drag((1500, 1500), (1600, 1500))
    person.qtbot.keyRelease(person.pane, Qt.Key.Key_Space)
    person.click((1650, 1450), (1600, 1600))
    person.key(Qt.Key.Key_Return)

    assert person.pane.viewpoint.camera.x < before.x
    assert person.drawn.ring[0] == near(person, (1450, 1450))
    assert len(person.drawn.ring) == 3


def test_clicking_selects_and_clicking_beside_deselects(window: Open) -> None:
    person = window()
    first, second = person.rectangle(), person.rectangle((2000, 2000), (2500, 2600))

    person.click((1400, 1400))
    assert person.selected == [first.id]
    person.click((2200, 2300), modifier=SHIFT)
    assert person.selected == [first.id, second.id]
    person.click((2800, 400))
    assert person.selected == []


def test_dragging_an_unselected_region_pans(window: Open) -> None:
    person = window(zoom=5.0, at=(1500.0, 1500.0))
    region = person.rectangle((1300, 1300), (1600, 1600))
    person.editor.select(())
    before = person.pane.viewpoint.camera

    person.drag((1400, 1400), (1450, 1400))

    assert person.pane.viewpoint.camera != before
    assert person.drawn == region


def test_the_selected_region_is_dragged_undone_and_redone(window: Open) -> None:
    person = window()
    region = person.rectangle((1000, 1200), (1800, 1600))
    camera = person.pane.viewpoint.camera

    person.drag((1200, 1300), (1500, 1500))
    moved = person.drawn
    assert corners(moved)[0] == near(person, (1300, 1400))
    assert person.pane.viewpoint.camera == camera
    assert person.app.window.action("undo").text() == "&Undo move region"

    person.do("undo")
    assert person.drawn == region
    person.do("redo")
    assert person.drawn == moved


def test_a_drag_is_seen_in_both_panes_before_the_button_is_let_go(window: Open) -> None:
    person = window()
    person.rectangle((1000, 1200), (1800, 1600))

    person.drag((1200, 1300), (1500, 1500), let_go=False)

    for pane in person.app.view.panes:
        (shown,) = pane.regions.picture.regions
        assert corners(shown)[0] == near(person, (1300, 1400))
    person.key(Qt.Key.Key_Escape)
    assert person.pane.regions.picture.regions == tuple(person.regions)
    assert corners(person.drawn)[0] == near(person, (1000, 1200))


def test_a_rectangle_is_reshaped_by_its_corner(window: Open) -> None:
    person = window()
    region = person.rectangle((1000, 1200), (1800, 1600))

    person.drag(corners(region)[1], (2200, 2000))

    assert corners(person.drawn)[0] == corners(region)[0]
    assert corners(person.drawn)[1] == near(person, (2200, 2000))
    assert person.drawn.shape == "rectangle"


def test_points_of_a_polygon_are_moved_added_and_removed(window: Open) -> None:
    person = window()
    person.polygon((1000, 1000), (2000, 1000), (2000, 2000), (1000, 2000))

    person.drag((1000, 1000), (700, 700))
    assert person.drawn.ring[0] == near(person, (700, 700))
    person.double_click((1250, 2000))
    assert len(person.drawn.ring) == 5
    person.click((2000, 1500))  # the handle in the middle of an edge
    assert len(person.drawn.ring) == 6
    person.click((2000, 1000), modifier=ALT)
    assert len(person.drawn.ring) == 5
    person.do("undo")
    person.do("undo")
    assert len(person.drawn.ring) == 5


def test_a_locked_region_stays_where_it_is(window: Open) -> None:
    person = window(zoom=5.0, at=(1500.0, 1500.0))
    person.rectangle((1300, 1300), (1600, 1600))
    table = person.app.window.regions.regions
    table.setData(table.index(0, LOCK), CHECKED, Qt.ItemDataRole.CheckStateRole)
    locked = person.drawn
    assert locked.locked

    person.drag((1400, 1400), (1450, 1450))
    person.do("delete-regions")

    assert person.drawn == locked
    assert any("locked" in sentence for sentence in person.app.window.messages.messages)


def test_deleted_regions_come_back_where_they_were(window: Open) -> None:
    person = window()
    first, second = person.rectangle(), person.rectangle((2000, 2000), (2500, 2600))
    person.click((1400, 1400))

    person.do("delete-regions")
    assert person.regions == [second]
    person.do("undo")

    assert person.regions == [first, second]
    assert person.selected == [first.id]


def test_names_classes_and_colours_are_set_in_the_panel(window: Open) -> None:
    person = window()
    person.rectangle()
    table = person.app.window.regions.regions

    table.setData(table.index(0, NAME), "  gland ")
    table.setData(table.index(0, CLASS), "Tumour")
    assert (person.drawn.name, person.drawn.classification) == ("gland", "Tumour")

    person.do("colour-regions")
    dialog = person.app.requests.dialog
    assert isinstance(dialog, QColorDialog)
    dialog.setCurrentColor(QColor(1, 2, 3))
    dialog.accept()
    assert person.drawn.colour == (1, 2, 3)
    person.do("undo")
    person.do("undo")
    assert (person.drawn.name, person.drawn.classification) == ("gland", "")


def test_a_class_of_all_selected_regions_is_set_at_once(window: Open) -> None:
    person = window()
    person.rectangle()
    person.rectangle((2000, 2000), (2500, 2600))
    person.do("select-regions")
    table = person.app.window.regions.regions

    table.setData(table.index(1, CLASS), "Training")

    assert [region.classification for region in person.regions] == ["Training"] * 2
    person.do("undo")
    assert [region.classification for region in person.regions] == [""] * 2


def test_a_class_is_picked_from_the_list_in_the_table(window: Open) -> None:
    person = window()
    person.rectangle()
    panel = person.app.window.regions

    panel.table.edit(panel.regions.index(0, CLASS))
    box = panel.table.findChild(QComboBox)
    assert isinstance(box, QComboBox)
    box.setCurrentIndex(box.findText("Stroma"))
    box.activated.emit(box.currentIndex())

    assert person.drawn.classification == "Stroma"


def test_choosing_a_row_selects_its_region_and_a_click_goes_there(window: Open) -> None:
    person = window(zoom=10.0, at=(1500.0, 1500.0))
    person.editor.put([Region.rectangle(300, 400, 100, 100), Region.rectangle(0, 0, 9, 9)], "Add")
    table = person.app.window.regions.table
    row = person.app.window.regions.regions.index(0, NAME)

    person.qtbot.mouseClick(table.viewport(), LEFT, NONE, table.visualRect(row).center())

    assert person.selected == [person.regions[0].id]
    camera = person.pane.viewpoint.camera
    assert (camera.x, camera.y) == pytest.approx((350, 450))


def test_hidden_regions_are_neither_shown_nor_hit(window: Open) -> None:
    person = window()
    person.rectangle()
    person.editor.select(())

    person.do("show-regions")
    person.click((1400, 1400))

    assert person.pane.regions.picture.regions == ()
    assert person.selected == []
    person.pick("rectangle")
    assert len(person.pane.regions.picture.regions) == 1


def test_regions_and_their_history_are_there_again_in_a_new_window(window: Open) -> None:
    person = window()
    region = person.rectangle()
    person.drag((1200, 1300), (1500, 1500))
    moved = person.drawn
    person.do("undo")
    person.saved()
    assert person.app.window.status.saving.text() == "Saved"
    person.leaves()

    again = window()

    assert again.drawn == region
    again.do("redo")
    assert again.drawn == moved
    again.do("undo")
    again.do("undo")
    assert again.regions == []


def test_what_was_drawn_last_is_saved_when_the_window_closes(window: Open) -> None:
    person = window()
    region = person.rectangle()

    person.leaves()

    assert window().drawn == region


def test_a_second_window_shows_the_regions_and_leaves_them_alone(
    window: Open, qtbot: QtBot
) -> None:
    person = window()
    region = person.rectangle()
    person.saved()

    second = window(waits=False)
    qtbot.waitUntil(lambda: bool(second.regions), timeout=WAIT_MS)

    assert second.drawn == region
    assert "open in another window" in second.app.window.messages.messages[0]
    second.pick("rectangle")
    second.drag((100, 100), (500, 500))
    assert second.drawn == region
    person.leaves()
    second.do("reload")
    qtbot.waitUntil(lambda: second.editor.ready, timeout=WAIT_MS)
    assert second.drawn == region


def test_each_slide_has_its_own_regions(
    window: Open, qtbot: QtBot, plain_slides: tuple[str, str]
) -> None:
    person = window()
    region = person.rectangle()

    one, two = plain_slides
    for slide, expected in ((two, []), (one, [region])):
        with qtbot.waitSignal(person.app.current.opened, timeout=WAIT_MS):
            person.app.current.open(slide)
        qtbot.waitUntil(lambda: person.editor.ready, timeout=WAIT_MS)
        assert person.regions == expected


def test_reloading_a_slide_keeps_regions_and_their_history(window: Open, qtbot: QtBot) -> None:
    person = window()
    person.rectangle()

    with qtbot.waitSignal(person.app.current.opened, timeout=WAIT_MS):
        person.do("reload")

    assert len(person.regions) == 1
    person.do("undo")
    assert person.regions == []


def test_regions_that_cannot_be_read_are_read_again_when_the_slide_is_reloaded(
    window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, plain_slides: tuple[str, str]
) -> None:
    person = window()
    region = person.rectangle()
    person.saved()
    failures = [SessionError("They cannot be read; try again.")]

    def read(path: Path) -> Content | None:
        if failures:
            raise failures.pop()
        return read_journal(path)

    person.app.current.open(plain_slides[1])
    qtbot.waitUntil(lambda: person.editor.ready and not person.regions, timeout=WAIT_MS)
    monkeypatch.setattr(region_journal, "read_journal", read)
    person.app.current.open(plain_slides[0])
    qtbot.waitUntil(lambda: bool(person.app.window.messages.messages), timeout=WAIT_MS)
    person.pick("rectangle")
    person.drag((1000, 1000), (1500, 1500))
    assert person.regions == []  # nothing is drawn over what may be there
    person.do("reload")
    qtbot.waitUntil(lambda: person.editor.ready, timeout=WAIT_MS)

    assert person.regions == [region]


def full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_what_cannot_be_saved_is_told_and_saved_with_the_next_change(
    window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, plain_slides: tuple[str, str]
) -> None:
    person = window()
    person.rectangle((100, 100), (300, 300))
    person.saved()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        person.rectangle()
        qtbot.waitUntil(lambda: person.app.saving.failing, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: bool(person.app.window.messages.messages), timeout=WAIT_MS)
        (sentence,) = person.app.window.messages.messages
        assert "No space left on device" in sentence
        assert person.app.window.status.saving.text() == "⚠ Not saved"
        drawn = person.regions
        person.app.current.open(plain_slides[1])
        qtbot.waitUntil(lambda: person.editor.ready and not person.regions, timeout=WAIT_MS)
        person.app.current.open(plain_slides[0])
        qtbot.waitUntil(lambda: person.editor.ready and person.regions == drawn, timeout=WAIT_MS)
    person.rectangle((2000, 2000), (2500, 2600))
    person.saved()
    drawn = person.regions
    assert person.app.window.status.saving.text() == "Saved"
    person.leaves()

    assert window().regions == drawn


def test_closing_asks_before_something_unsaved_is_lost(
    window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = window()
    person.saved()
    monkeypatch.setattr(Journal, "append", _refuse)
    monkeypatch.setattr(Journal, "rewrite", _refuse)
    person.rectangle()
    qtbot.waitUntil(lambda: person.app.saving.failing, timeout=WAIT_MS)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))

    assert not person.app.window.close()
    assert person.app.window.isVisible()
    assert person.app.window.close()


def _refuse(*_: object) -> None:
    raise SessionError("The disk is full; free some space.")


def test_regions_go_to_geojson_and_come_back(window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    person = window()
    first, second = person.rectangle(), person.polygon()
    path = tmp_path / "Präparat.geojson"

    person.app.requests.regions.write(path)
    qtbot.waitUntil(path.exists, timeout=WAIT_MS)
    person.do("select-regions")
    person.do("delete-regions")
    person.app.requests.regions.read(path)
    qtbot.waitUntil(lambda: bool(person.regions), timeout=WAIT_MS)

    assert [(r.id, r.name, r.shape) for r in person.regions] == [
        (r.id, r.name, r.shape) for r in (first, second)
    ]
    assert list(person.regions[1].ring) == [pytest.approx(point) for point in second.ring]
    person.do("undo")
    assert person.regions == []


def test_importing_the_same_file_again_brings_no_region_twice(
    window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    person = window()
    region = person.rectangle()
    path = tmp_path / "regions.geojson"
    person.app.requests.regions.write(path)
    qtbot.waitUntil(path.exists, timeout=WAIT_MS)
    person.drag((1200, 1300), (1500, 1500))

    person.app.requests.regions.read(path)
    qtbot.waitUntil(lambda: person.drawn.bounds == region.bounds, timeout=WAIT_MS)

    assert len(person.regions) == 1


@pytest.mark.parametrize("text", ["no json", json.dumps({"type": "Topology"})])
def test_a_wrong_file_is_refused_in_one_sentence(
    window: Open, qtbot: QtBot, tmp_path: Path, text: str
) -> None:
    person = window()
    region = person.rectangle()
    path = tmp_path / "wrong.geojson"
    path.write_text(text, encoding="utf-8")

    person.app.requests.regions.read(path)
    qtbot.waitUntil(lambda: bool(person.app.window.messages.messages), timeout=WAIT_MS)

    (sentence,) = person.app.window.messages.messages
    assert "wrong.geojson" in sentence
    assert person.drawn == region


def test_a_reshape_that_leaves_no_area_is_refused(window: Open) -> None:
    person = window()
    region = person.polygon((1000, 1000), (2000, 1000), (1500, 2000))

    assert not person.editor.put([replace(region, polygons=(((region.ring[0],) * 3,),))], "Reshape")

    assert person.drawn == region
    assert "no area" in person.app.window.messages.messages[0]


def test_nothing_is_drawn_before_the_slides_own_regions_are_there(window: Open) -> None:
    person = window()
    person.editor.leave()
    person.pick("rectangle")

    person.drag((1000, 1000), (1500, 1500))

    assert person.regions == []


def test_hundreds_of_regions_are_shown_and_one_of_them_is_hit(window: Open) -> None:
    person = window()
    many = [
        Region.rectangle(100 * (i % 25) + 200, 100 * (i // 25) + 400, 60, 60) for i in range(500)
    ]
    assert person.editor.put(many, "Add")
    person.editor.select(())

    person.click((230, 430))

    assert person.selected == [many[0].id]
    assert not person.pane.grab().isNull()
