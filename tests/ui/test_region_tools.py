"""Every tool in the real window, the table that sorts and filters, and the classes in one place."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from stainapp.session.geojson import read_document
from stainapp.session.regions import Region
from stainapp.ui.class_dialog import ClassDialog
from stainapp.ui.region_list import CLASS, NAME, SIZE
from stainapp.ui.region_tools import Tool
from tests.ui.person import ALT, LEFT, NONE, SHIFT, WAIT_MS, Open, Person, Place, corners, near


def sweep(person: Person, *places: Place, modifier: Qt.KeyboardModifier = NONE) -> None:
    """Press, go along places, let go."""
    port = person.pane.viewport()
    person.qtbot.mousePress(port, LEFT, modifier, person.screen(places[0]))
    for place in places[1:]:
        person.qtbot.mouseMove(port, person.screen(place))
    person.qtbot.mouseRelease(port, LEFT, modifier, person.screen(places[-1]))


def around(x: float, y: float, radius: float) -> list[Place]:
    angles = [2 * math.pi * k / 60 for k in range(61)]
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


def test_an_ellipse_is_drawn_and_stays_one_when_it_is_reshaped(window: Open) -> None:
    person = window()
    person.pick("ellipse")
    person.drag((500, 600), (1500, 1200))
    drawn = person.drawn

    person.drag((1500, 900), (1900, 900))

    assert corners(drawn)[1] == near(person, (1500, 1200))
    assert drawn.area_px == pytest.approx(math.pi / 4 * 1000 * 600, rel=0.02)
    assert person.drawn.shape == "ellipse"
    assert corners(person.drawn)[1] == near(person, (1900, 1200))


def test_an_outline_is_drawn_by_hand_and_may_end_where_it_began(window: Open) -> None:
    person = window()
    person.pick("freehand")

    sweep(person, *around(1500, 1500, 600))

    assert person.drawn.area_px == pytest.approx(math.pi * 600**2, rel=0.05)
    assert person.app.hand.tool is Tool.MOVE


def test_the_brush_paints_grows_and_erases(window: Open) -> None:
    person = window()
    radius = 24 / person.pane.viewpoint.camera.zoom
    person.pick("brush")

    sweep(person, (1000, 1000), (2000, 1000))
    painted = person.drawn
    sweep(person, (2000, 1000), (2000, 2000))  # from within it
    grown = person.drawn
    sweep(person, (1500, 700), (1500, 1300), modifier=ALT)
    cut = person.drawn

    assert painted.area_px == pytest.approx(2000 * radius + math.pi * radius**2, rel=0.03)
    assert (grown.id, len(grown.polygons)) == (painted.id, 1)
    assert grown.area_px == pytest.approx(2 * painted.area_px - math.pi * radius**2, rel=0.05)
    assert len(cut.polygons) == 2
    sweep(person, (200, 2800), (700, 2800))  # away from it
    assert len(person.regions) == 2
    assert person.app.hand.tool is Tool.BRUSH
    for before in (cut, grown, painted):
        person.do("undo")
        assert person.drawn == before


def test_the_brush_adds_far_away_with_shift_and_erases_the_whole(window: Open) -> None:
    person = window()
    person.pick("brush")
    sweep(person, (1000, 1000), (1200, 1000))

    sweep(person, (2500, 2500), (2600, 2500), modifier=SHIFT)
    assert len(person.drawn.polygons) == 2
    for _ in range(12):
        person.do("brush-larger")
    sweep(person, (500, 1000), (2800, 2800), modifier=ALT)

    assert person.regions == []
    person.do("undo")
    assert len(person.drawn.polygons) == 2


def test_points_are_set_one_by_one_moved_and_taken_away(window: Open) -> None:
    person = window()
    person.pick("points")
    person.click((500, 500), (1500, 600), (2500, 700))
    three = person.drawn

    person.click((1500, 600), modifier=ALT)
    assert three.shape == "points"
    assert list(three.points) == [near(person, p) for p in ((500, 500), (1500, 600), (2500, 700))]
    assert len(person.drawn.points) == 2
    person.pick("move")
    person.drag((500, 500), (700, 900))

    assert person.drawn.points[0] == near(person, (700, 900))
    assert person.drawn.points[1] == near(person, (2500, 700))


def test_a_length_is_measured_by_dragging_or_by_corners(window: Open) -> None:
    person = window()
    person.pick("ruler")
    person.drag((500, 500), (1500, 500))
    person.pick("ruler")
    person.click((500, 1000), (1500, 1000))
    assert person.pane.regions.picture.measures
    person.double_click((1500, 2000))

    straight, bent = person.regions

    assert (straight.shape, bent.shape) == ("line", "line")
    assert straight.length_px == pytest.approx(1000, rel=0.02)
    assert bent.length_px == pytest.approx(2000, rel=0.02)
    table = person.app.window.regions.regions
    assert table.index(0, SIZE).data().endswith(" µm")
    person.editor.select(())
    person.click((1000, 504))
    assert person.selected == [straight.id]


def test_regions_are_copied_locked_joined_cut_split_and_filled(window: Open) -> None:
    person = window()
    big = Region.rectangle(500, 500, 1000, 1000, name="big")
    small = Region.rectangle(700, 700, 100, 100, name="small")
    person.editor.put([big, small], "Add")

    person.do("cut-regions")
    assert [len(polygon) for polygon in person.drawn.polygons] == [2]
    person.do("fill-regions")
    assert person.drawn.area_px == big.area_px
    person.do("duplicate-regions")
    assert person.regions[1].name == "big copy"
    assert person.regions[1].bounds.x > big.bounds.x
    person.do("select-regions")
    person.do("join-regions")
    assert person.drawn.area_px > big.area_px
    person.do("lock-regions")
    assert person.drawn.locked
    person.do("split-regions")
    assert "unlock it first" in person.app.window.messages.messages[-1]
    for _ in range(5):
        person.do("undo")
    assert person.regions == [big, small]


def test_all_that_was_drawn_goes_to_geojson_and_comes_back(
    window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    person = window()
    person.pick("ellipse")
    person.drag((500, 600), (1500, 1200))
    person.pick("points")
    person.editor.select(())
    person.click((200, 200), (300, 2000))
    person.pick("ruler")
    person.drag((500, 2500), (1500, 2500))
    path = tmp_path / "all.geojson"

    person.app.requests.regions.write(path)
    qtbot.waitUntil(path.exists, timeout=WAIT_MS)

    assert [r.shape for r in read_document(path).regions] == ["ellipse", "points", "line"]
    assert read_document(path).regions == tuple(person.regions)


# the table


def names(person: Person) -> list[str]:
    return [region.name for region in person.app.window.regions.regions.rows]


@pytest.fixture
def tabled(window: Open) -> Person:
    """Twelve regions, each larger than the one before; every third is a tumour."""
    person = window()
    person.editor.put(
        [
            Region.rectangle(
                100, 100, 100 * n, 100, name=f"Region {n}", classification="Tumour" * (n % 3 == 0)
            )
            for n in range(1, 13)
        ],
        "Add",
    )
    person.editor.select(())
    return person


def test_the_table_sorts_by_any_column_and_back_to_the_order_drawn(tabled: Person) -> None:
    table = tabled.app.window.regions.table
    drawn = names(tabled)

    table.sortByColumn(NAME, Qt.SortOrder.DescendingOrder)
    assert names(tabled) == drawn[::-1], "12 comes before 9, and not behind 1"
    table.sortByColumn(SIZE, Qt.SortOrder.AscendingOrder)
    assert names(tabled) == drawn
    table.sortByColumn(CLASS, Qt.SortOrder.AscendingOrder)
    assert names(tabled)[:4] == ["Region 3", "Region 6", "Region 9", "Region 12"]
    table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert names(tabled) == drawn


def test_the_table_is_filtered_and_keeps_what_is_selected(tabled: Person) -> None:
    panel = tabled.app.window.regions
    chosen = [tabled.regions[1].id, tabled.regions[2].id]
    tabled.editor.select(chosen)

    panel.filter.setText("TUM")
    assert names(tabled) == ["Region 3", "Region 6", "Region 9", "Region 12"]
    assert panel.counted.text() == "4 of 12, 2 selected"
    assert tabled.selected == chosen
    panel.filter.setText("region 1")
    assert names(tabled) == ["Region 1", "Region 10", "Region 11", "Region 12"]
    panel.filter.clear()

    rows = {row.row() for row in panel.table.selectionModel().selectedRows()}
    assert rows == {1, 2}


def test_a_row_goes_to_its_region_however_the_table_is_sorted(tabled: Person) -> None:
    panel = tabled.app.window.regions
    panel.table.sortByColumn(SIZE, Qt.SortOrder.DescendingOrder)

    at = panel.table.visualRect(panel.regions.index(0, NAME)).center()
    tabled.qtbot.mouseClick(panel.table.viewport(), LEFT, NONE, at)

    assert tabled.selected == [tabled.regions[11].id]
    camera = tabled.pane.viewpoint.camera
    assert (camera.x, camera.y) == pytest.approx((700, 150))


def test_the_table_is_a_sound_model(tabled: Person, qtmodeltester: object) -> None:
    model = tabled.app.window.regions.regions
    model.set_filter("tumour")
    model.sort(SIZE, Qt.SortOrder.DescendingOrder)

    qtmodeltester.check(model)  # type: ignore[attr-defined]


# classes


def dialog(person: Person) -> ClassDialog:
    person.do("classes")
    assert isinstance(person.app.requests.dialog, ClassDialog)
    return person.app.requests.dialog


def test_a_class_is_renamed_merged_and_recoloured_in_one_place(tabled: Person) -> None:
    box = dialog(tabled)

    box.choose("Tumour")
    box.table.currentItem().setText("Carcinoma")
    assert {r.classification for r in tabled.regions} == {"", "Carcinoma"}
    assert "Tumour" not in tabled.editor.regions.classes
    box.recolour("Carcinoma", QColor(1, 2, 3))
    picture = tabled.pane.regions.picture
    assert picture.classes["Carcinoma"] == (1, 2, 3)
    box.choose("Carcinoma")
    box.table.currentItem().setText("Stroma")
    assert {r.classification for r in tabled.regions} == {"", "Stroma"}
    assert box.chosen == "Stroma"

    for _ in range(3):
        tabled.do("undo")
    assert {r.classification for r in tabled.regions} == {"", "Tumour"}
    assert "Carcinoma" not in tabled.editor.regions.classes


def test_a_class_is_added_selected_by_and_removed_from_its_regions(tabled: Person) -> None:
    box = dialog(tabled)

    box.add.click()
    assert box.chosen == "New class"
    box.choose("Tumour")
    box.select.click()
    assert len(tabled.selected) == 4
    box.remove.click()

    assert {r.classification for r in tabled.regions} == {""}
    assert "Tumour" not in tabled.editor.regions.classes
    assert "New class" in tabled.editor.regions.classes


def test_classes_are_there_again_with_the_regions(window: Open) -> None:
    person = window()
    region = person.rectangle()
    person.editor.set_values([region.id], "Classify", classification="Krypte ä")
    person.editor.set_classes(
        {**person.editor.regions.classes, "Krypte ä": (9, 8, 7)}, "Recolour", {}
    )
    person.saved()
    person.leaves()

    again = window()

    assert again.editor.regions.classes["Krypte ä"] == (9, 8, 7)
    assert again.drawn == replace(region, classification="Krypte ä")
