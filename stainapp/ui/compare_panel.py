"""What a comparison came to: the table of regions and measures, and plots of one quantity."""

from PySide6.QtCore import QModelIndex, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableView,
    QTabWidget,
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
AGREEMENT_PX = 230
OPENING = "The slides are being opened, and the model fitted to them…"
STOPPED = "Stopped. Nothing was measured anew."
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
        self.left_out = QLabel(self)
        self.tabs = QTabWidget(self)
        self.agreement = QLabel(self)
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
        self.left_out.setText(left_out(found))
        self.left_out.setVisible(bool(self.left_out.text()))
        chosen = self.quantity.currentText()
        self.quantity.clear()
        self.quantity.addItems(quantities(found))
        self.quantity.setCurrentText(chosen)
        self.words.clear()
        self.show_working(False)
        self._draw()

    def show_progress(self, done: int, total: int) -> None:
        """Show how many pieces are done, of how many; 0 of 0 while all is still being opened."""
        self.show_working(True)
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.words.setText("" if total else OPENING)

    def show_failed(self, sentence: str) -> None:
        """Say why there are no new figures; those that are there stay."""
        self.show_working(False)
        self.words.setText(sentence)

    def show_stopped(self) -> None:
        """Show that it was stopped; figures that are there stay."""
        self.show_working(False)
        self.words.setText(STOPPED)

    def show_working(self, working: bool) -> None:
        self.progress.setVisible(working)
        self.stop.setVisible(working)
        self.compare.setEnabled(not working)
        self.report.setEnabled(not working and self._found is not None)
        self.tabs.setVisible(self._found is not None)

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
        for label in (self.words, self.left_out, self.agreement):
            label.setObjectName("quiet")
            label.setWordWrap(True)
        self.agreement.setFixedWidth(AGREEMENT_PX)
        self.quantity.setFixedWidth(AGREEMENT_PX)
        top = QHBoxLayout()
        for widget in (self.compare, self.stop, self.report):
            top.addWidget(widget)
        top.addWidget(self.progress, 1)
        top.addWidget(self.words, 2)
        figures, agreement = QWidget(self), QWidget(self)
        column = QVBoxLayout(figures)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(table, 1)
        column.addWidget(self.left_out)
        row = QHBoxLayout(agreement)
        row.setContentsMargins(0, 4, 0, 0)
        left = QVBoxLayout()
        left.addWidget(self.quantity)
        left.addWidget(self.agreement)
        left.addStretch(1)
        row.addLayout(left)
        row.addWidget(self.plots, 1)
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(figures, "Figures")
        self.tabs.addTab(agreement, "Agreement")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.tabs, 1)
        layout.addStretch(0)

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
        self.agreement.setText(agreement_in_words(paired))

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


def left_out(found: Comparison) -> str:
    """Say what is not in the table, and why."""
    missing = "; ".join(f"{what}: {why}" for what, why in found.missing.items())
    return " ".join([*found.notes, *([f"Not measured: {missing}."] if missing else [])])
