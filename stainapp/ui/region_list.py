"""The regions as a table that Qt views can show, sort, filter and edit; quick with thousands."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QComboBox, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from stainapp.session.regions import BLANK, Document, Region, colour_of
from stainapp.ui.region_words import length_words, size_words

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
NAME, CLASS, SIZE, LOCK = range(4)
HEADINGS = ("Region", "Class", "Size", "Lock")
TO_THE_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CHECKED, UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked
SWATCH_PX = 12
NUMBERS = re.compile(r"\d{1,9}")
ASCENDING, DESCENDING = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder


class RegionList(QAbstractTableModel):
    """Shows regions and reports what the user writes into the table.

    Sorting and filtering are its own: Python is asked once for each region. A proxy would ask it
    for each comparison.
    """

    renamed = Signal(str, str)  # id, name
    classified = Signal(str, str)  # id, class
    locked = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self._document = BLANK
        self._rows: tuple[Region, ...] = ()
        self._mpp: float | None = None
        self._words: tuple[str, ...] = ()
        self._column, self._order = -1, ASCENDING
        self._sizes: dict[str, tuple[Region, tuple[int, float]]] = {}

    @property
    def rows(self) -> tuple[Region, ...]:
        """The regions that are shown, in the order they are shown in."""
        return self._rows

    @property
    def filtered(self) -> bool:
        return bool(self._words)

    @property
    def count(self) -> int:
        """How many regions there are, shown or not."""
        return len(self._document.regions)

    def set_regions(self, document: Document, mpp: float | None) -> None:
        """Replace the regions; rows that stay keep their selection and scroll position."""
        self._document, self._mpp = document, mpp
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only regions whose name, class or shape holds every word of a text."""
        self._words = tuple(text.lower().split())
        self._arrange()

    def classes(self) -> list[str]:
        """Return the classes to offer: none, then all there are."""
        return ["", *self._document.classes]

    def rows_of(self, ids: Sequence[str]) -> list[int]:
        """Return the rows of regions, rising."""
        wished = set(ids)
        return [row for row, region in enumerate(self._rows) if region.id in wished]

    # Qt's

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        across = orientation == Qt.Orientation.Horizontal
        return HEADINGS[section] if across and role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() in (NAME, CLASS):
            return flags | Qt.ItemFlag.ItemIsEditable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == LOCK else flags

    def sort(self, column: int, order: Qt.SortOrder = ASCENDING) -> None:
        """Order by a column; -1 is the order in which regions lie over one another."""
        self._column, self._order = column, order
        self._arrange()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        what = Qt.ItemDataRole
        values: dict[tuple[int, Qt.ItemDataRole], Callable[[Region], object]] = {
            (NAME, what.DisplayRole): lambda r: r.name or "unnamed",
            (NAME, what.EditRole): lambda r: r.name,
            (NAME, what.ToolTipRole): self._more,
            (NAME, what.DecorationRole): lambda r: swatch(
                QColor(*colour_of(r, self._document.classes)), r.shape
            ),
            (CLASS, what.DisplayRole): lambda r: r.classification,
            (CLASS, what.EditRole): lambda r: r.classification,
            (CLASS, what.ToolTipRole): lambda r: r.classification,
            (SIZE, what.DisplayRole): lambda r: size_words(r, self._mpp),
            (SIZE, what.ToolTipRole): self._more,
            (SIZE, what.TextAlignmentRole): lambda _: TO_THE_RIGHT,
            (LOCK, what.CheckStateRole): lambda r: CHECKED if r.locked else UNCHECKED,
        }
        value = values.get((index.column(), Qt.ItemDataRole(role)))
        return value(self._rows[index.row()]) if value else None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        region = self._rows[index.row()]
        if role == Qt.ItemDataRole.CheckStateRole:
            self.locked.emit(region.id, Qt.CheckState(value) == Qt.CheckState.Checked)
        elif role == Qt.ItemDataRole.EditRole:
            signal = self.renamed if index.column() == NAME else self.classified
            signal.emit(region.id, str(value).strip())
        else:
            return False
        return True

    # parts

    def _arrange(self) -> None:
        rows = [r for r in self._document.regions if self._passes(r)]
        if self._column >= 0:
            rows.sort(key=self._key, reverse=self._order == DESCENDING)
        same = [r.id for r in rows] == [r.id for r in self._rows]
        if not same:
            self.beginResetModel()
        self._rows = tuple(rows)
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, LOCK))

    def _passes(self, region: Region) -> bool:
        if not self._words:
            return True
        text = f"{region.name} {region.classification} {region.shape}".lower()
        return all(word in text for word in self._words)

    def _key(self, region: Region) -> Any:
        match self._column:
            case 0:
                return _natural(region.name)
            case 1:
                return (not region.classification, _natural(region.classification))
            case 2:
                return self._size(region)
            case _:
                return region.locked

    def _size(self, region: Region) -> tuple[int, float]:
        """Return what sizes are ordered by: points by number, then lines, then areas."""
        known = self._sizes.get(region.id)
        if known is None or known[0] is not region:
            if region.shape == "points":
                size = 0, float(len(region.points))
            else:
                size = (2, region.area_px) if region.encloses else (1, region.length_px)
            known = self._sizes[region.id] = (region, size)
        return known[1]

    def _more(self, region: Region) -> str:
        """Return all that is known of a region's size, and what its file measured of it."""
        lines = [region.name or "unnamed", f"{region.shape}: {size_words(region, self._mpp)}"]
        if region.encloses:
            lines.append(f"perimeter: {length_words(region.length_px, self._mpp)}")
        if self._mpp is None:
            lines.append("The slide's scale is not known.")
        lines += [f"{name}: {value:,.6g}" for name, value in region.measurements.items()][:20]
        return "\n".join(lines)


