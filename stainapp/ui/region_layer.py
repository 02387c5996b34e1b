"""The regions as a pane shows them: outlines as wide at every zoom, handles on the selected one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from stainapp.geometry import Rect
from stainapp.session.feature_properties import Colour
from stainapp.session.region_index import RegionIndex
from stainapp.session.regions import CLASSES, Classes, Point, Region, colour_of
from stainapp.ui.region_batches import Batch, RegionBatches
from stainapp.ui.region_shape import Handle, Middle, Outlines, handles_in
from stainapp.ui.region_words import length_words

EXTENT_PX = 2.0**26
"""Level-0 pixels from the origin within which regions are painted: ten times any slide."""
HALO = QColor(255, 255, 255, 150)
"""Under the lines of regions, so that they are seen on dark tissue."""
NEW_HALO = QColor(10, 14, 20, 150)
INK = QColor(255, 255, 255)
HAIRLINE_PX, LINE_PX, SELECTED_LINE_PX = 1.0, 1.8, 3.0
MANY_REGIONS, MANY_POINTS = 40, 500
"""More regions in view, or points in one, are drawn thin: wide lines take Qt ten times as long."""
MANY_TWICE = 400
"""With more regions in view each line is a single hairline."""
FAR_CELLS, NEAR_CELLS = 4, 14
NEAR_SHARE = 0.4
"""With less than this share of the regions in view, small cells are painted."""
HALO_PX = 1.6
"""By how much the halo is wider than the line, on both sides together."""
HANDLE_PX = 4.0
"""Half the side of a handle."""
Dots: TypeAlias = NDArray[np.float64]
"""(N, 2): points in level-0 pixels."""
DOT_PX, SMALL_DOT_PX = 9.0, 5.0
NEW_LINE = QColor(255, 215, 0)
LABEL_GAP_PX = 10.0


@dataclass(frozen=True, slots=True)
class RegionPicture:
    """All that panes show of regions."""

    index: RegionIndex = field(default_factory=RegionIndex)
    classes: Classes = field(default_factory=lambda: CLASSES)
    drawn: tuple[Region, ...] = ()
    """Regions that are being changed, as they are now, or new ones; over those of the same ids."""
    hidden: frozenset[str] = frozenset()
    selected: frozenset[str] = frozenset()
    handled: Region | None = None
    """The region whose handles are shown."""
    line: tuple[Point, ...] = ()
    """The polygon or line that is being drawn, up to the pointer."""
    closing: bool = False
    """Whether a click now ends it."""
    measures: bool = False
    """Whether its length is written beside it."""
    brush_px: float = 0.0
    """The brush's radius on the screen; 0 without a brush."""
    pointer: Point = (0.0, 0.0)
    mpp: float | None = None
    """Micrometres per level-0 pixel, for lengths."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """What is to be seen, an unfinished change included."""
        changed = {region.id: region for region in self.drawn}
        kept = [changed.pop(r.id, r) for r in self.index.regions if r.id not in self.hidden]
        return (*kept, *changed.values())


class RegionLayer(QGraphicsItem):
    """Paints regions; lies on the slide, in level-0 pixels. Decides nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = RegionPicture()
        self._outlines = Outlines()
        self._far, self._near = RegionBatches(FAR_CELLS), RegionBatches(NEAR_CELLS)
        self._colours: Mapping[str, Colour] = {}
        self._coloured: tuple[RegionIndex, Classes] | None = None

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
        if widget is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)  # a fill would change the colours of the stain
        world = painter.worldTransform()
        seen = world.inverted()[0].mapRect(QRectF(widget.rect()))
        field_seen = Rect(seen.x(), seen.y(), seen.width(), seen.height())
        pixel = 1 / max(hypot(world.m11(), world.m12()), 1e-9)
        labelled = self._paint_regions(painter, world, field_seen, pixel)
        painter.setWorldTransform(QTransform())  # what follows is measured in screen pixels
        for region in labelled:
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

    def _paint_regions(
        self, painter: QPainter, world: QTransform, seen: Rect, pixel: float
    ) -> list[Region]:
        """Paint what is in view, what is selected on top; return the lines with a label."""
        picture = self._picture
        own = frozenset(region.id for region in picture.drawn) | picture.hidden
        places = picture.index.within(seen)
        crowded = len(places) > MANY_REGIONS
        regions: list[Region] = []
        if crowded:
            self._paint_crowd(painter, world, seen, pixel, own, crowd=len(places))
        else:
            regions = [r for r in (picture.index.regions[p] for p in places) if r.id not in own]
        regions.sort(key=lambda region: region.id in picture.selected)
        shown = [*regions, *picture.drawn]
        for region in shown:
            selected = region.id in picture.selected or region.id in own
            self._paint_region(painter, world, region, pixel, selected=selected)
        return [region for region in shown if region.shape == "line" and region.points]

    def _paint_region(
        self, painter: QPainter, world: QTransform, region: Region, pixel: float, *, selected: bool
    ) -> None:
        colour = QColor(*self._colour(region))
        if region.shape == "points":
            dots = np.array(region.points, np.float64)
            _paint_dots(painter, world, dots, colour, DOT_PX + 3 * selected)
            return
        path = self._outlines.path(region, pixel)
        quick = path.elementCount() > MANY_POINTS
        if quick and not selected:
            _stroke_thinly(painter, path, colour, pixel)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not quick)
        _stroke(painter, path, _pens(colour, SELECTED_LINE_PX if selected else LINE_PX))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_crowd(
        self,
        painter: QPainter,
        world: QTransform,
        seen: Rect,
        pixel: float,
        left_out: frozenset[str],
        *,
        crowd: int,
    ) -> None:
        """Paint many at once, in hairlines, from large cells or from small ones."""
        picture = self._picture
        near = crowd < NEAR_SHARE * len(picture.index.regions)
        batches = self._near if near else self._far
        batches.show(picture.index, self._all_colours(), picture.selected, left_out)
        dots: dict[tuple[Colour, bool], list[Dots]] = {}
        for batch in batches.within(seen, pixel):
            _paint_batch(painter, batch, pixel, twice=crowd <= MANY_TWICE)
            if len(batch.points):
                dots.setdefault((batch.colour, batch.selected), []).append(batch.points)
        for (colour, selected), points in dots.items():
            width_px = SMALL_DOT_PX + 3 * selected
            _paint_dots(painter, world, np.concatenate(points), QColor(*colour), width_px)

    def _all_colours(self) -> Mapping[str, Colour]:
        picture = self._picture
        index, classes = self._coloured or (None, None)
        if index is not picture.index or classes is not picture.classes:
            self._coloured = picture.index, picture.classes
            self._colours = {r.id: colour_of(r, picture.classes) for r in picture.index.regions}
        return self._colours

    def _colour(self, region: Region) -> Colour:
        return colour_of(region, self._picture.classes)


