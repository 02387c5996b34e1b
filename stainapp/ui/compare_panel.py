"""What a comparison came to: the table of regions and measures, and plots of one quantity."""

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from stainapp.compare.bland_altman import paired_of, quantities
from stainapp.compare.comparison import Comparison
from stainapp.compare.plots import agreement_in_words
from stainapp.compare.region_figures import ALL
from stainapp.ui.compare_plots import ComparePlots
from stainapp.ui.compare_table import REGION, CompareTable

NARROWEST_PX = 64
EMPTY = "Draw regions, then compare: real and virtual, or two registered slides."


class ComparePanel(QWidget):
    """Shows a comparison and reports what is asked of it. Measures nothing itself."""

    compare_asked = Signal()
    stop_asked = Signal()
    report_asked = Signal()
    gone_to = Signal(str)  # a region's name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures = CompareTable()
        self.table = QTableView(self)
        self.quantity = QComboBox(self)
        self.plots = ComparePlots(self)
        self.words = QLabel(EMPTY, self)
        self.progress = QProgressBar(self)
        self.compare = QPushButton("Compare", self)
        self.stop = QPushButton("Stop", self)
        self.report = QPushButton("Report…", self)
        self._found: Comparison | None = None
        self._names = ("reference", "other")
        self._lay_out()
        self._connect()
        self.show_working(False)

    def show_comparison(self, found: Comparison, reference: str, other: str) -> None:
        """Show figures and plots.

        Args:
            found: what was measured.
            reference: what the reference is called.
            other: what the other side is called.
        """
        self._found, self._names = found, (reference, other)
        self.figures.show_comparison(found)
        self.table.resizeColumnsToContents()
        chosen = self.quantity.currentText()
        self.quantity.clear()
        self.quantity.addItems(quantities(found))
        self.quantity.setCurrentText(chosen)
        self.show_working(False)
        self._draw()

    def show_progress(self, done: int, total: int) -> None:
        """Show how many pieces are done, of how many."""
        self.show_working(True)
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)

    def show_failed(self, sentence: str) -> None:
        """Say why there are no new figures; those that are there stay."""
        self.show_working(False)
        self.words.setText(sentence)

    def show_working(self, working: bool) -> None:
        self.progress.setVisible(working)
        self.stop.setVisible(working)
        self.compare.setEnabled(not working)
        self.report.setEnabled(not working and self._found is not None)
        some = self._found is not None
        for widget in (self.table, self.plots, self.quantity):
            widget.setVisible(some)

    def _lay_out(self) -> None:
        table = self.table
        table.setModel(self.figures)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        table.setWordWrap(False)
        table.setAccessibleName("Comparison")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setMinimumSectionSize(NARROWEST_PX)
        self.words.setObjectName("quiet")
        self.words.setWordWrap(True)
        top = QHBoxLayout()
        for widget in (self.compare, self.stop, self.report):
            top.addWidget(widget)
        top.addWidget(self.progress, 1)
        top.addStretch(0)
        top.addWidget(self.quantity)
        below = QWidget(self)
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.plots, 1)
        column.addWidget(self.words)
        parts = QSplitter(Qt.Orientation.Vertical, self)
        parts.addWidget(table)
        parts.addWidget(below)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(parts, 1)

    def _connect(self) -> None:
        self.compare.clicked.connect(self.compare_asked)
        self.stop.clicked.connect(self.stop_asked)
        self.report.clicked.connect(self.report_asked)
        self.quantity.currentTextChanged.connect(self._draw)
        self.table.clicked.connect(self._on_clicked)
        self.plots.region_chosen.connect(self._on_region)

    def _draw(self) -> None:
        measure = self.quantity.currentText()
        if self._found is None or not measure:
            return
        paired = paired_of(self._found, measure)
        self.plots.show_pairs(paired, *self._names)
        self.words.setText(agreement_in_words(paired))

    def _on_clicked(self, index: QModelIndex) -> None:
        """Go to the region, and plot what was clicked where it can be plotted."""
        measure = self.figures.measure(index.column())
        if measure is not None and self.quantity.findText(measure) >= 0:
            self.quantity.setCurrentText(measure)
        name = self.figures.region(index.row())
        if name != ALL:
            self.gone_to.emit(name)

    def _on_region(self, name: str) -> None:
        for row in range(self.figures.rowCount()):
            if self.figures.region(row) == name:
                self.table.selectRow(row)
                self.table.scrollTo(self.figures.index(row, REGION))
        self.gone_to.emit(name)
