"""Landmarks in the real window: placed, moved, undone, kept, and what they register."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from stainapp.errors import RegionError
from stainapp.registration import kept, landmark_file
from stainapp.registration.landmark_file import read_pairs
from stainapp.registration.pairs import Pair, Place, Side
from stainapp.settings import Settings
from stainapp.ui import landmark_window
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.landmark_window import LandmarkWindow
from stainapp.ui.linked_views import camera_on_fixed, camera_on_moving
from tests.ui import fake_registrar
from tests.ui.moved_slides import MovedPair, turned_pair
from tests.ui.test_reference import Orders, until

PLACES: tuple[Place, ...] = ((300.0, 320.0), (700.0, 300.0), (650.0, 720.0), (330.0, 690.0))
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path / "orders")


@pytest.fixture
def pair(tmp_path: Path) -> MovedPair:
    return turned_pair(tmp_path)


@pytest.fixture
def app(qtbot: QtBot, orders: Orders, pair: MovedPair) -> Iterator[App]:
    """Open the window with a reference that could not be registered."""
    app = App(
        ViewOptions(slide=pair.fixed, size=(1000, 700), registrar=orders.registrar),
        replace(Settings(), theme="light"),
    )
    app.start()
    until(qtbot, lambda: app.reference.fixed is not None)
    orders.give("fail nothing fits.")
    app.reference.open(str(pair.moving))
    until(qtbot, lambda: app.reference.moving is not None and not app.reference.busy)
    orders.forget()
    yield app
    app.window.close()
    app.close()
    app.window.deleteLater()


@pytest.fixture
def window(app: App, qtbot: QtBot) -> LandmarkWindow:
    return opened(app, qtbot)


def opened(app: App, qtbot: QtBot) -> LandmarkWindow:
    app.window.action("landmarks").trigger()
    window = app.requests.reference.landmarks
    assert window is not None
    until(qtbot, lambda: all(view.is_settled for view in window.views.values()))
    return window


def screen(window: LandmarkWindow, side: Side, place: Place) -> QPoint:
    """Return where in its pane a place is seen."""
    pane = window.views[side].panes[0]
    return QPointF(*pane.viewpoint.camera.to_screen(*place, pane.size_px)).toPoint()


def click(window: LandmarkWindow, side: Side, place: Place) -> None:
    QTest.mouseClick(window.views[side].panes[0].viewport(), LEFT, pos=screen(window, side, place))


def drag(window: LandmarkWindow, side: Side, start: Place, end: Place) -> None:
    viewport = window.views[side].panes[0].viewport()
    QTest.mousePress(viewport, LEFT, pos=screen(window, side, start))
    QTest.mouseMove(viewport, screen(window, side, end))
    QTest.mouseRelease(viewport, LEFT, pos=screen(window, side, end))


def partner(pair: MovedPair, place: Place) -> Place:
    x, y = pair.transform.to_moving(np.array([place]))[0].tolist()
    return x, y


def place(window: LandmarkWindow, pair: MovedPair, places: tuple[Place, ...]) -> None:
    """Place true pairs exactly, which clicks do to a screen pixel only."""
    for one in places:
        window.landmarks.place("fixed", one)
        window.landmarks.place("moving", partner(pair, one))


def cell(window: LandmarkWindow, row: int, column: int) -> str:
    item = window.table.item(row, column)
    assert item is not None
    return item.text()


def path_of(window: LandmarkWindow) -> Path:
    slides = window._slides
    return kept.landmarks_path(*(slides[s].reader.info.identity for s in ("fixed", "moving")))


def test_a_click_on_each_slide_makes_a_numbered_pair(
    window: LandmarkWindow, pair: MovedPair
) -> None:
    first = window.hint.text()
    click(window, "fixed", PLACES[0])
    second = window.hint.text()
    click(window, "moving", partner(pair, PLACES[0]))

    (made,) = window.landmarks.pairs
    pixel = 1 / window.views["moving"].viewpoint.camera.zoom
    assert made.whole
    assert made.moving == pytest.approx(partner(pair, PLACES[0]), abs=pixel)
    assert [len(layer.marks) for layer in window._layers.values()] == [1, 1]
    assert "recognise" in first
    assert "place of 1 on the right" in second
    assert window.hint.text() == "Place a second pair, far from the first."


def test_a_click_does_not_move_the_slide_and_a_drag_beside_marks_does(
    window: LandmarkWindow,
) -> None:
    before = window.views["fixed"].viewpoint.camera
    click(window, "fixed", PLACES[0])
    assert window.views["fixed"].viewpoint.camera == before

    drag(window, "fixed", PLACES[2], PLACES[3])

    assert window.views["fixed"].viewpoint.camera != before
    assert len(window.landmarks.pairs) == 1


def test_each_slide_is_turned_and_zoomed_on_its_own(window: LandmarkWindow) -> None:
    before = window.views["moving"].viewpoint.camera

    window.views["fixed"].rotate_by(40)
    window.views["fixed"].zoom_by(2)

    assert window.views["moving"].viewpoint.camera == before


def test_a_mark_is_dragged_and_undone_in_one_step(window: LandmarkWindow, pair: MovedPair) -> None:
    place(window, pair, PLACES[:1])

    drag(window, "fixed", PLACES[0], PLACES[2])

    moved = window.landmarks.pairs[0]
    assert moved.fixed != PLACES[0]
    assert moved.moving == partner(pair, PLACES[0])
    window.undo.click()
    assert window.landmarks.pairs[0].fixed == PLACES[0]
    window.redo.click()
    assert window.landmarks.pairs[0] == moved


def test_delete_removes_the_selected_pair(window: LandmarkWindow, pair: MovedPair) -> None:
    place(window, pair, PLACES[:3])

    window.landmarks.select(2)
    QTest.keyClick(window.views["moving"].panes[0], Qt.Key.Key_Delete)

    assert [one.number for one in window.landmarks.pairs] == [1, 3]
    assert window.table.rowCount() == 2
    assert not window.remove.isEnabled()


def test_escape_drops_the_half_that_waits(window: LandmarkWindow, pair: MovedPair) -> None:
    place(window, pair, PLACES[:1])
    click(window, "moving", partner(pair, PLACES[1]))

    QTest.keyClick(window.views["fixed"].panes[0], Qt.Key.Key_Escape)

    assert [one.number for one in window.landmarks.pairs] == [1]


def test_landmarks_are_kept_and_come_back(
    app: App, window: LandmarkWindow, pair: MovedPair, qtbot: QtBot
) -> None:
    place(window, pair, PLACES[:2])
    path = path_of(window)
    until(qtbot, lambda: len(read_pairs(path)) == 2 and read_pairs(path)[1].whole)

    window.close()
    until(qtbot, lambda: app.requests.reference.landmarks is None)
    again = opened(app, qtbot)
    until(qtbot, lambda: again.landmarks.pairs)

    assert [one.fixed for one in again.landmarks.pairs] == list(PLACES[:2])
    assert not again.landmarks.undoable


def test_landmarks_that_find_no_room_are_told_of_and_kept_as_soon_as_there_is_some(
    app: App,
    pair: MovedPair,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landmark_window, "RETRY_MS", 0)
    window = opened(app, qtbot)
    with monkeypatch.context() as patch:
        patch.setattr(landmark_file, "write_atomically", _full)
        place(window, pair, PLACES[:1])
        until(qtbot, lambda: "No space left" in window.notices.text.text())
        assert "No space left" in app.window.messages.messages[-1]
        assert not path_of(window).exists()

    until(qtbot, lambda: path_of(window).exists() and window.notices.isHidden())

    (kept_pair,) = read_pairs(path_of(window))
    assert kept_pair.fixed == PLACES[0]
    assert kept_pair.whole


def _full(path: Path, _: bytes) -> None:
    raise RegionError(f"{path} cannot be written (No space left on device).")


def test_damaged_landmarks_are_told_of(app: App, window: LandmarkWindow, qtbot: QtBot) -> None:
    path = path_of(window)
    window.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("number\n1\n", encoding="utf-8")
    until(qtbot, lambda: app.requests.reference.landmarks is None)

    opened(app, qtbot)

    until(qtbot, lambda: any(str(path) in words for words in app.window.messages.messages))


def test_two_pairs_start_a_registration_in_the_process(
    app: App, window: LandmarkWindow, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    place(window, pair, PLACES[:1])
    assert not window.register.isEnabled()
    place(window, pair, PLACES[1:2])
    (orders.folder / fake_registrar.ASKED).unlink()

    assert window.register.text() == "Register from these two"
    window.register.click()
    until(qtbot, (orders.folder / fake_registrar.ASKED).exists)
    assert not window.register.isEnabled()
    start = Path(orders.asked[orders.asked.index("--start") + 1])
    rows = np.loadtxt(start, delimiter=",", skiprows=1)
    assert rows[:, :2].tolist() == [list(one) for one in PLACES[:2]]
    assert rows[:, 2:] == pytest.approx(pair.transform.to_moving(rows[:, :2]), abs=1e-3)
    orders.finish_with(pair.transform)
    until(qtbot, lambda: app.reference.transform is not None)

    assert window.together.isChecked()
    assert "Does it fit?" in window.notices.text.text()


def test_three_pairs_alone_lay_the_slides_over_each_other(
    app: App, window: LandmarkWindow, pair: MovedPair, qtbot: QtBot
) -> None:
    place(window, pair, PLACES[:3])
    assert not window.refine.isEnabled()

    window.alone.click()
    until(qtbot, lambda: app.reference.transform is not None)

    transform = app.reference.transform
    assert transform is not None
    corners = np.array([[0.0, 0.0], [1024.0, 0.0], [512.0, 1000.0]])
    found, truth = transform.to_moving(corners), pair.transform.to_moving(corners)
    assert found == pytest.approx(truth, abs=0.01)
    assert app.reference.warped is not None
    until(qtbot, kept.transform_path(*_identities(app)).exists)
    assert cell(window, 0, 1) == "used"


def test_a_transform_that_is_off_is_refined_by_landmarks(
    app: App, window: LandmarkWindow, pair: MovedPair, qtbot: QtBot
) -> None:
    off = pair.transform.pieces[0] + [[0.0, 0.0, 12.0], [0.0, 0.0, -9.0]]
    app.reference.use(replace(pair.transform, pieces=(off,)))
    window.together.setChecked(False)
    for one in PLACES:
        window.landmarks.place("fixed", one)
        number = window.landmarks.pairs[-1].number
        window.landmarks.begin_drag(number, "moving")
        window.landmarks.drag_to(partner(pair, one))
        window.landmarks.end_drag()
    mpp = window._slides["fixed"].reader.info.mpp
    assert mpp is not None
    assert float(cell(window, 0, 1)) == pytest.approx(15 * mpp, abs=0.5)

    window.refine.click()
    until(qtbot, lambda: app.reference.transform and app.reference.transform.landmarks)

    transform = app.reference.transform
    assert transform is not None
    here = np.array(PLACES)
    assert transform.to_moving(here) == pytest.approx(pair.transform.to_moving(here), abs=0.5)


def test_with_a_transform_a_click_proposes_the_partner(
    app: App, window: LandmarkWindow, pair: MovedPair
) -> None:
    app.reference.use(pair.transform)

    click(window, "fixed", PLACES[0])

    (made,) = window.landmarks.pairs
    assert made.fixed is not None
    assert made.proposed == "moving"
    assert made.moving == pytest.approx(partner(pair, made.fixed))
    assert cell(window, 0, 1) == "proposed"
    assert "press Enter" in window.hint.text()
    QTest.keyClick(window.views["fixed"].panes[0], Qt.Key.Key_Return)
    assert window.landmarks.pairs[0].whole


def test_a_place_that_the_transform_puts_beside_the_other_slide_is_not_proposed(
    app: App, window: LandmarkWindow, pair: MovedPair
) -> None:
    app.reference.use(pair.transform)

    window.landmarks.place("moving", (5.0, 5.0))

    assert window.landmarks.pairs == (Pair(1, None, (5.0, 5.0)),)


def test_both_slides_move_together_through_the_transform(
    app: App, window: LandmarkWindow, pair: MovedPair
) -> None:
    app.reference.use(pair.transform)
    assert window.together.isChecked()
    fixed, moving = (window.views[side].viewpoint for side in ("fixed", "moving"))

    window.views["fixed"].zoom_by(3)
    window.views["fixed"].go_to(*PLACES[1])
    there = moving.camera
    window.views["moving"].go_to(*partner(pair, PLACES[2]))

    assert (there.x, there.y) == pytest.approx(partner(pair, PLACES[1]))
    assert there.rotation == pytest.approx(330)
    assert (fixed.camera.x, fixed.camera.y) == pytest.approx(PLACES[2])
    assert fixed.camera.rotation == pytest.approx(0, abs=1e-6)


def test_slides_that_are_registered_move_together_from_the_beginning(
    app: App, pair: MovedPair, qtbot: QtBot
) -> None:
    app.reference.use(pair.transform)

    window = opened(app, qtbot)

    assert window.together.isChecked()
    assert window.views["moving"].viewpoint.camera.rotation == pytest.approx(330)


def test_landmarks_that_contradict_each_other_are_refused_in_their_window(
    app: App, window: LandmarkWindow, pair: MovedPair, qtbot: QtBot
) -> None:
    place(window, pair, PLACES[:2])
    window.landmarks.place("fixed", PLACES[1])
    window.landmarks.place("moving", (20.0, 20.0))

    window.alone.click()
    until(qtbot, window.notices.isVisible)

    assert "same point" in window.notices.text.text()
    assert app.reference.transform is None


def test_a_wrong_pair_among_right_ones_is_named(window: LandmarkWindow, pair: MovedPair) -> None:
    place(window, pair, PLACES)
    assert "Register from these" in window.hint.text()

    window.landmarks.begin_drag(3, "moving")
    window.landmarks.drag_to((400.0, 400.0))
    window.landmarks.end_drag()

    assert window.hint.text().startswith("Look at pair 3 again")


def test_another_slide_closes_the_window_before_its_slides(
    app: App, window: LandmarkWindow, qtbot: QtBot
) -> None:
    app.current.open("sample:ihc")

    until(qtbot, lambda: app.requests.reference.landmarks is None)

    assert app.reference.moving is None


def test_cameras_go_through_a_transform_and_back(pair: MovedPair, window: LandmarkWindow) -> None:
    camera = replace(window.views["fixed"].viewpoint.camera, x=400, y=500, rotation=25.0)
    scaled = replace(pair.transform, pieces=(pair.transform.pieces[0] * 2,))

    there = camera_on_moving(scaled, camera)
    back = camera_on_fixed(scaled, there)

    assert there.zoom == pytest.approx(camera.zoom / 2)
    assert (back.x, back.y, back.zoom) == pytest.approx((400, 500, camera.zoom))
    assert back.rotation == pytest.approx(25)


def _identities(app: App) -> tuple[str, str]:
    assert app.reference.fixed is not None
    assert app.reference.moving is not None
    return (
        app.reference.fixed.reader.info.identity,
        app.reference.moving.reader.info.identity,
    )
