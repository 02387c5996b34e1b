"""The legend of the difference: what its colours say, in screen pixels."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from stainapp.compare.difference_slide import Legend
from stainapp.ui.feeds import to_qimage
from stainapp.ui.scale_bar import GROUND, INK, PADDING_PX

BAR_PX, BAR_HEIGHT_PX = 160.0, 8.0
GAP_PX = 3.0
MINUS = "\N{MINUS SIGN}"


class DifferenceLegend(QGraphicsItem):
    """Draws a bar of colours leftwards and upwards from its own position, as the scale bar does."""

    def __init__(self, parent: QGraphicsItem | None = None) -> None:
        super().__init__(parent)
        self._legend: Legend | None = None
        self._bar = QPixmap()
        self._ground = QRectF()

    @property
    def legend(self) -> Legend | None:
        return self._legend

    def set_legend(self, legend: Legend | None) -> None:
        """Show what the colours say; None hides it."""
        if legend is not self._legend:
            self.prepareGeometryChange()
            self._legend = legend
            self._bar = QPixmap() if legend is None else QPixmap.fromImage(to_qimage(legend.bar))
            self._ground = self._extent()
            self.update()

    def boundingRect(self) -> QRectF:
        return self._ground

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        if self._legend is None:
            return
        painter.fillRect(self._ground, GROUND)
        inside = self._ground.adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
        line = QFontMetricsF(_font()).height()
        painter.setFont(_font())
        painter.setPen(INK)
        painter.drawText(inside, Qt.AlignmentFlag.AlignHCenter, self._legend.title)
        bar = QRectF(inside.x(), inside.y() + line + GAP_PX, inside.width(), BAR_HEIGHT_PX)
        painter.drawPixmap(bar, self._bar, QRectF(self._bar.rect()))
        below = QRectF(inside.x(), bar.bottom(), inside.width(), line + GAP_PX)
        flags = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter)
        for words, side in zip(
            self._legend.ends, (*flags, Qt.AlignmentFlag.AlignRight), strict=True
        ):
            aligned = side | Qt.AlignmentFlag.AlignBottom
            painter.drawText(below, aligned, words.replace("-", MINUS))

    def _extent(self) -> QRectF:
        if self._legend is None:
            return QRectF()
        metrics = QFontMetricsF(_font())
        width = max(BAR_PX, metrics.horizontalAdvance(self._legend.title) + 2) + 2 * PADDING_PX
        height = 2 * metrics.height() + 2 * GAP_PX + BAR_HEIGHT_PX + 2 * PADDING_PX
        return QRectF(-width, -height, width, height)


def _font() -> QFont:
    return QApplication.font()
