"""The scale bar: a round length, readable on any tissue."""

from math import floor, log10

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter
from PySide6.QtWidgets import QApplication, QGraphicsItem, QStyleOptionGraphicsItem, QWidget

LONGEST_PX = 160.0
THICKNESS_PX = 4.0
PADDING_PX = 7.0
INK = QColor(255, 255, 255)
GROUND = QColor(16, 20, 26, 175)


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50, ... that is no longer than ``longest``."""
    power = 10.0 ** floor(log10(longest))
    return next((step * power for step in (5, 2) if step * power <= longest), power)


def length_words(length_um: float) -> str:
    """Write a round length with the unit that reads best."""
    if length_um >= 1000:
        return f"{length_um / 1000:g} mm"
    return f"{length_um:g} µm" if length_um >= 1 else f"{length_um * 1000:g} nm"


class ScaleBar(QGraphicsItem):
    """Draws the bar leftwards and upwards from its own position, in screen pixels."""

    def __init__(self, parent: QGraphicsItem | None = None) -> None:
        super().__init__(parent)
        self._px = 0.0
        self._words = ""
        self._ink = QRectF()

    def set_scale(self, um_per_px: float | None, longest_px: float = LONGEST_PX) -> None:
        """Set micrometres per screen pixel; None, where the slide says none, hides the bar."""
        if um_per_px is None:
            px, words = 0.0, ""
        else:
            length = round_length(min(longest_px, LONGEST_PX) * um_per_px)
            px, words = length / um_per_px, length_words(length)
        if (px, words) != (self._px, self._words):
            self.prepareGeometryChange()
            self._px, self._words = px, words
            self._ink = self._extent()
            self.update()

    @property
    def words(self) -> str:
        return self._words

    def boundingRect(self) -> QRectF:
        return self._ink

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        if not self._words:
            return
        painter.fillRect(self._ink, GROUND)  # square: round corners cost a millisecond a frame
        inside = self._ink.adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
        left = inside.center().x() - self._px / 2
        painter.fillRect(QRectF(left, inside.bottom() - THICKNESS_PX, self._px, THICKNESS_PX), INK)
        painter.setPen(INK)
        painter.drawText(
            inside, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, self._words
        )

    def _extent(self) -> QRectF:
        if not self._words:
            return QRectF()
        metrics = QFontMetricsF(_font())
        width = max(self._px, metrics.horizontalAdvance(self._words) + 2) + 2 * PADDING_PX
        height = metrics.height() + 3 + THICKNESS_PX + 2 * PADDING_PX
        return QRectF(-width, -height, width, height)


def _font() -> QFont:
    return QApplication.font()
