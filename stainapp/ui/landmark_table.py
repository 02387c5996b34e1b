"""The pairs of landmarks as a table: their numbers, and how far each is off."""

from math import isfinite

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QBrush, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from stainapp.registration.pairs import Pairs
from stainapp.ui.landmark_layer import colour_of
from stainapp.ui.landmark_words import Residual

SWATCH_PX = 12
TO_THE_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NUMBER, NOW, OTHERS = range(3)


class LandmarkTable(QTableWidget):
    """Shows pairs; tells which one the user chose."""

    chosen = Signal(int)
    """The number of a pair."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setAccessibleName("Pairs of landmarks")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setSectionResizeMode(NUMBER, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NOW, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(OTHERS, QHeaderView.ResizeMode.Stretch)
        self.cellClicked.connect(self._on_cell)

    def show_pairs(
        self,
        pairs: Pairs,
        residuals: tuple[Residual, ...],
        selected: int | None,
        mpp: float | None,
    ) -> None:
        """Fill the table.

        Args:
            pairs: all of them, half ones too.
            residuals: of those that count.
            selected: the number of the pair to mark.
            mpp: of the fixed slide; None: lengths are in pixels.
        """
        unit = "px" if mpp is None else "µm"
        self.setHorizontalHeaderLabels(["Pair", f"Off, {unit}", f"Others, {unit}"])
        for column, words in (
            (NOW, "From where the registration puts it; it was made to fit those it used"),
            (OTHERS, "From where the other pairs expect it"),
        ):
            heading = self.horizontalHeaderItem(column)
            if heading is not None:
                heading.setToolTip(words)
        known = {one.number: one for one in residuals}
        self.setRowCount(len(pairs))
        for row, pair in enumerate(pairs):
            number = QTableWidgetItem(_swatch(pair.number), str(pair.number))
            number.setData(Qt.ItemDataRole.UserRole, pair.number)
            self.setItem(row, NUMBER, number)
            found = known.get(pair.number)
            if found is not None:
                now = "used" if found.used else _length(found.transform_px, mpp)
                cells = [now, _length(found.others_px, mpp)]
            else:
                cells = ["proposed" if pair.proposed else "half", ""]
            for column, text in zip((NOW, OTHERS), cells, strict=True):
                item = QTableWidgetItem(text)
                item.setTextAlignment(TO_THE_RIGHT)
                if found is None:
                    item.setForeground(QBrush(self.palette().placeholderText()))
                self.setItem(row, column, item)
            if pair.number == selected:
                self.selectRow(row)
        if selected is None:
            self.clearSelection()

    def _on_cell(self, row: int, _column: int) -> None:
        item = self.item(row, NUMBER)
        if item is not None:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))


def _length(px: float, mpp: float | None) -> str:
    value = px if mpp is None else px * mpp
    if not isfinite(value):
        return "–"
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def _swatch(number: int) -> QIcon:
    pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour_of(number))
    painter.drawEllipse(0, 0, SWATCH_PX, SWATCH_PX)
    painter.end()
    return QIcon(pixmap)