def _paint_batch(painter: QPainter, batch: Batch, pixel: float, *, twice: bool) -> None:
    colour = QColor(*batch.colour)
    if batch.selected:  # wide lines would take ten times as long
        shift = 1.2 * HAIRLINE_PX * pixel
        for dx, dy in ((-shift, 0), (shift, 0), (0, -shift), (0, shift)):
            painter.translate(dx, dy)
            painter.setPen(_pen(colour, HAIRLINE_PX))
            painter.drawPath(batch.path)
            painter.translate(-dx, -dy)
    elif twice:
        _stroke_thinly(painter, batch.path, colour, pixel)
    else:
        painter.setPen(_pen(colour, HAIRLINE_PX))
        painter.drawPath(batch.path)


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


def _paint_dots(
    painter: QPainter, world: QTransform, dots: Dots, colour: QColor, width_px: float
) -> None:
    """Draw points as discs of the same size at every zoom."""
    matrix = np.array([[world.m11(), world.m12()], [world.m21(), world.m22()]])
    there = dots @ matrix + (world.dx(), world.dy())
    polygon = QPolygonF([QPointF(x, y) for x, y in there.tolist()])
    painter.save()
    painter.setWorldTransform(QTransform())
    for pen in _pens(colour, width_px):
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawPoints(polygon)
    painter.restore()


def _pens(colour: QColor, width_px: float) -> tuple[QPen, QPen]:
    return _pen(HALO, width_px + HALO_PX), _pen(colour, width_px)


def _pen(colour: QColor, width_px: float) -> QPen:
    pen = QPen(colour, width_px)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen


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
    for pen in (_pen(NEW_HALO, SELECTED_LINE_PX), _pen(NEW_LINE, LINE_PX)):
        painter.setPen(pen)
        painter.drawPolyline(line)
    painter.setBrush(INK)
    for index in range(line.size() - 1):
        grown = 1.8 if closing and index == 0 else 0.8
        painter.drawEllipse(line.at(index), HANDLE_PX * grown, HANDLE_PX * grown)


def _paint_brush(painter: QPainter, at: QPointF, radius_px: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (_pen(NEW_HALO, SELECTED_LINE_PX), _pen(NEW_LINE, HAIRLINE_PX)):
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
