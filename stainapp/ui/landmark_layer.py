"""Landmarks as one pane shows them: numbered rings in the colours of their pairs."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QTransform
from PySide6.QtWidgets import QApplication, QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from stainapp.registration.pairs import Pairs, Place, Side
from stainapp.ui.region_layer import EXTENT_PX

COLOURS = (
    "#e6194b", "#0082c8", "#f58231", "#3cb44b", "#911eb4", "#00a5a5", "#c8a000", "#f032e6",
)  # fmt: skip
"""Told apart on pink, blue and brown tissue alike."""
RADIUS_PX, SELECTED_RADIUS_PX, HOLE_PX = 8.0, 11.0, 2.5
HALO = QColor(255, 255, 255, 220)
SHADOW = QColor(10, 14, 20, 200)


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a pair on one side."""

    number: int
    place: Place
    selected: bool = False
    proposed: bool = False
    """Whether nobody has yet looked at it."""


def marks_of(pairs: Pairs, side: Side, selected: int | None) -> tuple[Mark, ...]:
    """Return what is to be seen on one side, the selected mark on top."""
    marks = []
    for pair in pairs:
        place = pair.at(side)
        if place is not None:
            marks.append(Mark(pair.number, place, pair.number == selected, pair.proposed == side))
    return tuple(sorted(marks, key=lambda mark: mark.selected))


def colour_of(number: int) -> QColor:
    return QColor(COLOURS[(number - 1) % len(COLOURS)])


class LandmarkLayer(QGraphicsItem):
    """Paints marks as large at every zoom; lies on the slide, in level-0 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self._marks: tuple[Mark, ...] = ()

    @property
    def marks(self) -> tuple[Mark, ...]:
        return self._marks

    def set_marks(self, marks: tuple[Mark, ...]) -> None:
        self._marks = marks
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(-EXTENT_PX, -EXTENT_PX, 2 * EXTENT_PX, 2 * EXTENT_PX)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        painter.save()
        world = painter.worldTransform()
        painter.setWorldTransform(QTransform())  # what follows is measured in screen pixels
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        font = QFont(QApplication.font())
        font.setBold(True)
        painter.setFont(font)
        for mark in self._marks:
            _paint(painter, world.map(QPointF(*mark.place)), mark)
        painter.restore()


def _paint(painter: QPainter, at: QPointF, mark: Mark) -> None:
    radius = SELECTED_RADIUS_PX if mark.selected else RADIUS_PX
    colour = colour_of(mark.number)
    for ink, width in ((HALO, 5.0), (colour, 2.5)):
        pen = QPen(ink, width)
        if mark.proposed and ink is colour:
            pen.setStyle(Qt.PenStyle.DotLine)
        painter.setPen(pen)
        painter.drawEllipse(at, radius, radius)
        pen.setStyle(Qt.PenStyle.SolidLine)
        pen.setWidthF(width / 2)
        painter.setPen(pen)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):  # the middle stays free to be looked at
            towards = QPointF(dx, dy)
            painter.drawLine(at + towards * HOLE_PX, at + towards * radius)
    words = f"{mark.number}?" if mark.proposed else str(mark.number)
    size = painter.fontMetrics().boundingRect(words)
    label = QRectF(at.x() + radius + 3, at.y() - radius - 6, size.width() + 10, size.height() + 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour if not mark.proposed else SHADOW)
    painter.drawRoundedRect(label, 4, 4)
    painter.setPen(HALO)
    painter.drawText(label, Qt.AlignmentFlag.AlignCenter, words)
    painter.setBrush(Qt.BrushStyle.NoBrush)
