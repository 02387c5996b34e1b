import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from stainapp.geometry import Rect
from stainapp.ui.camera import Camera, Size, Viewpoint, magnification, zoom_for_magnification

PANE = Size(800, 600)
CAMERAS = [Camera(1000, 2000, 0.5), Camera(70_000, 3, 3.7, 33), Camera(12, 99, 0.01, 301)]


@pytest.mark.parametrize("camera", CAMERAS)
def test_screen_to_slide_and_back_is_where_one_began(camera: Camera) -> None:
    x, y = camera.to_slide(17, 521, PANE)

    assert camera.to_screen(x, y, PANE) == pytest.approx((17, 521))


@pytest.mark.parametrize("camera", CAMERAS)
def test_pictures_are_moved_as_points_are(camera: Camera) -> None:
    moved = camera.transform(PANE).map(QPointF(camera.x + 31, camera.y - 7))

    assert (moved.x(), moved.y()) == pytest.approx(
        camera.to_screen(camera.x + 31, camera.y - 7, PANE)
    )


@pytest.mark.parametrize("camera", CAMERAS)
def test_zooming_keeps_the_place_under_the_cursor(camera: Camera) -> None:
    before = camera.to_slide(700, 50, PANE)

    closer = camera.zoomed(camera.zoom * 3, 700, 50, PANE)

    assert closer.to_slide(700, 50, PANE) == pytest.approx(before)
    assert closer.zoom == camera.zoom * 3


@pytest.mark.parametrize("camera", CAMERAS)
def test_dragging_takes_the_slide_along_with_the_hand(camera: Camera) -> None:
    held = camera.to_slide(400, 300, PANE)

    moved = camera.panned(25, -40)

    assert moved.to_screen(*held, PANE) == pytest.approx((425, 260))


def test_rotation_turns_the_slide_clockwise() -> None:
    right_of_centre = Camera(0, 0, 1, 90).to_screen(100, 0, PANE)

    assert right_of_centre == pytest.approx((400, 400))


@pytest.mark.parametrize("rotation", [0, 30, 90])
def test_a_fitted_slide_lies_whole_inside_the_pane(rotation: float) -> None:
    slide = Rect(0, 0, 30_000, 9000)

    camera = Camera(rotation=rotation).fitted(slide, PANE)

    for x, y in ((0, 0), (30_000, 0), (0, 9000), (30_000, 9000)):
        at_x, at_y = camera.to_screen(x, y, PANE)
        assert 0 <= at_x <= PANE.width
        assert 0 <= at_y <= PANE.height


def test_40x_is_a_quarter_of_a_micrometre_per_device_pixel() -> None:
    assert magnification(Camera(zoom=1), mpp=0.25) == pytest.approx(40)
    assert magnification(Camera(zoom=1), mpp=0.5) == pytest.approx(20)
    assert magnification(Camera(zoom=0.5), mpp=0.25, device_pixel_ratio=2) == pytest.approx(40)
    assert zoom_for_magnification(20, mpp=0.5, device_pixel_ratio=2) == pytest.approx(0.5)


def test_the_zoom_stops_at_its_limits_with_the_cursor_still_in_place(qtbot: QtBot) -> None:
    viewpoint = Viewpoint()
    viewpoint.set_limits(Rect(0, 0, 20_000, 20_000), 0.5, PANE)
    viewpoint.move(Camera(5000, 5000, 1))
    before = viewpoint.camera.to_slide(100, 100, PANE)

    viewpoint.zoom_at(1000, 100, 100, PANE)

    assert viewpoint.camera.zoom == 4
    assert viewpoint.camera.to_slide(100, 100, PANE) == pytest.approx(before)
    viewpoint.zoom_at(1e-9, 400, 300, PANE)
    assert 0 < viewpoint.camera.zoom * 20_000 < PANE.height


def test_a_coarse_scan_can_still_be_shown_at_40x(qtbot: QtBot) -> None:
    viewpoint = Viewpoint()
    viewpoint.set_limits(Rect(0, 0, 20_000, 20_000), 2.0, PANE)

    viewpoint.move(Camera(zoom=100))

    assert magnification(viewpoint.camera, 2.0) == pytest.approx(40)


def test_the_slide_cannot_be_lost_by_panning(qtbot: QtBot) -> None:
    viewpoint = Viewpoint()
    viewpoint.set_limits(Rect(0, 0, 1000, 1000), 0.5, PANE)

    viewpoint.move(Camera(-900_000, 400, 1))

    assert (viewpoint.camera.x, viewpoint.camera.y) == (0, 400)


def test_a_move_to_the_same_place_tells_nobody(qtbot: QtBot) -> None:
    viewpoint = Viewpoint()
    viewpoint.move(Camera(3, 4, 1))

    with qtbot.assertNotEmitted(viewpoint.changed):
        viewpoint.move(Camera(3, 4, 1))
