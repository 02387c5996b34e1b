"""How smoothly the window moves: frame times of a scripted pan and zoom, and GUI stalls.

A frame lasts from the camera's move until every pane is painted. The budget is 16.7 ms, that
of a screen with 60 frames a second. The peer paints as many pixmaps of the same size with
nothing around them. Stalls are gaps in a 10 ms heartbeat of the GUI thread.

    python tests/benchmarks/pan.py [--json] [--quick] [--steps 200]
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_QPA_UPDATE_IDLE_TIME", "0")  # paint at once: Qt's pause is no work

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QApplication, QGraphicsView, QWidget

from resources import resource
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from stainapp.tiles.grid import TILE_PX
from stainapp.ui.camera import Camera
from stainapp.ui.staining import StainService
from stainapp.ui.view_area import Layout, ViewArea
from tests.benchmarks.measure import Figure, median, p95, ratio, real_slide, run

WIDTH_PX, HEIGHT_PX = 1920, 1080
HEARTBEAT_MS = 10
FRAME_AIM_MS, SLOW_FRAME_AIM_MS, STALL_AIM_MS = 8.0, 16.0, 50.0
PATIENCE_S = 300.0
SWITCH_S = 0.001
"""As the program itself sets it: how long a thread may keep the interpreter to itself."""


class Painted(QObject):
    """Counts the paintings of some widgets."""

    def __init__(self, widgets: list[QWidget]) -> None:
        super().__init__()
        self.counts = dict.fromkeys(widgets, 0)
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Paint and watched in self.counts:
            self.counts[watched] += 1
        return False


class Heartbeat(QObject):
    """Remembers how late the GUI thread answers a timer."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_beat)
        self._timer.start(HEARTBEAT_MS)

    def _on_beat(self) -> None:
        now = time.perf_counter()
        self.gaps_ms.append(1000 * (now - self._last) - HEARTBEAT_MS)
        self._last = now

    def stop(self) -> None:
        self._timer.stop()


class Bare(QWidget):
    """Paints as many pixmaps as a pane shows, with nothing around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resize(width, HEIGHT_PX)
        self._tiles = [QPixmap(TILE_PX, TILE_PX) for _ in range(4)]
        for number, tile in enumerate(self._tiles):
            tile.fill(Qt.GlobalColor(7 + number))
        self.offset = 0.0
        self.scale = 0.75

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        side = TILE_PX * self.scale
        columns, rows = int(self.width() / side) + 2, int(self.height() / side) + 2
        for number in range(columns * rows):
            row, column = divmod(number, columns)
            x, y = column * side - self.offset % side, row * side - self.offset % side
            painter.drawPixmap(
                QRectF(x, y, side, side), self._tiles[number % 4], QRectF(0, 0, TILE_PX, TILE_PX)
            )


def measure(arguments: argparse.Namespace) -> list[Figure]:
    QApplication.instance() or QApplication(["pan"])
    steps = 40 if arguments.quick else arguments.steps[0]
    path = real_slide("BS25_HE.tiff") or "phantom:he:20000:7"
    figures: list[Figure] = []
    sys.setswitchinterval(SWITCH_S)
    with contextlib.closing(open_slide(path)) as slide:
        for panes, rotation in ((1, 0.0), (2, 0.0), (2, 20.0)):
            figures += frames(slide, panes, steps, rotation)
        figures += stalls(slide, 2.0 if arguments.quick else 20.0)
    return figures


def frames(slide: SlideReader, panes: int, steps: int, rotation: float) -> list[Figure]:
    """Measure the same script cold and warm, and bare painting after each warm frame."""
    with window(slide, panes) as view:
        cameras = [camera.turned(rotation) for camera in script(slide, steps)]
        cold = [frame(view, camera)[0] for camera in cameras]
        settle(view)
        for camera in cameras:  # waits for every tile once, so that nothing is to come
            view.viewpoint.move(camera)
            settle(view)
        bare = [Bare(WIDTH_PX // panes) for _ in range(panes)]
        for widget in bare:
            widget.show()
        warm, own, peer = [], [], []
        for camera in cameras:
            lasted, busy = frame(view, camera)
            warm.append(lasted)
            own.append(busy)
            peer.append(bare_frame(bare))
        for widget in bare:
            widget.close()
    name = f"{panes} pane" + "s" * (panes > 1) + f", turned {rotation:g} degrees" * bool(rotation)
    return [
        Figure(f"{name}, warm: median frame", median(warm), "ms", FRAME_AIM_MS),
        Figure(f"{name}, warm: 95 % of frames", p95(warm), "ms", SLOW_FRAME_AIM_MS),
        # The thread's own time tells what other programs on the machine do not change.
        Figure(f"{name}, warm: median, processor time", median(own), "ms"),
        Figure(f"{name}, warm: processor time over bare painting", ratio(own, peer), ""),
        Figure(f"{name}, cold: median frame", median(cold), "ms"),
        Figure(f"{name}, cold: 95 % of frames", p95(cold), "ms"),
    ]


def stalls(slide: SlideReader, lasting_s: float) -> list[Figure]:
    """Measure the longest wait of the GUI thread while panning, from a model's start on."""
    from stainapp.models.card import Arch
    from tests.benchmarks.stain import drawn_model

    figures = []
    with tempfile.TemporaryDirectory() as folder:
        model = drawn_model(Arch(family="resnet", blocks=9, ngf=64), Path(folder, "model"))
        for name, stained in (("Macenko", None), ("a network runs", model)):
            with window(slide, 2, stained, wait=False) as view:
                gaps = beats_while_panning(view, slide, lasting_s)
            figures += [
                Figure(f"{name}: longest GUI stall", max(gaps), "ms", STALL_AIM_MS),
                Figure(f"{name}: 95 % of heartbeats late by", p95(gaps), "ms"),
            ]
    return figures