class ClassDelegate(QStyledItemDelegate):
    """Edits a class: one from the list, or a new one."""

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> QComboBox:
        box = QComboBox(parent)
        box.setEditable(True)
        box.setFrame(False)
        model = index.model()
        assert isinstance(model, RegionList)
        box.addItems(model.classes())
        box.activated.connect(self._on_activated)
        return box

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        assert isinstance(editor, QComboBox)
        editor.setCurrentText(index.data(Qt.ItemDataRole.EditRole))

    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:
        assert isinstance(editor, QComboBox)
        assert isinstance(model, RegionList)
        model.setData(index, editor.currentText())

    def _on_activated(self, *_: object) -> None:
        """Take over a class at once when it is picked from the list."""
        editor = self.sender()
        assert isinstance(editor, QComboBox)
        self.commitData.emit(editor)
        self.closeEditor.emit(editor)


def _natural(name: str) -> tuple[tuple[str, int], ...]:
    """Return what orders "Region 9" before "Region 10"."""
    words, numbers = NUMBERS.split(name.lower()), NUMBERS.findall(name)
    return tuple(zip(words, (*map(int, numbers), 0), strict=True))


def swatch(colour: QColor, shape: str = "polygon") -> QIcon:
    """Return a small sign of a colour, which stays what it is in a selected row.

    Its form says what it stands for: a square, a disc, a stroke, or dots.
    """
    pixmap = QPixmap(2 * SWATCH_PX, 2 * SWATCH_PX)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    far = SWATCH_PX - 4
    if shape == "ellipse":
        painter.drawEllipse(0, 1, SWATCH_PX, SWATCH_PX - 2)
    elif shape == "line":
        painter.rotate(-45)
        painter.drawRoundedRect(-SWATCH_PX // 2 - 2, SWATCH_PX // 2 + 1, SWATCH_PX + 4, 3, 1.5, 1.5)
    elif shape == "points":
        for x, y in ((0, 1), (far, 0), (far // 2, far)):
            painter.drawEllipse(x, y, 4, 4)
    else:
        painter.drawRoundedRect(0, 0, SWATCH_PX, SWATCH_PX, 3, 3)
    painter.end()
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(pixmap, mode)
    return icon
