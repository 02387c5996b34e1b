"""The whole slide in a corner: its tissue, the field in view, and a way to go elsewhere."""

import logging
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PySide6.QtCore import QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
)
from PySide6.QtWidgets import QWidget

from stainapp.geometry import Rect
from stainapp.slides.reader import SlideReader
from stainapp.tiles.grid import View
from stainapp.ui.feeds import to_qimage

log = logging.getLogger(__name__)

LONGEST_PX = 180
LEAST_PX = 56
"""Where there is room for less, there is no map: nothing would be seen on it."""
THUMBNAIL_PX = 360
"""Larger than shown, for screens with more than one pixel a point."""
MOST_SOURCE_PX = 4096
OUTLINE = QColor(40, 120, 90, 200)
FRAME = QColor(214, 40, 40)
LEAST_FRAME_PX = 5.0


@dataclass(frozen=True, slots=True)
class Overview:
    """A slide's thumbnail and the outlines of its tissue; outlines in level-0 pixels."""

    reader: SlideReader
    thumbnail: QImage | None = None
    outlines: tuple[QPolygonF, ...] = ()


class Minimap(QWidget):
    """Shows an overview and the view's frame; a click or a drag asks to go there."""

    place_chosen = Signal(object, object)  # float, float: level-0 pixels
    _made = Signal(object)  # Overview, from a thread of the pool

    def __init__(self, pool: Executor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pool = pool
        self._overview: Overview | None = None
        self._ground: QPixmap | None = None
        self._view = View(0, 0, 0, 0)
        self._future: Future[None] | None = None
        self._wished = True
        self._room_px = float(LONGEST_PX)
        self.setAccessibleName("Overview of the slide")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.hide()
        self._made.connect(self._on_made)

    def show_slide(self, reader: SlideReader) -> None:
        """Show another slide, its thumbnail and tissue as soon as a thread has made them."""
        self.forget()
        self._overview = Overview(reader)
        self._fit()
        self._future = self._pool.submit(self._work, reader)
        self._show_if_useful()

    def set_room(self, width_px: float) -> None:
        """Take no more than this of the width of what the map lies on."""
        if width_px != self._room_px:
            self._room_px = width_px
            self._fit()
            self._show_if_useful()

    def forget(self) -> None:
        """Let go of the slide; returns when no thread is reading it for the map."""
        self._overview = None
        if self._future is not None:
            self._future.cancel()
            wait([self._future])
            self._future = None
        self.hide()

    def show_view(self, view: View) -> None:
        """Move the frame."""
        if view != self._view:
            self._view = view
            self._show_if_useful()
            self.update()

    def set_wished(self, wished: bool) -> None:
        """Show or hide the map, now and for slides to come."""
        self._wished = wished
        self._show_if_useful()

    def _fit(self) -> None:
        if self._overview is not None:
            info, longest = self._overview.reader.info, min(self._room_px, LONGEST_PX)
            scale = longest / max(info.width_px, info.height_px)
            size = (max(round(side * scale), 24) for side in (info.width_px, info.height_px))
            self.resize(*size)
            self._ground = None

    def _show_if_useful(self) -> None:
        """Keep out of the way while the whole slide is in view: it would only repeat it."""
        if self._overview is None or not self._wished or self._room_px < LEAST_PX:
            self.setVisible(False)
            return
        info, seen = self._overview.reader.info, self._view.bounds
        slide = Rect(0, 0, info.width_px, info.height_px)
        self.setVisible(seen.empty or seen.intersected(slide) != slide)

    @property
    def overview(self) -> Overview | None:
        return self._overview

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._overview is None:
            return
        ratio = self.devicePixelRatioF()
        if self._ground is None or self._ground.devicePixelRatio() != ratio:
            self._ground = self._make_ground(ratio)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._ground)
        self._paint_frame(painter)
        painter.end()

    def _make_ground(self, ratio: float) -> QPixmap:
        """Paint all but the frame, once: the frame moves with every step of a pan."""
        assert self._overview is not None
        ground = QPixmap(self.size() * ratio)
        ground.setDevicePixelRatio(ratio)
        ground.fill(Qt.GlobalColor.white)
        inside = QRectF(self.rect())
        painter = QPainter(ground)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        if self._overview.thumbnail is not None:
            painter.drawImage(inside, self._overview.thumbnail)
        self._paint_outlines(painter)
        painter.setPen(QPen(QColor(16, 20, 26, 160), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(inside.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()
        return ground

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons():
            self._go(event.position())

    def _go(self, at: QPointF) -> None:
        if self._overview is not None:
            scale = self._px_per_slide_px
            self.place_chosen.emit(at.x() / scale, at.y() / scale)

    @property
    def _px_per_slide_px(self) -> float:
        assert self._overview is not None
        return self.width() / self._overview.reader.info.width_px

    def _paint_outlines(self, painter: QPainter) -> None:
        assert self._overview is not None
        pen = QPen(OUTLINE, 1)
        pen.setCosmetic(True)
        painter.save()
        painter.scale(self._px_per_slide_px, self._px_per_slide_px)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for outline in self._overview.outlines:
            painter.drawPolygon(outline)
        painter.restore()

    def _paint_frame(self, painter: QPainter) -> None:
        scale = self._px_per_slide_px
        width = max(self._view.width * scale, LEAST_FRAME_PX)
        height = max(self._view.height * scale, LEAST_FRAME_PX)
        painter.save()
        painter.translate(self._view.x * scale, self._view.y * scale)
        painter.rotate(-self._view.rotation)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, thickness in ((QColor(255, 255, 255, 210), 3.5), (FRAME, 1.5)):
            painter.setPen(QPen(colour, thickness))
            painter.drawRect(QRectF(-width / 2, -height / 2, width, height))
        painter.restore()

    def _work(self, reader: SlideReader) -> None:
        """Make the overview; on a thread of the pool."""
        try:
            thumbnail = _thumbnail(reader)
            self._made.emit(Overview(reader, thumbnail))
            self._made.emit(Overview(reader, thumbnail, tissue_outlines(reader)))
        except Exception:
            log.exception("no overview of %s", reader.info.path)

    @Slot(object)
    def _on_made(self, overview: Overview) -> None:
        if self._overview is not None and overview.reader is self._overview.reader:
            self._overview = overview
            self._ground = None
            self.update()


def tissue_outlines(reader: SlideReader) -> tuple[QPolygonF, ...]:
    """Return the outlines of the tissue, in level-0 pixels; specks are left out."""
    from skimage.measure import find_contours

    from stainapp.slides.tissue import tissue_mask

    mask, downsample = tissue_mask(reader, max_px=512)
    padded = np.pad(mask.astype(np.float32), 1)
    outlines = []
    for contour in find_contours(padded, 0.5):
        if len(contour) >= 24:
            points = [QPointF((x - 0.5) * downsample, (y - 0.5) * downsample) for y, x in contour]
            outlines.append(QPolygonF(points))
    return tuple(outlines)


def _thumbnail(reader: SlideReader) -> QImage | None:
    """Return the slide made small; None where even its coarsest level is huge."""
    info = reader.info
    index = info.level_for_downsample(max(info.width_px, info.height_px) / THUMBNAIL_PX)
    level = info.levels[index]
    if max(level.width_px, level.height_px) > MOST_SOURCE_PX:
        return None
    image = Image.fromarray(reader.read(0, 0, index, level.width_px, level.height_px))
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    return to_qimage(np.asarray(image))
