"""How lines and dots of regions are drawn: as wide at every zoom, on a halo where there is time."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF, QTransform

from stainapp.session.feature_properties import Colour
from stainapp.session.regions import Region

HALO = (255, 255, 255, 150)
"""Under the lines of regions, so that they are seen on dark tissue."""
HAIRLINE_PX, LINE_PX, SELECTED_LINE_PX = 1.0, 1.8, 3.0
MANY_POINTS = 500
"""Outlines with more are drawn thin: wide lines take Qt ten times as long."""
HALO_PX = 1.6
"""By how much the halo is wider than the line, on both sides together."""
DOT_PX, SMALL_DOT_PX = 9.0, 5.0
SELECTED_DOT_PX = 3.0
"""How much wider a selected dot is."""
Dots: TypeAlias = NDArray[np.float64]
"""(N, 2): points in level-0 pixels."""


def paint_region(
    painter: QPainter,
    region: Region,
    path: QPainterPath,
    colour: Colour,
    pixel: float,
    *,
    selected: bool,
) -> None:
    """Draw one region.

    Args:
        painter: takes level-0 pixels.
        region: what is drawn.
        path: its outline.
        colour: of its line.
        pixel: level-0 pixels that one screen pixel covers.
        selected: whether it stands out.
    """
    if region.shape == "points":
        dots = np.array(region.points, np.float64)
        paint_dots(painter, dots, colour, DOT_PX + SELECTED_DOT_PX * selected)
        return
    quick = path.elementCount() > MANY_POINTS
    if quick and not selected:
        hairlines(painter, path, colour, pixel)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not quick)
    for pen in pens_of(colour, SELECTED_LINE_PX if selected else LINE_PX):
        painter.setPen(pen)
        painter.drawPath(path)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def hairlines(painter: QPainter, path: QPainterPath, colour: Colour, pixel: float) -> None:
    """Draw two hairlines side by side: still five times as fast as one line of two pixels."""
    _beside(painter, path, colour, [(0.0, 0.0), (pixel / 2, pixel / 2)])


def one_hairline(painter: QPainter, path: QPainterPath, colour: Colour) -> None:
    painter.setPen(pen_of(colour, HAIRLINE_PX))
    painter.drawPath(path)


def four_hairlines(painter: QPainter, path: QPainterPath, colour: Colour, pixel: float) -> None:
    """Draw a line of three pixels in a tenth of the time that it would take."""
    far = 1.2 * pixel
    _beside(painter, path, colour, [(-far, 0.0), (far, 0.0), (0.0, -far), (0.0, far)])


def paint_dots(painter: QPainter, dots: Dots, colour: Colour, width_px: float) -> None:
    """Draw points as discs of the same size at every zoom."""
    world = painter.worldTransform()
    matrix = np.array([[world.m11(), world.m12()], [world.m21(), world.m22()]])
    there = dots @ matrix + (world.dx(), world.dy())
    polygon = QPolygonF([QPointF(x, y) for x, y in there.tolist()])
    painter.save()
    painter.setWorldTransform(QTransform())
    for one in pens_of(colour, width_px):
        pen = QPen(one)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawPoints(polygon)
    painter.restore()


def pens_of(colour: Colour, width_px: float) -> tuple[QPen, QPen]:
    """Return the pens of a line: of its halo, and of itself."""
    return pen_of(HALO, width_px + HALO_PX), pen_of(colour, width_px)


@lru_cache(maxsize=256)
def pen_of(colour: tuple[int, ...], width_px: float) -> QPen:
    pen = QPen(QColor(*colour), width_px)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen


def _beside(
    painter: QPainter,
    path: QPainterPath,
    colour: Colour,
    places: Iterable[tuple[float, float]],
) -> None:
    painter.setPen(pen_of(colour, HAIRLINE_PX))
    for dx, dy in places:
        painter.translate(dx, dy)
        painter.drawPath(path)
        painter.translate(-dx, -dy)
