"""The window: menus, toolbar, docks and panes, and which choice goes to whom."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QMenu,
    QSlider,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from stainapp.ui.actions import ACTIONS, make_actions
from stainapp.ui.message_bar import MessageBar
from stainapp.ui.notice_bar import NoticeBar
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.picture import Picture
from stainapp.ui.region_panel import RegionPanel
from stainapp.ui.slides_panel import SlidesPanel
from stainapp.ui.stain_panel import StainPanel
from stainapp.ui.status import StatusLine
from stainapp.ui.theme import Colours, icon
from stainapp.ui.view_area import Layout, ViewArea

TOOLS = (
    "tool-move",
    "tool-rectangle",
    "tool-ellipse",
    "tool-polygon",
    "tool-freehand",
    "tool-brush",
    "tool-points",
    "tool-ruler",
)
TOOLBAR = ("open", "", *TOOLS, "", "fit", "1x", "4x", "10x", "20x", "40x", "rotate", "")
LAYOUTS = {
    "single": Layout.SINGLE,
    "side-by-side": Layout.SIDE_BY_SIDE,
    "curtain": Layout.CURTAIN,
    "fade": Layout.FADE,
}
ROTATION_STEP = 15.0
FADE_STEP = 10
SLIDES_WIDTH_PX, STAINS_WIDTH_PX = 160, 310
STAINS_HEIGHT_PX, REGIONS_HEIGHT_PX = 520, 260
MODEL_SUFFIXES = (".pth", ".pt", ".safetensors", ".pt2", ".h5", ".pkl", ".zip", ".ckpt")
PEEK_KEY = Qt.Key.Key_QuoteLeft


class MainWindow(QMainWindow):
    """Shows and reports; what happens is decided by whoever connects to it."""

    action_chosen = Signal(str)
    """The name of an action that the window does not handle by itself."""
    slide_dropped = Signal(str)
    model_dropped = Signal(str)
    closing = Signal()

    def __init__(self, view: ViewArea, colours: Colours) -> None:
        super().__init__()
        self.view = view
        self.close_questions: list[Callable[[], bool]] = []
        """Asked before the window closes; one that is answered with no keeps it open."""
        self.setWindowTitle("stainapp")
        self.setAcceptDrops(True)
        self.messages = MessageBar(self)
        self.notices = NoticeBar(self)
        self.slides = SlidesPanel(self)
        self.stains = StainPanel(self)
        self.regions = RegionPanel(self)
        self.status = StatusLine(self.statusBar(), self)
        self.fade = QSlider(Qt.Orientation.Horizontal, self)
        self.actions_by_name = make_actions(self, self._slots())
        self.recent = QMenu("Open &recent", self)
        self._menu("File").insertMenu(self.action("open-sample-phantom"), self.recent)
        self.references = QMenu("Re&cent references", self)
        self._menu("Compare").insertMenu(self.action("last-reference"), self.references)
        self.runs = QMenu("&Runs", self)
        self._menu("Train").addMenu(self.runs)
        self._lay_out()
        self._build_toolbar()
        self.recolour(colours)
        self._connect()

    def recolour(self, colours: Colours) -> None:
        """Draw the icons anew for another theme."""
        for name in ("open", *TOOLS, "fit", "rotate", *LAYOUTS, "virtual"):
            self.actions_by_name[name].setIcon(icon(name, colours))
        self.setWindowIcon(icon("stainapp", colours))
        for more in self.findChildren(QToolButton, "qt_toolbar_ext_button"):
            more.setIcon(icon("more", colours))  # Qt's own is black in every theme
            more.setToolTip("Show the tools that have no room")

    def show_slide(self, slide: OpenedSlide) -> None:
        self.setWindowTitle(f"{slide.name} - stainapp")
        self.view.show_slide(slide.reader, slide.stain_words)
        self.slides.add(slide)
        self.note_slide(slide)
        self.status.show_damage(0)
        self.status.show_hint("")

    def note_slide(self, slide: OpenedSlide) -> None:
        """Show what is known of the slide after its stain or scale was set."""
        self.view.set_real_title(slide.stain_words)
        self.stains.show_slide(slide)

    def magnify(self, magnification: float, *_: object) -> None:
        """Go to 1x .. 40x, which means nothing on a slide of unknown scale."""
        if self.view.scale_known:
            self.view.set_magnification(magnification)
        else:
            self.messages.say("Magnifications need the slide's scale: set it under Stain.")

    def show_layout(self, name: str) -> None:
        """Arrange the panes as "single", "side-by-side", "curtain" or "fade"."""
        self.actions_by_name[name].setChecked(True)
        self.view.set_layout(LAYOUTS[name])
        self.fade.setEnabled(name == "fade")

    @property
    def layout_name(self) -> str:
        return next(name for name in LAYOUTS if self.actions_by_name[name].isChecked())

    def restore_places(self, geometry: str, docks: str) -> None:
        """Put window and docks where they were when the program ended."""
        if geometry:
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        if docks:
            self.restoreState(QByteArray.fromBase64(docks.encode()))

    def places(self) -> tuple[str, str]:
        """Return what `restore_places` takes."""
        return (
            bytes(self.saveGeometry().toBase64().data()).decode(),
            bytes(self.saveState().toBase64().data()).decode(),
        )

    # Qt's

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls():
            path = url.toLocalFile()
            if path:
                self.take_file(path)

    def take_file(self, path: str) -> None:
        """Open a dropped file: models are imported, anything else is a slide."""
        is_model = Path(path).suffix.lower() in MODEL_SUFFIXES
        (self.model_dropped if is_model else self.slide_dropped).emit(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        if all(may_close() for may_close in self.close_questions):
            self.closing.emit()
            event.accept()
        else:
            event.ignore()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold a key to peek: a shortcut would only tell of the press."""
        if (
            isinstance(event, QKeyEvent)
            and event.key() == PEEK_KEY
            and not event.isAutoRepeat()
            and event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
        ):
            self.view.peek(event.type() == QEvent.Type.KeyPress)
            return True
        return super().eventFilter(watched, event)

    # parts

    def _slots(self) -> dict[str, Callable[..., object]]:
        own: dict[str, Callable[..., object]] = {
            "quit": self.close,
            "fit": self.view.fit,
            "zoom-in": partial(self._zoom, 2.0),
            "zoom-out": partial(self._zoom, 0.5),
            "rotate": partial(self._rotate, ROTATION_STEP),
            "rotate-left": partial(self._rotate, -ROTATION_STEP),
            "upright": self._upright,
            "less-virtual": partial(self._fade_by, -FADE_STEP),
            "more-virtual": partial(self._fade_by, FADE_STEP),
            "virtual": self._shows(Picture.VIRTUAL),
            "show-real": self._shows(Picture.REAL),
            "reference": self._shows(Picture.REFERENCE),
            "difference": self._shows(Picture.DIFFERENCE),
            "peek": self.view.peek,
            "minimap": self.view.set_minimap_visible,
            "scale-bar": self.view.set_scale_bar_visible,
        }
        own.update({f"{x}x": partial(self.magnify, float(x)) for x in (1, 4, 10, 20, 40)})
        own.update({name: partial(self._on_layout, name) for name in LAYOUTS})
        for spec in ACTIONS:
            own.setdefault(spec.name, partial(self._on_other, spec.name))
        return own

    def _shows(self, picture: Picture) -> Callable[[bool], None]:
        """Return what shows or hides a picture; Qt hands a `partial` no word of the check mark."""

        def show(on: bool) -> None:
            self.view.set_visible(picture, on)

        return show

    def _lay_out(self) -> None:
        middle = QWidget(self)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self.notices)
        column.addWidget(self.view, 1)
        self.setCentralWidget(middle)
        docks = []
        for title, widget, area in (
            ("Slides", self.slides, Qt.DockWidgetArea.LeftDockWidgetArea),
            ("Stains", self.stains, Qt.DockWidgetArea.RightDockWidgetArea),
            ("Regions", self.regions, Qt.DockWidgetArea.RightDockWidgetArea),
        ):
            dock = QDockWidget(title, self)
            dock.setObjectName(title)
            dock.setWidget(widget)
            self.addDockWidget(area, dock)
            self._menu("View").addAction(dock.toggleViewAction())
            docks.append(dock)
        widths, heights = [SLIDES_WIDTH_PX, STAINS_WIDTH_PX], [STAINS_HEIGHT_PX, REGIONS_HEIGHT_PX]
        self.resizeDocks(docks[:2], widths, Qt.Orientation.Horizontal)
        self.resizeDocks(docks[1:], heights, Qt.Orientation.Vertical)

    def _build_toolbar(self) -> None:
        bar = QToolBar("Tools", self)
        bar.setObjectName("Tools")
        bar.setMovable(False)
        for name in (*TOOLBAR, *LAYOUTS):
            if name:
                bar.addAction(self.actions_by_name[name])
            else:
                bar.addSeparator()
        self.fade.setRange(0, 100)
        self.fade.setValue(100)
        self.fade.setFixedWidth(120)
        self.fade.setToolTip("How much of the upper picture shows ([ and ])")
        self.fade.setAccessibleName("How much of the upper picture shows")
        bar.addWidget(self.fade)
        bar.addSeparator()
        bar.addAction(self.actions_by_name["virtual"])
        self.addToolBar(bar)

    def _connect(self) -> None:
        self.fade.valueChanged.connect(self._on_fade)
        self.view.tiles_waiting.connect(self.status.show_waiting)
        self.view.damage_found.connect(self.status.show_damage)
        self.view.failed.connect(self.messages.say)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr] # exists

    def _menu(self, title: str) -> QMenu:
        menus = (action.menu() for action in self.menuBar().actions())
        return next(m for m in menus if isinstance(m, QMenu) and m.title() == f"&{title}")

    def _on_other(self, name: str, *_: object) -> None:
        self.action_chosen.emit(name)

    def _on_layout(self, name: str, *_: object) -> None:
        self.show_layout(name)

    def _zoom(self, factor: float, *_: object) -> None:
        self.view.zoom_by(factor)

    def _rotate(self, degrees: float, *_: object) -> None:
        self.view.rotate_by(degrees)

    def _upright(self, *_: object) -> None:
        self.view.rotate_by(-self.view.viewpoint.camera.rotation)

    def _fade_by(self, percent: int, *_: object) -> None:
        self.fade.setValue(self.fade.value() + percent)

    def _on_fade(self, percent: int) -> None:
        self.view.set_fade(percent / 100)

    def action(self, name: str) -> QAction:
        return self.actions_by_name[name]
