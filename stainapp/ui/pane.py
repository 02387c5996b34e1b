"""One pane: the field of the shared viewpoint, its layers, its marks, and the hand on it."""

from collections.abc import Sequence
from enum import Enum

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QGestureEvent,
    QGraphicsItem,
    QGraphicsRectItem,
    QGraphicsScene,
    QGraphicsView,
    QPinchGesture,
    QWidget,
)

from stainapp.compare.difference_slide import Legend
from stainapp.tiles.grid import TileKey, View
from stainapp.ui.camera import Camera, Size, Viewpoint
from stainapp.ui.difference_legend import DifferenceLegend
from stainapp.ui.pane_marks import Chip, ChipRow, CrossHair, Divider
from stainapp.ui.picture import Picture
from stainapp.ui.region_layer import RegionLayer
from stainapp.ui.scale_bar import ScaleBar
from stainapp.ui.standing_regions import StandingRegions
from stainapp.ui.tile_layer import TileLayer
from stainapp.ui.touch import Hand, Touch

WHEEL_STEP = 1.25
"""Zoom for one notch of a wheel, of 120 eighths of a degree."""
TRACKPAD_STEP_PX = 100.0
"""Pixels of a trackpad's scroll that zoom as much as one notch."""
KEY_PAN_SHARE = 0.1
KEY_ZOOM = 1.25
GRAB_PX = 9.0
MARGIN_PX = 10.0
LEAST_PX = 100
"""A pane's width: that of the word VIRTUAL in its badge."""
LEAST_HALF_PX = 110.0
"""Where half a pane has less room, what its right half shows is named below the left one."""
SCALE_BAR_SHARE = 0.4
"""Of a pane's width; what is beside it is the minimap's."""
CLICK_PX = 3.0
"""A press let go this near to where it was made was a click."""


class Grip(Enum):
    """What a pressed button has hold of."""

    NOTHING = 0
    SLIDE = 1
    DIVIDER = 2
    TOOL = 3
    """Whatever the tool in the hand makes of it."""


