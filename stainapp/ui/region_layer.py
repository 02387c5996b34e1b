"""The regions as a pane shows them: outlines as wide at every zoom, handles on the selected one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from stainapp.geometry import Rect
from stainapp.session.regions import Point, Region, colour_of
from stainapp.ui.region_shape import Handle, Middle, Outlines, handles_in

EXTENT_PX = 2.0**26
"""Level-0 pixels from the origin within which regions are painted: ten times any slide."""
HALO = QColor(255, 255, 255, 150)
"""Under the lines of regions, so that they are seen on dark tissue."""
NEW_HALO = QColor(10, 14, 20, 150)
INK = QColor(255, 255, 255)
HAIRLINE_PX, LINE_PX, SELECTED_LINE_PX = 1.0, 1.8, 3.0
MANY_REGIONS, MANY_POINTS = 40, 500
"""More regions in view, or points in one, are drawn thin: wide lines take Qt ten times as long."""
HALO_PX = 1.6
"""By how much the halo is wider than the line, on both sides together."""
HANDLE_PX = 4.0
"""Half the side of a handle."""
NEW_LINE = QColor(255, 215, 0)


@dataclass(frozen=True, slots=True)
class RegionPicture:
    """All that panes show of regions."""

    regions: tuple[Region, ...] = ()
    selected: frozenset[str] = frozenset()
    handled: Region | None = None
    """The region whose handles are shown."""
    line: tuple[Point, ...] = ()
    """The polygon that is being drawn, up to the pointer."""
    closing: bool = False
    """Whether a click now ends it."""


class RegionLayer(QGraphicsItem):
    """Paints regions; lies on the slide, in level-0 pixels. Decides nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = RegionPicture()
        self._outlines = Outlines()

    @property
    def picture(self) -> RegionPicture:
        return self._picture

    def set_picture(self, picture: RegionPicture) -> None:
        self._picture = picture
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
        if widget is None or not (picture.regions or picture.line):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)  # a fill would change the colours of the stain
        world = painter.worldTransform()
        seen = world.inverted()[0].mapRect(QRectF(widget.rect()))
        pixel = 1 / max(hypot(world.m11(), world.m12()), 1e-9)
        self._paint_regions(painter, seen, pixel)
        painter.setWorldTransform(QTransform())  # what follows is measured in screen pixels
        if picture.handled is not None:
            field = Rect(seen.x(), seen.y(), seen.width(), seen.height())
            _paint_handles(
                painter, world, picture.handled, handles_in(picture.handled, pixel, field)
            )
        if picture.line:
            _paint_line(painter, world.map(_polygon(picture)), picture.closing)
        painter.restore()

    def _paint_regions(self, painter: QPainter, seen: QRectF, pixel: float) -> None:
        """Paint what is in view, the selected on top; in hairlines what would take long."""
        paths = [(region, self._outlines.path(region, pixel)) for region in self._picture.regions]
        paths = [found for found in paths if found[1].controlPointRect().intersects(seen)]
        crowded = len(paths) > MANY_REGIONS
        selected = [found for found in paths if found[0].id in self._picture.selected]
        for region, path in paths:
            if crowded or path.elementCount() > MANY_POINTS:
                _stroke_thinly(painter, path, QColor(*colour_of(region)), pixel)
            elif region.id not in self._picture.selected:
                _stroke(painter, path, _pens(region, LINE_PX))
        for region, path in selected:
            quick = len(selected) > MANY_REGIONS or path.elementCount() > MANY_POINTS
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, not quick)
            _stroke(painter, path, _pens(region, SELECTED_LINE_PX))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _stroke(painter: QPainter, path: QPainterPath, pens: Iterable[QPen]) -> None:
    for pen in pens:
        painter.setPen(pen)
        painter.drawPath(path)


def _stroke_thinly(painter: QPainter, path: QPainterPath, colour: QColor, pixel: float) -> None:
    """Draw two hairlines side by side: still five times as fast as one line of two pixels."""
    painter.setPen(_pen(colour, HAIRLINE_PX))
    painter.drawPath(path)
    painter.translate(HAIRLINE_PX * pixel / 2, HAIRLINE_PX * pixel / 2)
    painter.drawPath(path)
    painter.translate(-HAIRLINE_PX * pixel / 2, -HAIRLINE_PX * pixel / 2)


def _pens(region: Region, width_px: float) -> tuple[QPen, QPen]:
    return _pen(HALO, width_px + HALO_PX), _pen(QColor(*colour_of(region)), width_px)


def _pen(colour: QColor, width_px: float) -> QPen:
    pen = QPen(colour, width_px)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen


def _polygon(picture: RegionPicture) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in picture.line])


def _paint_handles(
    painter: QPainter, world: QTransform, region: Region, found: Sequence[Handle]
) -> None:
    """Draw squares that can be dragged, and small dots where a point can be added."""
    painter.setPen(QPen(QColor(*colour_of(region)).darker(150), 1.3))
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
    for pen in (_pen(NEW_HALO, SELECTED_LINE_PX), _pen(NEW_LINE, LINE_PX)):
        painter.setPen(pen)
        painter.drawPolyline(line)
    painter.setBrush(INK)
    for index in range(line.size() - 1):
        grown = 1.8 if closing and index == 0 else 0.8
        painter.drawEllipse(line.at(index), HANDLE_PX * grown, HANDLE_PX * grown)
