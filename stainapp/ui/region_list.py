"""The regions as a table that Qt views can show and edit."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QComboBox, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from stainapp.session.regions import CLASSES, Region, colour_of

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
NAME, CLASS, AREA, LOCK = range(4)
HEADINGS = ("Region", "Class", "Area", "Lock")
TO_THE_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CHECKED, UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked
SWATCH_PX = 12
MM2_FROM = 1e4
"""Areas from this many square micrometres are given in square millimetres."""


class RegionList(QAbstractTableModel):
    """Shows regions and reports what the user writes into the table."""

    renamed = Signal(str, str)  # id, name
    classified = Signal(str, str)  # id, class
    locked = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self._regions: tuple[Region, ...] = ()
        self._mpp: float | None = None

    @property
    def regions(self) -> tuple[Region, ...]:
        return self._regions

    def set_regions(self, regions: Sequence[Region], mpp: float | None) -> None:
        """Replace the regions; rows that stay keep their selection and scroll position."""
        same = [r.id for r in regions] == [r.id for r in self._regions]
        if not same:
            self.beginResetModel()
        self._regions, self._mpp = tuple(regions), mpp
        if not same:
            self.endResetModel()
        elif regions:
            self.dataChanged.emit(self.index(0, 0), self.index(len(regions) - 1, LOCK))

    def classes(self) -> list[str]:
        """Return the classes to offer: the usual ones, then those in use."""
        used = (region.classification for region in self._regions)
        return list(dict.fromkeys(("", *CLASSES, *filter(None, used))))

    # Qt's

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._regions)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        across = orientation == Qt.Orientation.Horizontal
        return HEADINGS[section] if across and role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() in (NAME, CLASS):
            return flags | Qt.ItemFlag.ItemIsEditable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == LOCK else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        what = Qt.ItemDataRole
        values: dict[tuple[int, Qt.ItemDataRole], Callable[[Region], object]] = {
            (NAME, what.DisplayRole): lambda r: r.name or "unnamed",
            (NAME, what.EditRole): lambda r: r.name,
            (NAME, what.ToolTipRole): lambda r: r.name,
            (NAME, what.DecorationRole): lambda r: swatch(QColor(*colour_of(r))),
            (CLASS, what.DisplayRole): lambda r: r.classification,
            (CLASS, what.EditRole): lambda r: r.classification,
            (AREA, what.DisplayRole): lambda r: area_words(r.area_px, self._mpp),
            (AREA, what.TextAlignmentRole): lambda _: TO_THE_RIGHT,
            (LOCK, what.CheckStateRole): lambda r: CHECKED if r.locked else UNCHECKED,
        }
        value = values.get((index.column(), Qt.ItemDataRole(role)))
        return value(self._regions[index.row()]) if value else None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        region = self._regions[index.row()]
        if role == Qt.ItemDataRole.CheckStateRole:
            self.locked.emit(region.id, Qt.CheckState(value) == Qt.CheckState.Checked)
        elif role == Qt.ItemDataRole.EditRole:
            signal = self.renamed if index.column() == NAME else self.classified
            signal.emit(region.id, str(value).strip())
        else:
            return False
        return True


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


def area_words(area_px: float, mpp: float | None) -> str:
    """Return an area with its unit: on tissue where the scale is known, else in pixels."""
    if mpp is None:
        return f"{area_px:,.0f} px²"
    area_um2 = area_px * mpp**2
    if area_um2 >= MM2_FROM:
        return f"{area_um2 / 1e6:,.{2 if area_um2 >= 1e5 else 3}f} mm²"
    return f"{area_um2:,.0f} µm²"


def swatch(colour: QColor) -> QIcon:
    """Return a small square of a colour, which stays what it is in a selected row."""
    pixmap = QPixmap(2 * SWATCH_PX, 2 * SWATCH_PX)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(0, 0, SWATCH_PX, SWATCH_PX, 3, 3)
    painter.end()
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(pixmap, mode)
    return icon
