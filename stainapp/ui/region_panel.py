"""The dock with the open slide's regions: names, classes, colours, sizes, locks."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from stainapp.session.regions import BLANK, Document
from stainapp.ui.region_list import (
    ASCENDING,
    CLASS,
    LOCK,
    NAME,
    SIZE,
    SWATCH_PX,
    ClassDelegate,
    RegionList,
)

EMPTY = (
    "None yet. Draw with R (rectangle), O (ellipse), P (polygon), F (by hand), B (brush), set "
    "points with a full stop, measure with L, or import GeoJSON."
)


class RegionPanel(QWidget):
    """Shows regions and reports what is asked of them. Decides nothing."""

    chosen = Signal(object)  # tuple[str, ...]: ids selected in the table
    gone_to = Signal(str)
    classes_asked = Signal()
    colour_asked = Signal()
    delete_asked = Signal()
    import_asked = Signal()
    export_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions = RegionList()
        self.table = QTableView(self)
        self.filter = QLineEdit(self)
        self.counted = QLabel(self)
        self.empty = QLabel(EMPTY, self)
        self.classes = QPushButton("Classes…", self)
        self.colour = QPushButton("Colour…", self)
        self.delete = QPushButton("Delete", self)
        self.importing = QPushButton("Import…", self)
        self.exporting = QPushButton("Export…", self)
        self._following = False
        self._selected: tuple[str, ...] = ()
        self._lay_out()
        self._connect()
        self.show_regions(BLANK, None)

    def show_regions(self, document: Document, mpp: float | None) -> None:
        self._following = True
        self.regions.set_regions(document, mpp)
        self._following = False
        some = bool(document.regions)
        for part in (self.table, self.filter, self.counted):
            part.setVisible(some)
        self.empty.setVisible(not some)
        self.exporting.setEnabled(some)
        self._count()

    def show_selected(self, ids: Sequence[str]) -> None:
        """Mark the rows of the selected regions, and bring the first into sight."""
        self._selected = tuple(ids)
        rows = self.regions.rows_of(ids)
        selection = QItemSelection()
        for first, last in _runs(rows):
            selection.select(self.regions.index(first, NAME), self.regions.index(last, LOCK))
        self._following = True
        how = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.table.selectionModel().select(selection, how)
        self._following = False
        if rows:
            self.table.scrollTo(self.regions.index(rows[0], NAME))
        self.colour.setEnabled(bool(ids))
        self.delete.setEnabled(bool(ids))
        self._count()

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
        for column, width in ((CLASS, 78), (SIZE, 76), (LOCK, 38)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            table.setColumnWidth(column, width)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, ASCENDING)
        table.setSortingEnabled(True)
        self.filter.setPlaceholderText("Filter by name, class or shape")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter regions")
        self.counted.setObjectName("quiet")
        self.empty.setObjectName("quiet")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        buttons = QHBoxLayout()
        for button in (self.classes, self.colour, self.delete, self.importing, self.exporting):
            buttons.addWidget(button)
        top = QHBoxLayout()
        top.addWidget(self.filter, 1)
        top.addWidget(self.counted)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(table, 1)
        layout.addWidget(self.empty, 1)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.table.clicked.connect(self._on_clicked)
        self.filter.textChanged.connect(self._on_filter)
        self.table.horizontalHeader().sortIndicatorChanged.connect(self._on_sorted)
        self.classes.clicked.connect(self.classes_asked)
        self.colour.clicked.connect(self.colour_asked)
        self.delete.clicked.connect(self.delete_asked)
        self.importing.clicked.connect(self.import_asked)
        self.exporting.clicked.connect(self.export_asked)

    def _on_selection(self, *_: object) -> None:
        if not self._following:
            rows = self.table.selectionModel().selectedRows(NAME)
            self.chosen.emit(tuple(self.regions.rows[row.row()].id for row in rows))

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() != LOCK:
            self.gone_to.emit(self.regions.rows[index.row()].id)

    def _on_filter(self, text: str) -> None:
        self._following = True  # rows that go take no selection with them
        self.regions.set_filter(text)
        self._following = False
        self.show_selected(self._selected)

    def _on_sorted(self, *_: object) -> None:
        self.show_selected(self._selected)

    def _count(self) -> None:
        """Say how many regions there are, how many are shown and how many selected."""
        words = f"{self.regions.count:,}"
        if self.regions.filtered:
            words = f"{len(self.regions.rows):,} of {words}"
        if len(self._selected) > 1:
            words += f", {len(self._selected):,} selected"
        self.counted.setText(words)


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of rows that follow one another: Qt is slow with many single ones."""
    first = last = -2
    for row in rows:
        if row == last + 1:
            last = row
            continue
        if last >= 0:
            yield first, last
        first = last = row
    if last >= 0:
        yield first, last
