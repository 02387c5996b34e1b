"""The staining models as a list that Qt views can show, with why some do not fit the slide."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from stainapp.models.compatibility import Compatibility
from stainapp.models.store import Found

Index = QModelIndex | QPersistentModelIndex

ENTRY_ROLE = Qt.ItemDataRole.UserRole
SHOWN_ROLE = Qt.ItemDataRole.UserRole + 1
SHOWN = "● "
ROOT = QModelIndex()
PADDING_PX = 7


@dataclass(frozen=True, slots=True)
class Entry:
    """One model as the picker shows it, for the slide that is open."""

    found: Found
    compatibility: Compatibility

    @property
    def facts(self) -> str:
        """Stains, scale and licence on one line."""
        card = self.found.card
        scale = f"{card.mpp:g} µm/px" if card.mpp else "any scale"
        stains = f"{card.source_stain} → {card.target_stain}"
        return " · ".join(part for part in (stains, scale, card.licence) if part)


class ModelList(QAbstractListModel):
    """A read-only view of some models; `set_entries` replaces them all."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        super().__init__()
        self._entries = tuple(entries)
        self._shown = ""

    def set_shown(self, model_id: str) -> None:
        """Mark the model whose picture is on show; an empty id marks none."""
        self._shown = model_id
        if self._entries:
            self.dataChanged.emit(self.index(0), self.index(len(self._entries) - 1))

    def set_entries(self, entries: Sequence[Entry]) -> None:
        self.beginResetModel()
        self._entries = tuple(entries)
        self.endResetModel()

    def row_of(self, model_id: str) -> int | None:
        for row, entry in enumerate(self._entries):
            if entry.found.card.id == model_id:
                return row
        return None

    def entry(self, row: int) -> Entry:
        return self._entries[row]

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        values = {
            Qt.ItemDataRole.DisplayRole: entry.found.card.name,
            Qt.ItemDataRole.AccessibleTextRole: (
                f"{entry.found.card.name}, {entry.facts}. {entry.compatibility.reason}"
            ),
            Qt.ItemDataRole.ToolTipRole: entry.compatibility.reason or entry.facts,
            ENTRY_ROLE: entry,
            SHOWN_ROLE: entry.found.card.id == self._shown,
        }
        return values.get(role)


class ModelDelegate(QStyledItemDelegate):
    """Draws a model as two lines, and a third that says why it does not fit the slide."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        lines = 2 if index.data(ENTRY_ROLE).compatibility.ok else 3
        metrics = QFontMetrics(option.font)
        return QSize(100, lines * metrics.height() + 2 * PADDING_PX + 2)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(ENTRY_ROLE)
        widget = option.widget
        style = widget.style() if widget else QApplication.style()
        style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        palette: QPalette = option.palette
        text = palette.color(
            QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        )
        quiet = text if selected else palette.color(QPalette.ColorRole.PlaceholderText)
        name = QFont(option.font)
        name.setBold(True)
        shown = SHOWN if index.data(SHOWN_ROLE) else ""
        lines = [
            (shown + entry.found.card.name, name, text if entry.compatibility.ok else quiet),
            (entry.facts, QFont(option.font), quiet),
        ]
        if not entry.compatibility.ok:
            lines.append((entry.compatibility.reason, QFont(option.font), quiet))
        self._draw_lines(painter, option.rect, lines)

    def _draw_lines(
        self, painter: QPainter, rect: QRect, lines: list[tuple[str, QFont, QColor]]
    ) -> None:
        painter.save()
        area = rect.adjusted(PADDING_PX + 2, PADDING_PX, -PADDING_PX, 0)
        for words, font, colour in lines:
            metrics = QFontMetrics(font)
            painter.setFont(font)
            painter.setPen(colour)
            line = metrics.elidedText(words, Qt.TextElideMode.ElideRight, area.width())
            painter.drawText(area.x(), area.y() + metrics.ascent(), line)
            area.translate(0, metrics.height() + 1)
        painter.restore()