class Pane(pg.GraphicsView):
    """Shows the field of a `Viewpoint` and moves it; all panes of one viewpoint move as one."""

    cursor_moved = Signal(object, object)  # float, float: level-0 pixels
    cursor_left = Signal()
    curtain_dragged = Signal(float)
    """The divider's new place, as a share of the pane's width."""
    resized = Signal()

    def __init__(
        self,
        viewpoint: Viewpoint,
        parent: QWidget | None = None,
        standing: StandingRegions | None = None,
    ) -> None:
        """Show a viewpoint's field; its panes best share what paints its regions."""
        super().__init__(parent, useOpenGL=False, background=None)
        self.viewpoint = viewpoint
        self.layers = {picture: TileLayer() for picture in Picture}
        self.regions = RegionLayer(standing or StandingRegions())
        self.hand: Hand | None = None
        self._root = QGraphicsRectItem()
        self._left, self._right = ChipRow(), ChipRow(align_right=True)
        self._scale_bar, self._cross, self._divider = ScaleBar(), CrossHair(), Divider()
        self._legend = DifferenceLegend()
        self._um_per_slide_px: float | None = None
        self._curtain: float | None = None
        self._button = Qt.MouseButton.NoButton
        self._pressed_at = self._drag_from = QPointF()
        self._grip = Grip.NOTHING
        self._space = False
        self._stacked = False
        """Whether what the right half shows is named below what the left one does."""
        self._build()
        self.changeEvent(QEvent(QEvent.Type.PaletteChange))
        viewpoint.changed.connect(self._on_camera)

    @property
    def root(self) -> QGraphicsItem:
        """The parent of everything that lies on the slide, in level-0 pixels; it rotates."""
        return self._root

    @property
    def size_px(self) -> Size:
        viewport = self.viewport()
        return Size(max(viewport.width(), 1), max(viewport.height(), 1))

    @property
    def view(self) -> View:
        """What is on show, in level-0 pixels."""
        return self.viewpoint.camera.view(self.size_px)

    def set_tiles(self, keys: Sequence[TileKey]) -> None:
        """Take the layers to the field in view, of which these are the tiles."""
        view = self.view
        for layer in self.layers.values():
            layer.set_view(view, keys)

    def set_chips(self, left: tuple[Chip, ...], right: tuple[Chip, ...] = ()) -> None:
        """Write titles and badges along the top edge."""
        room = self.size_px.width - 2 * MARGIN_PX
        half = room / 2 - MARGIN_PX
        self._stacked = half < LEAST_HALF_PX
        each = half if right and not self._stacked else room
        self._left.set_chips(left, each)
        self._right.set_chips(right, each)
        self._place_marks()

    @property
    def chips(self) -> tuple[Chip, ...]:
        return self._left.chips + self._right.chips

    @property
    def chip_rects(self) -> tuple[QRectF, QRectF]:
        """Where the titles and badges lie, the left ones and the right ones."""
        left, right = (row.mapRectToScene(row.boundingRect()) for row in (self._left, self._right))
        return left, right

    def set_scale(self, mpp: float | None) -> None:
        """Set micrometres per level-0 pixel; None hides the scale bar."""
        self._um_per_slide_px = mpp
        self._place_marks()

    @property
    def scale_bar_rect(self) -> QRectF:
        """Where the scale bar lies on the pane; empty where the scale is unknown."""
        return self._scale_bar.mapRectToScene(self._scale_bar.boundingRect())

    def set_scale_bar_visible(self, visible: bool) -> None:
        self._scale_bar.setVisible(visible)
        self._place_marks()

    def set_legend(self, legend: Legend | None) -> None:
        """Say what the colours of a difference mean; None where none is shown."""
        self._legend.set_legend(legend)

    @property
    def legend(self) -> Legend | None:
        return self._legend.legend

    def set_curtain(self, fraction: float | None) -> None:
        """Show the divider at a share of the width; None takes it away."""
        self._curtain = fraction
        self._divider.setVisible(fraction is not None)
        self._place_marks()

    def point_at(self, x: float, y: float) -> None:
        """Mark a level-0 position with a cross-hair."""
        self._cross.setPos(*self.viewpoint.camera.to_screen(x, y, self.size_px))
        self._cross.show()

    def point_nowhere(self) -> None:
        self._cross.hide()

    # Qt's

    def close(self) -> bool:
        """Close as any widget: pyqtgraph's own way pulls the viewport from under its events."""
        return QGraphicsView.close(self)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if event is not None:  # pyqtgraph calls this once by itself, before all is built
            self._on_camera(self.viewpoint.camera)
            self.resized.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.setBackgroundBrush(self.palette().color(QPalette.ColorRole.Window).darker(108))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        if self._grip is Grip.NOTHING or event.buttons() == event.button():
            self._button = event.button()
            self._pressed_at = self._drag_from = event.position()
            self._grip = self._grip_for(event)
            self._choose_cursor(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._grip is Grip.DIVIDER:
            self.curtain_dragged.emit(min(max(at.x() / self.size_px.width, 0.0), 1.0))
        elif self._grip is Grip.SLIDE:
            by = at - self._drag_from
            self._drag_from = at
            self.viewpoint.move(self.viewpoint.camera.panned(by.x(), by.y()))
        elif self.hand is not None:
            self.hand.move(self._touch(event))
        self._choose_cursor(event)
        self.cursor_moved.emit(*self.viewpoint.camera.to_slide(at.x(), at.y(), self.size_px))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != self._button:
            return
        grip, self._grip, self._button = self._grip, Grip.NOTHING, Qt.MouseButton.NoButton
        if self.hand is not None and event.button() == Qt.MouseButton.LeftButton:
            still = (event.position() - self._pressed_at).manhattanLength() < CLICK_PX
            if grip is Grip.TOOL:
                self.hand.release(self._touch(event))
            elif grip is Grip.SLIDE and still and not self._space:
                self.hand.click(self._touch(event))
        self._choose_cursor(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._on_divider(event.position()):
            return
        if self.hand is not None and not self._space and self.hand.double_click(self._touch(event)):
            self._button, self._grip = event.button(), Grip.TOOL
        else:
            self._zoom_at(2.0, event.position())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.cursor_left.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        pixels, angle = event.pixelDelta().y(), event.angleDelta().y()
        notches = pixels / TRACKPAD_STEP_PX if pixels else angle / 120
        if notches:
            self._zoom_at(WHEEL_STEP**notches, event.position())
        event.accept()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            return self._on_native_gesture(event)
        if isinstance(event, QGestureEvent):
            return self._on_gesture(event)
        return bool(super().viewportEvent(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self._space = True
        elif self.hand is not None and self.hand.key(Qt.Key(event.key())):
            pass
        elif not self._on_key(Qt.Key(event.key()), event.modifiers()):
            event.ignore()  # the window may have a use for it

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self._space = event.isAutoRepeat()
        else:
            event.ignore()

    # parts

    def _build(self) -> None:
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumWidth(LEAST_PX)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().grabGesture(Qt.GestureType.PinchGesture)
        self.setAccessibleName("Slide")
        self.setCentralItem(None)
        self.setCacheMode(QGraphicsView.CacheModeFlag.CacheNone)
        self.viewport().setAutoFillBackground(False)  # the scene's background is the ground
        self._root.setFlag(QGraphicsItem.GraphicsItemFlag.ItemHasNoContents)
        self.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.scene().addItem(self._root)
        for item in (*self.layers.values(), self.regions):
            item.setParentItem(self._root)
        marks = (
            self._divider,
            self._cross,
            self._left,
            self._right,
            self._scale_bar,
            self._legend,
        )
        for order, mark in enumerate(marks):
            mark.setZValue(100 + order)
            mark.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
            self.scene().addItem(mark)
        self._divider.hide()
        self._cross.hide()

    @Slot(object)
    def _on_camera(self, camera: Camera) -> None:
        self._root.setTransform(camera.transform(self.size_px))
        self._place_marks()

    def _place_marks(self) -> None:
        size = self.size_px
        self._left.setPos(MARGIN_PX, MARGIN_PX)
        below = self._left.boundingRect().bottom() + MARGIN_PX if self._stacked else 0
        self._right.setPos(size.width - MARGIN_PX, MARGIN_PX + below)
        self._scale_bar.setPos(size.width - MARGIN_PX, size.height - MARGIN_PX)
        mpp = self._um_per_slide_px
        scale = mpp / self.viewpoint.camera.zoom if mpp else None
        self._scale_bar.set_scale(scale, SCALE_BAR_SHARE * size.width)
        if self._curtain is not None:
            self._divider.set_height(size.height)
            self._divider.setPos(round(self._curtain * size.width), 0)
        bar = self._scale_bar.boundingRect().height() if self._scale_bar.isVisible() else 0.0
        above = bar + MARGIN_PX if bar else 0.0
        self._legend.setPos(size.width - MARGIN_PX, size.height - MARGIN_PX - above)

    def _on_divider(self, at: QPointF) -> bool:
        if self._curtain is None:
            return False
        return abs(at.x() - self._curtain * self.size_px.width) <= GRAB_PX

    def _grip_for(self, event: QMouseEvent) -> Grip:
        """Decide what a press takes hold of."""
        if self._space or event.button() == Qt.MouseButton.MiddleButton:
            return Grip.SLIDE
        if self._on_divider(event.position()):
            return Grip.DIVIDER
        taken = self.hand is not None and self.hand.press(self._touch(event))
        return Grip.TOOL if taken else Grip.SLIDE

    def _touch(self, event: QMouseEvent) -> Touch:
        camera, at = self.viewpoint.camera, event.position()
        x, y = camera.to_slide(at.x(), at.y(), self.size_px)
        return Touch(x, y, 1 / camera.zoom, event.modifiers())

    def _choose_cursor(self, event: QMouseEvent) -> None:
        free = self._grip is Grip.NOTHING
        if self._grip is Grip.TOOL:
            return
        if self._grip is Grip.SLIDE:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._space and free:
            shape = Qt.CursorShape.OpenHandCursor
        elif not free or self._on_divider(event.position()):
            shape = Qt.CursorShape.SplitHCursor
        else:
            wished = self.hand.cursor(self._touch(event)) if self.hand else None
            shape = wished or Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)

    def _zoom_at(self, factor: float, at: QPointF) -> None:
        self.viewpoint.zoom_at(factor, at.x(), at.y(), self.size_px)

    def _on_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Pan with arrows, zoom with plus and minus or Shift and arrows, as in QuPath."""
        size = self.size_px
        centre = QPointF(size.width / 2, size.height / 2)
        shifted = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        zoom = {Qt.Key.Key_Plus: 1, Qt.Key.Key_Equal: 1, Qt.Key.Key_Minus: -1}
        if shifted:
            zoom |= {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        pan = {
            Qt.Key.Key_Left: (1, 0),
            Qt.Key.Key_Right: (-1, 0),
            Qt.Key.Key_Up: (0, 1),
            Qt.Key.Key_Down: (0, -1),
        }
        if key in zoom:
            self._zoom_at(KEY_ZOOM ** zoom[key], centre)
        elif key in pan:
            dx, dy = pan[key]
            step = KEY_PAN_SHARE * size.width, KEY_PAN_SHARE * size.height
            self.viewpoint.move(self.viewpoint.camera.panned(dx * step[0], dy * step[1]))
        else:
            return False
        return True

    def _on_native_gesture(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_at(1 + event.value(), event.position())
        elif event.gestureType() == Qt.NativeGestureType.RotateNativeGesture:
            self.viewpoint.move(self.viewpoint.camera.turned(event.value()))
        else:
            return False
        return True

    def _on_gesture(self, event: QGestureEvent) -> bool:
        """Zoom and turn by two fingers on a touch screen."""
        pinch = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(pinch, QPinchGesture):
            return False
        at = self.viewport().mapFromGlobal(pinch.centerPoint())
        self._zoom_at(pinch.scaleFactor(), at)
        turned = pinch.rotationAngle() - pinch.lastRotationAngle()
        self.viewpoint.move(self.viewpoint.camera.turned(turned))
        return True
