"""The regions as a pane shows them: outlines as wide at every zoom, handles on the selected one."""

from collections.abc import Sequence
from math import hypot

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from stainapp.geometry import Rect
from stainapp.session.feature_properties import Colour
from stainapp.session.regions import Point, Region, colour_of
from stainapp.ui.region_picture import RegionPicture
from stainapp.ui.region_shape import Handle, Middle, Outlines, handles_in
from stainapp.ui.region_strokes import (
    HAIRLINE_PX,
    LINE_PX,
    SELECTED_LINE_PX,
    paint_region,
    pen_of,
)
from stainapp.ui.region_words import length_words
from stainapp.ui.standing_regions import StandingRegions

EXTENT_PX = 2.0**26
"""Level-0 pixels from the origin within which regions are painted: ten times any slide."""
NEW_LINE, NEW_HALO = (255, 215, 0), (10, 14, 20, 150)
INK = QColor(255, 255, 255)
HANDLE_PX = 4.0
"""Half the side of a handle."""
LABEL_GAP_PX = 10.0


class RegionLayer(QGraphicsItem):
    """Paints regions; lies on the slide, in level-0 pixels. Decides nothing.

    Args:
        standing: paints what is not being changed; shared by the panes of a view.
    """

    def __init__(self, standing: StandingRegions) -> None:
        super().__init__()
        self._picture = RegionPicture()
        self._standing = standing
        self._outlines = Outlines()
        self._smooth = True

    @property
    def picture(self) -> RegionPicture:
        return self._picture

    def set_picture(self, picture: RegionPicture) -> None:
        self._picture = picture
        self._standing.show(picture)
        self.update()

    def set_smooth(self, smooth: bool) -> None:
        """Paint well (at rest), or quickly where there are many (while moving)."""
        if smooth != self._smooth:
            self._smooth = smooth
            self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(-EXTENT_PX, -EXTENT_PX, 2 * EXTENT_PX, 2 * EXTENT_PX)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        picture = self._picture
        if widget is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)  # a fill would change the colours of the stain
        world = painter.worldTransform()
        seen = world.inverted()[0].mapRect(QRectF(widget.rect()))
        field_seen = Rect(seen.x(), seen.y(), seen.width(), seen.height())
        pixel = 1 / max(hypot(world.m11(), world.m12()), 1e-9)
        shown = self._standing.paint(painter, field_seen, pixel, moving=not self._smooth)
        for region in picture.drawn:
            path, colour = self._outlines.path(region, pixel), self._colour(region)
            paint_region(painter, region, path, colour, pixel, selected=True)
        painter.setWorldTransform(QTransform())  # what follows is measured in screen pixels
        for region in (*shown, *picture.drawn):
            if region.shape == "line" and region.points:
                at = world.map(QPointF(*region.points[-1]))
                _paint_label(painter, at, length_words(region.length_px, picture.mpp))
        if picture.handled is not None:
            found = handles_in(picture.handled, pixel, field_seen)
            _paint_handles(painter, world, picture.handled, self._colour(picture.handled), found)
        if picture.line:
            _paint_line(painter, world.map(_polygon(picture.line)), picture.closing)
            if picture.measures:
                words = length_words(_line(picture.line).length_px, picture.mpp)
                _paint_label(painter, world.map(QPointF(*picture.line[-1])), words)
        if picture.brush_px:
            _paint_brush(painter, world.map(QPointF(*picture.pointer)), picture.brush_px)
        painter.restore()

    # parts

    def _colour(self, region: Region) -> Colour:
        return colour_of(region, self._picture.classes)


def _polygon(line: Sequence[Point]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in line])


def _line(points: tuple[Point, ...]) -> Region:
    return Region(points=points, shape="line")


def _paint_handles(
    painter: QPainter, world: QTransform, region: Region, colour: Colour, found: Sequence[Handle]
) -> None:
    """Draw squares that can be dragged, and small dots where a point can be added."""
    if region.shape == "points":
        return  # its dots are handles enough
    painter.setPen(QPen(QColor(*colour).darker(150), 1.3))
    painter.setBrush(INK)
    for handle in found:
        at = world.map(QPointF(handle.x, handle.y))
        if isinstance(handle, Middle):
            painter.drawEllipse(at, HANDLE_PX * 0.7, HANDLE_PX * 0.7)
        else:
            corner = at - QPointF(HANDLE_PX, HANDLE_PX)
            painter.drawRect(QRectF(corner.x(), corner.y(), 2 * HANDLE_PX, 2 * HANDLE_PX))


def _paint_line(painter: QPainter, line: QPolygonF, closing: bool) -> None:
    """Draw the polygon so far; its first point grows where a click would close it."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (pen_of(NEW_HALO, SELECTED_LINE_PX), pen_of(NEW_LINE, LINE_PX)):
        painter.setPen(pen)
        painter.drawPolyline(line)
    painter.setBrush(INK)
    for index in range(line.size() - 1):
        grown = 1.8 if closing and index == 0 else 0.8
        painter.drawEllipse(line.at(index), HANDLE_PX * grown, HANDLE_PX * grown)


def _paint_brush(painter: QPainter, at: QPointF, radius_px: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (pen_of(NEW_HALO, SELECTED_LINE_PX), pen_of(NEW_LINE, HAIRLINE_PX)):
        painter.setPen(pen)
        painter.drawEllipse(at, radius_px, radius_px)


def _paint_label(painter: QPainter, at: QPointF, words: str) -> None:
    """Write beside a place, on a ground of its own."""
    box = painter.fontMetrics().boundingRect(words).adjusted(-5, -2, 5, 2)
    box.moveTopLeft(at.toPoint())
    box.translate(round(LABEL_GAP_PX), -box.height() // 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(10, 14, 20, 190))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(INK)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
