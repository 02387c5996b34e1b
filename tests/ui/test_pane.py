from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent, QPointingDevice, QWheelEvent
from PySide6.QtWidgets import QApplication, QGestureEvent, QPinchGesture
from pytestqt.qtbot import QtBot

from stainapp.geometry import Rect
from stainapp.ui.camera import Camera, Size, Viewpoint
from stainapp.ui.pane import Pane
from stainapp.ui.pane_marks import BADGE, ChipRow, real_chips, virtual_chips
from stainapp.ui.scale_bar import ScaleBar, length_words, round_length


@pytest.fixture
def pane(qtbot: QtBot) -> Iterator[Pane]:
    viewpoint = Viewpoint()
    viewpoint.set_limits(Rect(0, 0, 20_000, 20_000), 0.5, Size(400, 300))
    viewpoint.move(Camera(5000, 6000, 0.5))
    pane = Pane(viewpoint)
    qtbot.addWidget(pane)
    pane.resize(400, 300)
    with qtbot.waitExposed(pane):
        pane.show()
    yield pane
    pane.close()


def under(pane: Pane, x: float, y: float) -> tuple[float, float]:
    return pane.viewpoint.camera.to_slide(x, y, pane.size_px)


def wheel(pane: Pane, at: QPointF, angle: int = 0, pixels: int = 0) -> None:
    event = QWheelEvent(
        at,
        QPointF(pane.mapToGlobal(at.toPoint())),
        QPoint(0, pixels),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(pane.viewport(), event)


def native_gesture(pane: Pane, kind: Qt.NativeGestureType, value: float, at: QPointF) -> None:
    """Do as a trackpad does on macOS and Wayland."""
    device = QPointingDevice.primaryPointingDevice()
    event = QNativeGestureEvent(kind, device, 2, at, at, at, value, QPointF())
    QApplication.sendEvent(pane.viewport(), event)


def pinch(pane: Pane, at: QPointF, scale: float = 1.0, turn: float = 0.0) -> None:
    """Do as two fingers do on a touch screen."""
    gesture = QPinchGesture()
    gesture.setCenterPoint(pane.viewport().mapToGlobal(at))
    gesture.setScaleFactor(scale)
    gesture.setLastRotationAngle(10.0)
    gesture.setRotationAngle(10.0 + turn)
    QApplication.sendEvent(pane.viewport(), QGestureEvent([gesture]))


def test_dragging_takes_the_slide_along(qtbot: QtBot, pane: Pane) -> None:
    held = under(pane, 100, 100)

    qtbot.mousePress(pane.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseMove(pane.viewport(), QPoint(160, 130))
    qtbot.mouseRelease(pane.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(160, 130))

    assert under(pane, 160, 130) == pytest.approx(held)


@pytest.mark.parametrize("delta", [{"angle": 120}, {"pixels": 40}])
def test_the_wheel_zooms_in_about_the_cursor(
    qtbot: QtBot, pane: Pane, delta: dict[str, int]
) -> None:
    before, zoom = under(pane, 300, 40), pane.viewpoint.camera.zoom

    wheel(pane, QPointF(300, 40), **delta)

    assert pane.viewpoint.camera.zoom > zoom
    assert under(pane, 300, 40) == pytest.approx(before)


@pytest.mark.parametrize(("value", "zoom"), [(0.2, 0.6), (-0.2, 0.4)])
def test_spreading_fingers_on_a_trackpad_zooms_about_the_cursor(
    qtbot: QtBot, pane: Pane, value: float, zoom: float
) -> None:
    before = under(pane, 300, 40)

    native_gesture(pane, Qt.NativeGestureType.ZoomNativeGesture, value, QPointF(300, 40))

    assert pane.viewpoint.camera.zoom == pytest.approx(zoom)
    assert under(pane, 300, 40) == pytest.approx(before)


def test_turning_fingers_on_a_trackpad_turns_the_slide(qtbot: QtBot, pane: Pane) -> None:
    native_gesture(pane, Qt.NativeGestureType.RotateNativeGesture, 12.0, QPointF(200, 150))

    assert pane.viewpoint.camera.rotation == pytest.approx(12)
    assert pane.viewpoint.camera.zoom == 0.5


def test_a_pinch_zooms_about_the_point_between_the_fingers(qtbot: QtBot, pane: Pane) -> None:
    before = under(pane, 90, 220)

    pinch(pane, QPointF(90, 220), scale=1.5)

    assert pane.viewpoint.camera.zoom == pytest.approx(0.75)
    assert under(pane, 90, 220) == pytest.approx(before)


def test_a_pinch_turns_the_slide_by_as_much_as_the_fingers_turned(qtbot: QtBot, pane: Pane) -> None:
    pinch(pane, QPointF(200, 150), turn=7.0)

    assert pane.viewpoint.camera.rotation == pytest.approx(7)


def test_a_double_click_comes_twice_as_close(qtbot: QtBot, pane: Pane) -> None:
    before = under(pane, 50, 60)

    qtbot.mouseDClick(pane.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, 60))

    assert pane.viewpoint.camera.zoom == pytest.approx(1.0)
    assert under(pane, 50, 60) == pytest.approx(before)


@pytest.mark.parametrize(
    ("key", "dx", "dy"),
    [
        (Qt.Key.Key_Left, -1, 0),
        (Qt.Key.Key_Right, 1, 0),
        (Qt.Key.Key_Up, 0, -1),
        (Qt.Key.Key_Down, 0, 1),
    ],
)
def test_arrow_keys_look_in_their_direction(
    qtbot: QtBot, pane: Pane, key: Qt.Key, dx: int, dy: int
) -> None:
    qtbot.keyClick(pane, key)

    camera = pane.viewpoint.camera
    assert (camera.x - 5000, camera.y - 6000) == pytest.approx((dx * 80, dy * 60))


@pytest.mark.parametrize(("key", "closer"), [(Qt.Key.Key_Plus, True), (Qt.Key.Key_Minus, False)])
def test_plus_and_minus_zoom_about_the_centre(
    qtbot: QtBot, pane: Pane, key: Qt.Key, closer: bool
) -> None:
    qtbot.keyClick(pane, key)

    camera = pane.viewpoint.camera
    assert (camera.zoom > 0.5) is closer
    assert (camera.x, camera.y) == pytest.approx((5000, 6000))


def test_the_cursor_is_told_in_level_0_pixels_under_rotation(qtbot: QtBot, pane: Pane) -> None:
    pane.viewpoint.move(Camera(5000, 6000, 0.5, 90))

    with qtbot.waitSignal(pane.cursor_moved) as moved:
        qtbot.mouseMove(pane.viewport(), QPoint(200, 160))

    assert moved.args == pytest.approx([5020, 6000])


def test_items_on_the_slide_lie_where_the_camera_says(qtbot: QtBot, pane: Pane) -> None:
    for camera in (Camera(5000, 6000, 0.5, 0), Camera(4000, 300, 2.2, 33)):
        pane.viewpoint.move(camera)

        painted = pane.mapFromScene(pane.root.mapToScene(QPointF(camera.x + 50, camera.y + 20)))

        x, y = camera.to_screen(camera.x + 50, camera.y + 20, pane.size_px)
        assert (painted.x(), painted.y()) == pytest.approx((x, y), abs=1.01)


def test_the_divider_is_dragged_and_the_slide_stays(qtbot: QtBot, pane: Pane) -> None:
    pane.set_curtain(0.5)
    camera = pane.viewpoint.camera
    qtbot.mousePress(pane.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(202, 80))

    with qtbot.waitSignal(pane.curtain_dragged) as dragged:
        qtbot.mouseMove(pane.viewport(), QPoint(100, 80))

    assert dragged.args == pytest.approx([0.25])
    assert pane.viewpoint.camera == camera


def test_with_space_held_even_the_divider_lets_the_slide_be_dragged(
    qtbot: QtBot, pane: Pane
) -> None:
    pane.set_curtain(0.5)
    held = under(pane, 202, 80)
    qtbot.keyPress(pane, Qt.Key.Key_Space)

    qtbot.mousePress(pane.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(202, 80))
    qtbot.mouseMove(pane.viewport(), QPoint(100, 80))

    assert under(pane, 100, 80) == pytest.approx(held)


def test_one_pane_moves_the_other(qtbot: QtBot, pane: Pane) -> None:
    other = Pane(pane.viewpoint)
    qtbot.addWidget(other)
    other.resize(400, 300)
    with qtbot.waitExposed(other):
        other.show()

    wheel(pane, QPointF(10, 10), angle=240)

    assert other.view == pane.view


def test_virtual_marks_always_hold_the_badge() -> None:
    for preview in (True, False):
        words = [chip.words for chip in virtual_chips("PAS  he-to-pas", preview)]
        assert BADGE in words
        assert ("preview" in words) is preview
    assert BADGE not in [chip.words for chip in real_chips("H&E")]


@pytest.mark.parametrize("room_px", [400.0, 220.0, 150.0, 110.0, 80.0])
@pytest.mark.usefixtures("qapp")
def test_the_badge_is_whole_however_narrow_the_pane_and_the_models_name_is_cut(
    room_px: float,
) -> None:
    row = ChipRow()

    row.set_chips(virtual_chips("PAS   he-to-pas-colon-of-the-second-year", preview=True), room_px)

    badge, title, _ = row.written
    assert badge.splitlines()[0].split()[0] == "VIRTUAL"
    assert badge.replace(" - ", " ").split() == BADGE.replace(" - ", " ").split()
    assert ("…" in title) is (room_px < 300)
    assert row.boundingRect().width() <= room_px


def test_in_a_narrow_pane_the_right_halfs_name_stands_below_the_left_ones(
    qtbot: QtBot, pane: Pane
) -> None:
    pane.resize(180, 300)

    pane.set_chips(real_chips("H&E"), virtual_chips("PAS  he-to-pas", preview=True))

    left, right = pane.chip_rects
    assert right.top() >= left.bottom()
    assert right.left() >= 0
    assert right.right() <= 180


@pytest.mark.parametrize(
    ("longest", "length"),
    [(1.0, 1.0), (1.99, 1.0), (2.0, 2.0), (4.99, 2.0), (770, 500), (0.07, 0.05)],
)
def test_bar_lengths_are_round(longest: float, length: float) -> None:
    assert round_length(longest) == pytest.approx(length)


def test_bar_lengths_are_written_in_the_unit_that_reads_best() -> None:
    assert [length_words(um) for um in (5000, 1000, 200, 0.5)] == [
        "5 mm",
        "1 mm",
        "200 µm",
        "500 nm",
    ]


def test_a_slide_of_unknown_scale_has_no_bar(qtbot: QtBot) -> None:
    bar = ScaleBar()
    bar.set_scale(0.5)
    assert bar.words

    bar.set_scale(None)

    assert bar.words == ""
    assert bar.boundingRect().isEmpty()