@contextlib.contextmanager
def window(
    slide: SlideReader, panes: int, model: Path | None = None, *, wait: bool = True
) -> Iterator[ViewArea]:
    """Show a slide in a view of 1920 x 1080; in two panes, beside its virtual stain."""
    view, service = ViewArea(), StainService()
    view.resize(WIDTH_PX, HEIGHT_PX)
    view.set_layout(Layout.SIDE_BY_SIDE if panes == 2 else Layout.SINGLE)
    view.show()
    view.show_slide(slide, "H&E")
    service.preview_ready.connect(view.show_preview)
    service.ready.connect(lambda virtual: view.show_virtual(virtual, service.feed, "virtual"))
    if panes == 2:
        service.warm_up()  # as the window does
        service.start(slide, model or resource("models/macenko"))
        if wait:
            wait_until(lambda: not service.busy)
    if wait:
        settle(view)
    try:
        yield view
    finally:
        service.close()
        view.close_feeds()
        view.close()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def script(slide: SlideReader, steps: int) -> list[Camera]:
    """Return the cameras of a walk: pan at half resolution, zoom in, pan on, zoom out."""
    info = slide.info
    camera = Camera(info.width_px * 0.4, info.height_px * 0.4, zoom=0.5)
    cameras = []
    for step in range(steps):
        phase = 4 * step // steps
        if phase == 1:
            camera = replace(camera, zoom=camera.zoom * 2 ** (4 / steps))
        elif phase == 3:
            camera = replace(camera, zoom=camera.zoom * 2 ** (-8 / steps))
        else:
            camera = camera.panned(-24, -12 if phase else 12)
        cameras.append(camera)
    return cameras


def frame(view: ViewArea, camera: Camera) -> tuple[float, float]:
    """Move; return the milliseconds until every pane is painted, and the thread's own part."""
    painted = Painted([pane.viewport() for pane in view.findChildren(QGraphicsView) if
                       pane.isVisible() and pane.width() > WIDTH_PX // 4])  # fmt: skip
    start, own = time.perf_counter(), time.thread_time()
    view.viewpoint.move(camera)
    wait_until(lambda: all(painted.counts.values()), 1.0)
    return 1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - own)


def bare_frame(widgets: list[Bare]) -> float:
    """Paint every bare pane; return the thread's own milliseconds."""
    own = time.thread_time()
    for widget in widgets:
        widget.offset += 24.0
        widget.repaint()
    return 1000 * (time.thread_time() - own)


def beats_while_panning(view: ViewArea, slide: SlideReader, lasting_s: float) -> list[float]:
    cameras = script(slide, 400)
    cameras += cameras[::-1]
    position = 0

    def on_step() -> None:
        nonlocal position
        position += 1
        view.viewpoint.move(cameras[position % len(cameras)])

    timer = QTimer()
    timer.timeout.connect(on_step)
    timer.start(33)
    heart = Heartbeat()
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * lasting_s), loop.quit)
    loop.exec()
    timer.stop()
    heart.stop()
    return heart.gaps_ms


def settle(view: ViewArea) -> None:
    """Let the view get all its tiles."""
    waiting = True

    def on_settled() -> None:
        nonlocal waiting
        waiting = False

    view.settled.connect(on_settled)
    view.viewpoint.changed.emit(view.viewpoint.camera)
    wait_until(lambda: not waiting)
    view.settled.disconnect(on_settled)


def wait_until(done: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
    end = time.perf_counter() + limit_s
    while not done() and time.perf_counter() < end:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)


if __name__ == "__main__":
    run("pan", measure, steps=[200])
