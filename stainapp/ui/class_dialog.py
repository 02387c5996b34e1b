"""All classes of the slide's regions in one place: names, colours, how many are of each."""

from collections import Counter
from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from stainapp.session.regions import made_up
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_list import SWATCH_PX, swatch

NAME, COUNT = range(2)
NEW = "New class"
ADVICE = "A class that is given another one's name joins it. All can be undone."


class ClassDialog(QDialog):
    """Shows the editor's classes and changes them there, each time in one step."""

    def __init__(self, editor: RegionEditor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Classes of regions")
        self._editor = editor
        self._filling = False
        self.table = QTableWidget(0, 2, self)
        self.add = QPushButton("Add", self)
        self.rename = QPushButton("Rename", self)
        self.colour = QPushButton("Colour…", self)
        self.remove = QPushButton("Remove", self)
        self.select = QPushButton("Select its regions", self)
        self._lay_out()
        self._connect()
        self._show()

    @property
    def chosen(self) -> str:
        """The class that is marked; "" for none."""
        item = self.table.item(self.table.currentRow(), NAME)
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def choose(self, name: str) -> None:
        """Mark a class."""
        names = list(self._editor.regions.classes)
        if name in names:
            self.table.setCurrentCell(names.index(name), NAME)

    def recolour(self, name: str, colour: QColor) -> None:
        told = (colour.red(), colour.green(), colour.blue())
        classes = {**self._editor.regions.classes, name: told}
        self._editor.set_classes(classes, f"Recolour {name}", {})

    # parts

    def _lay_out(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(["Class", "Regions"])
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(26)
        table.setShowGrid(False)
        table.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        table.setAccessibleName("Classes")
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(COUNT, QHeaderView.ResizeMode.Fixed)
        table.setColumnWidth(COUNT, 80)
        buttons = QVBoxLayout()
        for button in (self.add, self.rename, self.colour, self.remove, self.select):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(table, 1)
        row.addLayout(buttons)
        advice = QLabel(ADVICE, self)
        advice.setObjectName("quiet")
        advice.setWordWrap(True)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        close.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(row, 1)
        layout.addWidget(advice)
        layout.addWidget(close)
        self.resize(440, 380)

    def _connect(self) -> None:
        self._editor.changed.connect(self._show)
        self._editor.shown.connect(self._show)
        self.table.itemChanged.connect(self._on_written)
        self.table.currentCellChanged.connect(self._on_marked)
        self.add.clicked.connect(self._add)
        self.rename.clicked.connect(self._rename)
        self.colour.clicked.connect(self._ask_colour)
        self.remove.clicked.connect(self._remove)
        self.select.clicked.connect(self._select)

    def _show(self) -> None:
        """Fill the table, keeping the mark on the class it is on."""
        chosen, row = self.chosen, self.table.currentRow()
        document = self._editor.regions
        counts = Counter(region.classification for region in document.regions)
        self._filling = True
        self.table.setRowCount(len(document.classes))
        for at, (name, colour) in enumerate(document.classes.items()):
            item = QTableWidgetItem(swatch(QColor(*colour)), name)
            item.setData(Qt.ItemDataRole.UserRole, name)
            count = QTableWidgetItem(f"{counts[name]:,}" if counts[name] else "")
            count.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            count.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(at, NAME, item)
            self.table.setItem(at, COUNT, count)
        self._filling = False
        if chosen in document.classes:
            self.choose(chosen)
        elif row >= 0:
            self.table.setCurrentCell(min(row, self.table.rowCount() - 1), NAME)
        self._on_marked()

    def _on_marked(self, *_: object) -> None:
        for button in (self.rename, self.colour, self.remove, self.select):
            button.setEnabled(bool(self.chosen) and self._editor.ready)
        self.add.setEnabled(self._editor.ready)

    def _on_written(self, item: QTableWidgetItem) -> None:
        """Take over a name that was written into the table; another class's name joins the two."""
        old, new = str(item.data(Qt.ItemDataRole.UserRole)), item.text().strip()
        if self._filling or new == old:
            return
        classes = dict(self._editor.regions.classes)
        if not new:
            self._show()
            return
        joins = new in classes
        renamed = {
            (new if name == old else name): colour
            for name, colour in classes.items()
            if not (joins and name == old)
        }
        self._editor.set_classes(
            renamed, f"{'Merge' if joins else 'Rename'} {old} into {new}", {old: new}
        )
        self.choose(new)

    def _add(self) -> None:
        classes = self._editor.regions.classes
        names = (NEW, *(f"{NEW} {number}" for number in range(2, len(classes) + 3)))
        name = next(name for name in names if name not in classes)
        self._editor.set_classes(
            {**classes, name: made_up(name, classes.values())}, "Add class", {}
        )
        self.choose(name)
        self._rename()

    def _rename(self) -> None:
        item = self.table.item(self.table.currentRow(), NAME)
        if item is not None:
            self.table.editItem(item)

    def _ask_colour(self) -> None:
        name = self.chosen
        dialog = QColorDialog(QColor(*self._editor.regions.classes[name]), self)
        dialog.setWindowTitle(f"Colour of {name}")
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(partial(self.recolour, name))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _remove(self) -> None:
        """Take the class off the list, and off its regions, which stay."""
        name = self.chosen
        left = {n: c for n, c in self._editor.regions.classes.items() if n != name}
        self._editor.set_classes(left, f"Remove class {name}", {name: ""})

    def _select(self) -> None:
        name = self.chosen
        regions = self._editor.regions.regions
        self._editor.select(r.id for r in regions if r.classification == name)
