"""The dock with the open slide's regions: names, classes, colours, areas, locks."""

from collections.abc import Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from stainapp.session.regions import Region
from stainapp.ui.region_list import AREA, CLASS, LOCK, NAME, SWATCH_PX, ClassDelegate, RegionList

EMPTY = "None yet. Draw with R (rectangle) or P (polygon), or import GeoJSON."


class RegionPanel(QWidget):
    """Shows regions and reports what is asked of them. Decides nothing."""

    chosen = Signal(object)  # tuple[str, ...]: ids selected in the table
    gone_to = Signal(str)
    colour_asked = Signal()
    delete_asked = Signal()
    import_asked = Signal()
    export_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions = RegionList()
        self.table = QTableView(self)
        self.empty = QLabel(EMPTY, self)
        self.colour = QPushButton("Colour…", self)
        self.delete = QPushButton("Delete", self)
        self.importing = QPushButton("Import…", self)
        self.exporting = QPushButton("Export…", self)
        self._following = False
        self._lay_out()
        self._connect()
        self.show_regions((), None)

    def show_regions(self, regions: Sequence[Region], mpp: float | None) -> None:
        self._following = True
        self.regions.set_regions(regions, mpp)
        self._following = False
        self.table.setVisible(bool(regions))
        self.empty.setVisible(not regions)
        self.exporting.setEnabled(bool(regions))

    def show_selected(self, ids: Sequence[str]) -> None:
        """Mark the rows of the selected regions, and bring the first into sight."""
        rows = [row for row, region in enumerate(self.regions.regions) if region.id in set(ids)]
        selection = QItemSelection()
        for row in rows:
            selection.select(self.regions.index(row, NAME), self.regions.index(row, LOCK))
        self._following = True
        how = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.table.selectionModel().select(selection, how)
        self._following = False
        if rows:
            self.table.scrollTo(self.regions.index(rows[0], NAME))
        self.colour.setEnabled(bool(rows))
        self.delete.setEnabled(bool(rows))

    def _lay_out(self) -> None:
        table = self.table
        table.setModel(self.regions)
        table.setItemDelegateForColumn(CLASS, ClassDelegate(table))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setShowGrid(False)
        table.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setAccessibleName("Regions")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((CLASS, 78), (AREA, 76), (LOCK, 38)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            table.setColumnWidth(column, width)
        self.empty.setObjectName("quiet")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        buttons = QHBoxLayout()
        for button in (self.colour, self.delete, self.importing, self.exporting):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(table, 1)
        layout.addWidget(self.empty, 1)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.table.clicked.connect(self._on_clicked)
        self.colour.clicked.connect(self.colour_asked)
        self.delete.clicked.connect(self.delete_asked)
        self.importing.clicked.connect(self.import_asked)
        self.exporting.clicked.connect(self.export_asked)

    def _on_selection(self, *_: object) -> None:
        if not self._following:
            rows = self.table.selectionModel().selectedRows(NAME)
            self.chosen.emit(tuple(self.regions.regions[row.row()].id for row in rows))

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() != LOCK:
            self.gone_to.emit(self.regions.regions[index.row()].id)
